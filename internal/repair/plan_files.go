// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// The modes of files that are made.
const (
	publicMode  = 0o644
	privateMode = 0o600
	auditMode   = 0o640
	sudoersMode = 0o440
)

// octal reads what the parser of templates has accepted.
func octal(text string, otherwise uint32) uint32 {
	bits, err := strconv.ParseUint(text, 8, 32)
	if err != nil {
		return otherwise
	}
	return uint32(bits)
}

// attributes plans modes and owners.
func (p *plan) attributes(s *baseline.Step) error {
	for _, pattern := range s.List("paths") {
		paths, err := p.host().Glob(pattern)
		if err != nil {
			return err
		}
		if len(paths) == 0 && s.Has("create") {
			paths = []string{pattern}
		}
		for _, path := range paths {
			if err := p.attributesOf(path, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *plan) attributesOf(path string, s *baseline.Step) error {
	path, err := p.repairer.root.resolve(path)
	if err != nil {
		return err
	}
	state, err := p.look(path)
	if err != nil {
		return err
	}
	if state.Type == absent {
		if !s.Has("create") {
			return nil
		}
		if err := p.write(path, "", octal(s.Text("at_most", ""), publicMode)); err != nil {
			return err
		}
		state = p.now[path].state
	}
	mode := state.Mode & octal(s.Text("at_most", ""), ^uint32(0)) // No limit is every bit.
	if mode |= octal(s.Text("bits", ""), 0); mode != state.Mode {
		state = state.withMode(mode)
	}
	if state.UID, err = p.ownerAmong(passwdFile, state.UID, s.List("owner")); err != nil {
		return err
	}
	if state.GID, err = p.ownerAmong("/etc/group", state.GID, s.List("group")); err != nil {
		return err
	}
	if have := p.now[path].state; have.Type == file && (have.UID != state.UID || have.GID != state.GID) {
		state = state.ofNewOwner()
	}
	have := p.now[path]
	have.state = state
	p.now[path] = have
	return nil
}

// ownerAmong gives a number that has one of the names: the one that there is, or else the first name's. Without a database only root
// has one.
func (p *plan) ownerAmong(database string, have int, names []string) (int, error) {
	if len(names) == 0 {
		return have, nil
	}
	content, err := p.host().Read(database)
	if errors.Is(err, fs.ErrNotExist) && slices.Contains(names, hostconf.Root) && (have == 0 || len(names) == 1) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("finding owners: %w", err)
	}
	first := -1
	for _, name := range names {
		_, fields, _, err := fieldsOf(content, database, name)
		if err != nil || len(fields) < 3 {
			continue
		}
		id, err := strconv.Atoi(fields[2])
		if err != nil {
			return 0, fmt.Errorf("%s: found the number %q of %s: %w", database, fields[2], name, err)
		}
		if id == have {
			return have, nil
		}
		if first < 0 {
			first = id
		}
	}
	if first < 0 {
		return 0, fmt.Errorf("%s: found none of %s, expected one", database, strings.Join(names, ", "))
	}
	return first, nil
}

// edit plans what becomes of a file's text.
func (p *plan) edit(path string, mode uint32, change func(text string) (string, error)) error {
	path, err := p.repairer.root.resolve(path)
	if err != nil {
		return err
	}
	_, content, err := p.read(path)
	if err != nil {
		return err
	}
	text, err := change(string(content))
	if err != nil || text == string(content) {
		return err
	}
	return p.write(path, text, mode)
}

func (p *plan) set(path string, mode uint32, s setting) error {
	return p.edit(path, mode, func(text string) (string, error) { return s.in(text), nil })
}

func (p *plan) config(s *baseline.Step) error {
	return p.set(s.Text("file", ""), octal(s.Text("mode", ""), publicMode), setting{
		section: s.Text("section", ""), key: s.Text("key", ""), value: s.Text("value", ""), style: s.Text("style", ""), keeps: s.Keeps,
	})
}

func (p *plan) lines(s *baseline.Step) error {
	if s.Has("remove") {
		expr, err := regexp.Compile(s.Text("remove", ""))
		if err != nil {
			return err
		}
		files, err := p.host().Files(s.List("files"))
		if err != nil {
			return err
		}
		for _, file := range files {
			remove := func(text string) (string, error) { return withoutLines(text, expr), nil }
			if err := p.editIfThere(file, remove); err != nil {
				return err
			}
		}
	}
	if !s.Has("add") {
		return nil
	}
	if strings.ContainsAny(s.List("files")[0], "*?[") {
		return fmt.Errorf("found the pattern %s, expected the file to which lines are added", s.List("files")[0])
	}
	return p.own(s.List("files")[0], octal(s.Text("mode", ""), publicMode), s.List("add")...)
}

// editIfThere is edit for files that are there: a path without a pattern may have none.
func (p *plan) editIfThere(path string, change func(text string) (string, error)) error {
	resolved, err := p.repairer.root.resolve(path)
	if err != nil {
		return err
	}
	if state, err := p.look(resolved); err != nil || state.Type == absent {
		return err
	}
	return p.edit(path, publicMode, change)
}

// own adds lines to a file that is made for them.
func (p *plan) own(path string, mode uint32, lines ...string) error {
	return p.edit(path, mode, func(text string) (string, error) { return withLines(text, lines), nil })
}

func (p *plan) shell(s *baseline.Step) error {
	name, value := s.Text("name", ""), s.Text("value", "")
	line := name + "=" + value + "; export " + name
	switch {
	case name == "umask":
		line = name + " " + value
	case s.Has("readonly"):
		line = name + "=" + value + "; readonly " + name + "; export " + name
	}
	return p.own("/etc/profile.d/"+p.ownName()+".sh", publicMode, line)
}

func (p *plan) sudoers(s *baseline.Step) error {
	var lines []string
	for _, d := range s.List("defaults") {
		lines = append(lines, "Defaults "+d)
	}
	return p.own("/etc/sudoers.d/"+p.ownName(), sudoersMode, lines...)
}

// audit puts rules before those that others have for the end, such as the one that locks them all.
func (p *plan) audit(s *baseline.Step) error {
	return p.own("/etc/audit/rules.d/50-"+p.ownName()+".rules", auditMode, s.List("rules")...)
}

// sysctlConf is read after all other files.
const sysctlConf = "/etc/sysctl.conf"

func (p *plan) sysctl(s *baseline.Step) error {
	value := s.Text("value", "")
	for _, key := range s.List("keys") {
		running, exists, err := p.host().Sysctl(key)
		if err != nil {
			return err
		}
		if !exists {
			continue
		}
		p.stopsForwarding = p.stopsForwarding || value == "0" && forwardingKey.MatchString(key)
		wanted := setting{key: key, value: value, style: "spaced"}
		if err := p.set("/etc/sysctl.d/zz-"+p.ownName()+".conf", publicMode, wanted); err != nil {
			return err
		}
		override := func(text string) (string, error) {
			if at, _ := wanted.places(linesOf(text)); len(at) == 0 {
				return text, nil
			}
			return wanted.in(text), nil
		}
		if err := p.editIfThere(sysctlConf, override); err != nil {
			return err
		}
		if running != value {
			p.others = append(p.others, Change{About: ofValue, Path: "/proc/sys/" + strings.ReplaceAll(key, ".", "/"), Old: running, New: value})
		}
	}
	return nil
}

func (p *plan) kmod(s *baseline.Step) error {
	for _, name := range s.List("names") {
		m, err := p.host().Module(name)
		switch {
		case err != nil:
			return err
		case m.BuiltIn:
			return fmt.Errorf("%s: found it built into the kernel, expected a module", name)
		case m.Loaded:
			return fmt.Errorf("%s: found it loaded, expected that what uses it is stopped and that it is unloaded first", name)
		case !m.Available || m.InstallDenied && m.Blacklisted:
			continue
		}
		if err := p.own("/etc/modprobe.d/"+p.ownName()+".conf", publicMode, "install "+name+" /bin/false", "blacklist "+name); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) mount(s *baseline.Step) error {
	path, options := s.Text("path", ""), s.List("options")
	change := func(text string) (string, error) { return withMountOptions(text, path, options) }
	if err := p.edit("/etc/fstab", publicMode, change); err != nil {
		return err
	}
	if p.repairer.root != "/" {
		return nil
	}
	have, err := p.repairer.mountOptions(path)
	if err != nil {
		return err
	}
	all := strings.Split(have, ",")
	for _, option := range options {
		if !isMountFlag(option) {
			return fmt.Errorf("found the option %s, expected one that can be changed while the file system is mounted", option)
		}
		all = append(all, option)
	}
	if slices.Contains(all, "rw") && slices.Contains(all, "ro") {
		return errors.New("found rw in force and ro wanted, expected options that can both hold")
	}
	if wanted := joinOptions(all); wanted != have {
		p.others = append(p.others, Change{About: ofMount, Path: path, Old: have, New: wanted})
	}
	return nil
}
