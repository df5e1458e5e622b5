// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"path"
	"slices"
	"strings"
)

// need is what somebody must be able to do so that the host can still be run.
type need struct {
	who      string
	actor    Actor
	requests []Request
}

// newName is a name that no host has: a file that is yet to be.
const newName = "vedette-check-new-file"

// lockouts tells whom the policy would keep from their work if all its rules enforced.
func (c *checker) lockouts() {
	strict := *c.policy
	strict.Rules = nil
	for _, r := range c.policy.Rules {
		q := *r
		q.Mode = Enforce
		strict.Rules = append(strict.Rules, &q)
	}
	told := map[[2]string]bool{}
	for _, n := range c.needs() {
		for _, r := range n.requests {
			r.Subject = n.actor
			for _, reason := range (&Set{[]*Policy{&strict}}).Evaluate(r).Reasons {
				if key := [2]string{n.who, reason.Rule}; reason.Verdict == Denied && !reason.Overruled && !told[key] {
					told[key] = true
					c.lockout(n.who, r.Operation, reason)
				}
			}
		}
	}
}

func (c *checker) lockout(who string, operation Operation, reason Reason) {
	i := slices.IndexFunc(c.policy.Rules, func(r *Rule) bool { return r.Name == reason.Rule })
	c.rule = c.policy.Rules[i]
	thing := reason.Thing
	if strings.HasPrefix(path.Base(thing), newName) {
		thing = "a new file in " + path.Dir(thing)
	}
	if thing != "" {
		thing = " " + thing
	}
	const text = "keeps %s from what it needs: %s%s"
	if c.policy.ModeOf(c.rule) == Enforce {
		c.refuse(reason.Position, lockout, text, who, operation, thing)
	} else if !c.overrides(lockout) {
		c.warn(reason.Position, lockout, text+"; in mode enforce the policy is refused", who, operation, thing)
	}
}

func (c *checker) needs() []need {
	all := append(c.initNeeds(), c.packageNeeds()...)
	return append(all, c.administratorNeeds()...)
}

// existing gives the real paths of those that are there, each once.
func (c *checker) existing(names ...string) []string {
	var found []string
	for _, name := range names {
		for _, one := range c.host.expand(name) {
			if real := c.host.Real(one); c.host.Exists(one) && !slices.Contains(found, real) {
				found = append(found, real)
			}
		}
	}
	return found
}

// actor is root running a program, started by others, in a cgroup.
func (c *checker) actor(cgroup string, programs ...string) Actor {
	a := Actor{User: "root", Cgroup: cgroup}
	for _, program := range programs {
		a.Lineage = append(a.Lineage, c.host.Programs(program)...)
	}
	init := Program{Executable: c.host.Init(), Trusted: true}
	if init.Executable != "" && !slices.Contains(a.Lineage, init) {
		a.Lineage = append(a.Lineage, init)
	}
	return a
}

func onFiles(operations []Operation, names ...string) []Request {
	var all []Request
	for _, name := range names {
		for _, o := range operations {
			all = append(all, Request{Operation: o, File: &File{Paths: []string{name}}})
		}
	}
	return all
}

var (
	toRead  = []Operation{Read}
	toRun   = []Operation{Read, Execute, Run}
	toWrite = []Operation{Create, Write}
)

// inDirectories are files that are yet to be, in the directories of these that are there.
func (c *checker) inDirectories(dirs ...string) []Request {
	var all []Request
	for _, dir := range c.existing(dirs...) {
		final, temporary := path.Join(dir, newName), path.Join(dir, newName+".tmp")
		all = append(all, onFiles(toWrite, temporary)...)
		all = append(all, onFiles([]Operation{Delete, Attributes}, final)...)
		all = append(all, Request{Operation: Rename, File: &File{Paths: []string{temporary}}, NewPath: final})
	}
	return all
}

func (c *checker) initNeeds() []need {
	init := c.host.Init()
	if init == "" {
		return nil
	}
	requests := onFiles(toRun, c.existing(init, "/usr/lib/systemd/systemd-executor", "/usr/lib/systemd/systemd-shutdown")...)
	requests = append(requests, onFiles(toRead, c.existing("/etc/fstab", "/etc/passwd", "/etc/systemd/system.conf", "/etc/inittab")...)...)
	requests = append(requests, c.inDirectories("/run", "/run/systemd", "/var/lib/systemd")...)
	requests = append(requests, Request{Operation: BPF}, Request{Operation: Time})
	for _, r := range c.policy.Rules {
		if r.Processes != nil {
			requests = append(requests, c.signals(r.Processes)...)
		}
	}
	actor := c.actor("/init.scope", init)
	actor.Init = true
	return []need{{"init", actor, requests}}
}

// signals are what init sends to the services that it ends.
func (c *checker) signals(p *Processes) []Request {
	var all []Request
	for _, e := range p.Executables {
		for _, program := range c.host.Glob(e) {
			all = append(all, Request{Operation: Signal, Target: &Target{Executable: program}})
		}
	}
	for _, u := range p.Units {
		all = append(all, Request{Operation: Signal, Target: &Target{Executable: u.Name, Cgroup: "/" + u.Name}})
	}
	return all
}

// packageManagers are the programs that put packages' files in place, with the directories that are their own.
var packageManagers = map[string][]string{
	"/usr/bin/dpkg":               {"/var/lib/dpkg", "/var/lib/dpkg/info"},
	"/usr/bin/apt":                {"/var/lib/apt/lists", "/var/cache/apt/archives"},
	"/usr/bin/apt-get":            {"/var/lib/apt/lists", "/var/cache/apt/archives"},
	"/usr/bin/rpm":                {"/var/lib/rpm", "/usr/lib/sysimage/rpm"},
	"/usr/bin/dnf":                {"/var/lib/rpm", "/usr/lib/sysimage/rpm", "/var/lib/dnf", "/var/cache/dnf"},
	"/usr/bin/yum":                {"/var/lib/rpm", "/usr/lib/sysimage/rpm", "/var/lib/dnf", "/var/lib/yum"},
	"/usr/bin/zypper":             {"/var/lib/rpm", "/usr/lib/sysimage/rpm"},
	"/usr/bin/pacman":             {"/var/lib/pacman"},
	"/usr/bin/microdnf":           {"/var/lib/rpm", "/usr/lib/sysimage/rpm"},
	"/usr/bin/rpm-ostree":         {"/sysroot", "/ostree"},
	"/sbin/apk":                   {"/lib/apk/db"},
	"/usr/bin/dnf5":               {"/var/lib/rpm", "/usr/lib/sysimage/rpm"},
	"/usr/bin/unattended-upgrade": {"/var/lib/apt/lists", "/var/cache/apt/archives"},
}

// ofPackages are directories into which packages put files.
var ofPackages = []string{"/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/share", "/etc", "/boot"}

// onlyFetch are package managers that leave the files of packages to dpkg.
var onlyFetch = []string{"apt", "apt-get", "unattended-upgrade"}

func (c *checker) packageNeeds() []need {
	var all []need
	for program, own := range packageManagers {
		if !c.host.Exists(program) {
			continue
		}
		requests := c.inDirectories(own...)
		if !slices.Contains(onlyFetch, path.Base(program)) {
			requests = append(requests, c.inDirectories(ofPackages...)...)
		}
		for _, p := range c.host.Programs(program) {
			requests = append(requests, onFiles(toRun, p.Executable)...)
		}
		actor := c.actor("/user.slice/user-0.slice/session-1.scope", append([]string{program}, c.login()...)...)
		all = append(all, need{path.Base(program), actor, requests})
	}
	slices.SortFunc(all, func(a, b need) int { return strings.Compare(a.who, b.who) })
	return all
}

// login are the programs that an administrator's work begins with.
func (c *checker) login() []string { return c.existing("/bin/bash", "/bin/sh", "/usr/sbin/sshd") }

func (c *checker) administratorNeeds() []need {
	shells := c.existing("/bin/sh", "/bin/bash")
	accounts := c.existing("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/pam.d/*")
	var all []need
	for _, sshd := range c.existing("/usr/sbin/sshd", "/usr/lib/openssh/sshd-session", "/usr/libexec/openssh/sshd-session") {
		requests := onFiles(toRun, append(shells, sshd)...)
		requests = append(requests, onFiles(toRead, accounts...)...)
		requests = append(requests, onFiles(toRead, c.existing("/etc/ssh/sshd_config", "/etc/ssh/ssh_host_*_key", "/root/.ssh/authorized_keys")...)...)
		requests = append(requests, bindings()...)
		all = append(all, need{path.Base(sshd), c.actor(c.unitOf("ssh.service", "sshd.service"), sshd), requests})
	}
	for _, login := range c.existing("/bin/login") {
		requests := append(onFiles(toRun, append(shells, login)...), onFiles(toRead, accounts...)...)
		all = append(all, need{"login", c.actor("/system.slice/system-getty.slice/getty@tty1.service", login), requests})
	}
	for _, sudo := range c.existing("/usr/bin/sudo", "/bin/su") {
		who := path.Base(sudo)
		session := "/user.slice/user-1000.slice/session-2.scope"
		user := c.actor(session, c.login()...)
		user.User, user.UID = "", 1000
		all = append(all, need{"an administrator's " + who, user, onFiles(toRun[1:], sudo)})
		requests := append(onFiles(toRun[1:], shells...), onFiles(toRead, append(accounts, c.existing("/etc/sudoers", "/etc/sudoers.d/*")...)...)...)
		all = append(all, need{who, c.actor(session, append([]string{sudo}, c.login()...)...), requests})
	}
	return all
}

// unitOf is the cgroup of the first of some services that the host has, or of the first.
func (c *checker) unitOf(services ...string) string {
	for _, service := range services {
		if c.host.Exists("/usr/lib/systemd/system/" + service) {
			return "/system.slice/" + service
		}
	}
	return "/system.slice/" + services[0]
}

// bindings are what sshd does to be reached.
func bindings() []Request {
	var all []Request
	for _, address := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		all = append(all, Request{Operation: Bind, Address: &Address{netip.AddrPortFrom(address, 22), TCP}})
	}
	return all
}
