// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"path"
	"slices"
	"strings"
)

// interpreters run what whoever starts them tells them to. Their names may go on with a version.
var interpreters = []string{"sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "busybox", "toybox", "python", "perl", "ruby", "node",
	"php", "lua", "luajit", "awk", "gawk", "mawk", "tclsh", "expect", "java", "gdb", "vim.basic", "vim.tiny", "vim", "emacs", "ed", "sed"}

// launchers start what they are told to, and do nothing else.
var launchers = []string{"env", "sudo", "su", "doas", "pkexec", "nsenter", "unshare", "chroot", "setpriv", "runuser", "setsid", "nohup",
	"timeout", "nice", "xargs", "find", "script", "screen", "tmux", "systemd-run", "ld-linux-x86-64.so"}

// entrances are where the work of many begins: what they start is anybody's.
var entrances = []string{"sshd", "sshd-session", "login", "agetty", "getty", "cron", "crond", "atd", "systemd", "init", "gdm", "lightdm",
	"dockerd", "containerd", "containerd-shim-runc-v2", "runc", "crun", "podman", "conmon"}

// subjects tells of subjects that are wider than they look.
func (c *checker) subjects(subjects []Subject, confined bool) {
	for _, s := range subjects {
		if s.Executable.Kind == 0 {
			c.withoutExecutable(s, confined)
			continue
		}
		if !confined {
			c.program(s)
		}
	}
}

// itself tells of protected programs whose own processes may not act on each other, as those of most services do.
func (c *checker) itself() {
	if c.rule.Processes == nil || c.rule.Processes.Operations&Signal == 0 {
		return
	}
	for _, e := range c.rule.Processes.Executables {
		if !slices.ContainsFunc(c.rule.Allow, func(s Subject) bool { return e.sameProgram(s.Executable) || s.Executable.sameProgram(e) }) {
			c.warn(e.Position, "itself", "the processes of %s may not send signals to each other, as those of a service do: expected it under allow", e.Text)
		}
	}
}

// withoutExecutable tells of subjects that are a place and not a program.
func (c *checker) withoutExecutable(s Subject, confined bool) {
	switch {
	case confined:
	case s.Unit != "":
		c.warn(s.Position, "place", "whoever may move processes between cgroups, such as root, can enter the unit %s; expected an executable too", s.Unit)
	case s.Container != "":
		c.warn(s.Position, "place", "whoever may enter the container %s is allowed, root with any program; expected an executable too", s.Container)
	default:
		c.warn(s.Position, "place", "every program of the user %s is allowed, and root can become that user; expected an executable too", s.User)
	}
}

func (c *checker) program(s Subject) {
	program := orElse(s.Executable.Base, s.Executable.Pattern)
	name := path.Base(program)
	restricted := s.User != "" || s.Unit != "" || s.Container != ""
	switch {
	case s.Lineage && !restricted && s.Executable.Matches(c.host.Init()):
		c.refuse(s.Position, everybody, "%s is this host's init, which everything descends from, so that the rule allows everybody: expected lineage: false",
			s.Executable.Text)
	case s.Lineage && !restricted && isOneOf(name, entrances):
		c.warn(s.Position, "entrance", "what %s starts is allowed too, such as the shells of all who log in: expected lineage: false, or a user or a unit",
			s.Executable.Text)
	case !restricted && c.host.Obeys(program):
		c.warn(s.Position, "interpreter", "%s does what whoever starts it tells it: expected the program that starts it, or a user or a unit",
			s.Executable.Text)
	case s.Lineage && !restricted && isOneOf(name, launchers):
		c.warn(s.Position, "interpreter", "%s starts what whoever starts it tells it: expected the program that it starts, or lineage: false",
			s.Executable.Text)
	case s.Lineage && !restricted && c.host.interpreter(s.Executable.Base) != "":
		c.warn(s.Position, "script", "%s is a script: whoever starts it may choose by the environment what its interpreter does; a user or a unit narrows that",
			s.Executable.Text)
	}
	for _, file := range c.host.Glob(s.Executable) {
		if c.host.othersMayWrite(file) || c.host.othersMayWrite(path.Dir(file)) {
			c.warn(s.Position, "writable", "others than its owner may change %s or its directory, and then do what the rule allows", file)
		}
	}
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// isOneOf looks for a program's name, without a version such as the 3.11 of python3.11.
func isOneOf(name string, known []string) bool {
	return slices.Contains(known, name) || slices.Contains(known, strings.TrimRight(name, "0123456789.-?*"))
}
