// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// stagedPaths are what is needed to judge how people get in.
var stagedPaths = []string{passwdFile, shadowFile, "/etc/group", "/etc/login.defs", "/etc/sudoers", "/etc/sudoers.d", "/etc/ssh/sshd_config", sshdDropins,
	"/etc/pam.d", "/etc/fstab", nftablesConf, nftablesDropins, "/etc/nftables"}

// stage is a part of the host as it will be, in a directory of the journal that goes when the checks are done.
type stage struct {
	repairer *Repairer
	plan     *plan
	dir      string // below the host's root
}

// preflight refuses changes after which something that reads the files would fail, or after which nobody could get in.
func (r *Repairer) preflight(p *plan, changes []Change) error {
	for _, c := range changes {
		if c.About == ofPath && !c.Found || c.About == ofField {
			if err := guardParents(c.Path, p.expect); err != nil {
				return err
			}
		}
	}
	if len(areasOf(changes)) == 0 && !touches(changes, "/etc/fstab") {
		return nil
	}
	s, err := r.newStage(p)
	if err != nil {
		return fmt.Errorf("preparing the checks: %w", err)
	}
	return errors.Join(s.check(changes), os.RemoveAll(r.root.full(s.dir)))
}

func (r *Repairer) newStage(p *plan) (*stage, error) {
	relative, err := filepath.Rel(string(r.root), r.journal.dir)
	if err != nil {
		return nil, err
	}
	s := &stage{repairer: r, plan: p, dir: path.Join("/", relative, "stage")}
	if err := os.RemoveAll(r.root.full(s.dir)); err != nil {
		return nil, err
	}
	for _, path := range stagedPaths {
		if err := s.copy(path); err != nil {
			return nil, errors.Join(err, os.RemoveAll(r.root.full(s.dir)))
		}
	}
	for _, path := range p.order {
		if err := s.put(path, p.now[path]); err != nil {
			return nil, errors.Join(err, os.RemoveAll(r.root.full(s.dir)))
		}
	}
	return s, nil
}

// copy copies a file, or the files of a directory.
func (s *stage) copy(path string) error {
	resolved, err := s.repairer.root.resolve(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(s.repairer.root.full(resolved))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil
		}
		_, content, err := s.repairer.root.read(resolved)
		if err != nil {
			return err
		}
		return s.write(path, content)
	}
	entries, err := os.ReadDir(s.repairer.root.full(resolved))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			if err := s.copy(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// put puts there what is planned.
func (s *stage) put(path string, planned planned) error {
	if planned.state.Type == absent {
		return errors.Join(removeIfThere(s.repairer.root.full(s.dir+path)), removeIfThere(s.repairer.root.full(s.dir+forPrograms+path)))
	}
	if !planned.known || planned.state.Type != file {
		return nil
	}
	return s.write(path, planned.content)
}

// includes are lines by which files read others, which are staged too.
var includes = regexp.MustCompile(`(?mi)^\s*[#@]?include(?:dir)?\b.*$`)

// forPrograms is below the stage: the files as programs read them, with includes that lead to the stage.
const forPrograms = "/programs"

func (s *stage) write(path string, content []byte) error {
	if path == passwdFile || path == shadowFile {
		content = s.withFields(path, content)
	}
	if path == shadowFile {
		content = withoutHashes(content)
	}
	rewritten := content
	if below(path, "/etc/ssh") || below(path, "/etc/sudoers") || below(path, "/etc/sudoers.d") || path == nftablesConf {
		rewritten = includes.ReplaceAllFunc(content, func(line []byte) []byte {
			return []byte(strings.ReplaceAll(string(line), "/etc/", s.dir+forPrograms+"/etc/"))
		})
	}
	for place, text := range map[string][]byte{path: content, forPrograms + path: rewritten} {
		full := s.repairer.root.full(s.dir + place)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(full, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// withFields gives passwd or shadow with the fields that are planned.
func (s *stage) withFields(path string, content []byte) []byte {
	for _, c := range s.plan.others {
		if c.About != ofField || accountFields[c.Field].file != path {
			continue
		}
		if changed, err := withField(content, c); err == nil {
			content = changed
		}
	}
	return content
}

// withoutHashes gives shadow with what tells whether passwords can be used, but without them.
func withoutHashes(content []byte) []byte {
	lines := linesOf(string(content))
	for i, line := range lines {
		fields := strings.Split(line, ":")
		if len(fields) < 2 {
			continue
		}
		bare := strings.TrimLeft(fields[1], "!")
		if strings.HasPrefix(bare, "$") || strings.HasPrefix(bare, "_") || len(bare) == oldestHash {
			fields[1] = strings.TrimSuffix(fields[1], bare) + "$6$"
		}
		lines[i] = strings.Join(fields, ":")
	}
	return []byte(strings.Join(lines, ""))
}

// oldestHash is how long the hashes are that do not say what they are.
const oldestHash = 13

// check asks the programs that read the files, and whether people still get in.
func (s *stage) check(changes []Change) error {
	staged := func(path string) string { return s.dir + forPrograms + path }
	for _, check := range []struct {
		path    string
		program string
		args    []string
	}{
		{"/etc/ssh", "sshd", []string{"-t", "-f", staged(sshdConfig)}},
		{"/etc/sudoers", "visudo", []string{"-c", "-f", staged("/etc/sudoers")}},
		{"/etc/sudoers.d", "visudo", []string{"-c", "-f", staged("/etc/sudoers")}},
		{"/etc/fstab", "findmnt", []string{"--verify", "--tab-file", staged("/etc/fstab")}},
		{nftablesConf, "nft", []string{"-c", "-f", staged(nftablesConf)}},
		{nftablesDropins, "nft", []string{"-c", "-f", staged(nftablesConf)}},
	} {
		if !touches(changes, check.path) {
			continue
		}
		// Where the program is not installed nobody reads the file.
		if err := s.ask(check.program, check.args); err != nil && !errors.Is(err, errNoProgram) {
			return fmt.Errorf("the host would not take it: %w", err)
		}
	}
	if slices.Contains(areasOf(changes), areaPAM) {
		if err := s.checkPAM(); err != nil {
			return err
		}
	}
	return s.checkAccess()
}

// sshdRuntime is a directory that sshd wants to have even for a check, and that the service makes when it starts.
const sshdRuntime = "/run/sshd"

// ask runs a program that checks. What it needs for that is there meanwhile.
func (s *stage) ask(program string, args []string) error {
	r := s.repairer
	if program == "sshd" {
		full := r.root.full(sshdRuntime)
		if err := os.Mkdir(full, directoryMode); err == nil {
			defer func() { _ = os.Remove(full) }() // The service may have started meanwhile and use it.
		}
	}
	_, err := r.run(program, args...)
	return err
}

// moduleDirs are where PAM's modules are.
var moduleDirs = []string{"/lib/*/security", "/usr/lib/*/security", "/lib/security", "/usr/lib/security", "/usr/lib64/security", "/lib64/security"}

// checkPAM finds stacks that cannot be read, that ask for modules that are not there, or by which nobody could log in any more.
func (s *stage) checkPAM() error {
	now, then := hostconf.New(string(s.repairer.root)), hostconf.New(s.repairer.root.full(s.dir))
	services, err := then.Names("/etc/pam.d")
	if err != nil {
		return err
	}
	for _, service := range services {
		stack, err := then.PAM(service)
		if err != nil {
			return fmt.Errorf("the PAM stack of %s could not be read: %w", service, err)
		}
		before, err := now.PAM(service)
		if err != nil {
			return err
		}
		for _, line := range stack {
			if !hasModule(now, line.Module) && !slices.ContainsFunc(before, func(l hostconf.PAMLine) bool { return l.Module == line.Module }) {
				return fmt.Errorf("the PAM stack of %s would ask for %s, which is not installed", service, line.Module)
			}
		}
		if letsIn(before) && !letsIn(stack) {
			return fmt.Errorf("by the PAM stack of %s nobody could log in any more", service)
		}
		if !lacksPassword(before) && lacksPassword(stack) {
			return fmt.Errorf("by the PAM stack of %s nobody could change a password any more: the first module that needs a new one does not ask for it", service)
		}
	}
	return nil
}

func hasModule(host *hostconf.Host, module string) bool {
	for _, dir := range moduleDirs {
		if found, err := host.Glob(path.Join(dir, module)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// letsIn reports whether a stack has a module that can find out who somebody is.
func letsIn(stack []hostconf.PAMLine) bool {
	return slices.ContainsFunc(stack, func(l hostconf.PAMLine) bool {
		return l.Type == "auth" && !slices.Contains([]string{"pam_deny.so", "pam_faillock.so", "pam_faildelay.so", "pam_env.so", "pam_wheel.so", "pam_nologin.so",
			"pam_securetty.so", "pam_group.so", "pam_cap.so", "pam_permit.so", "pam_rootok.so"}, l.Module)
	})
}

// lacksPassword reports whether the first module that wants a new password expects that one before it has asked for it.
func lacksPassword(stack []hostconf.PAMLine) bool {
	first := slices.IndexFunc(stack, func(l hostconf.PAMLine) bool {
		return l.Type == "password" && !slices.Contains([]string{"pam_deny.so", "pam_permit.so"}, l.Module)
	})
	return first >= 0 && slices.Contains(stack[first].Args, "use_authtok")
}
