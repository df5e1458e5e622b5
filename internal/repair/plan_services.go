// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

func (p *plan) pam(s *baseline.Step) error {
	kind, module := s.Text("type", ""), s.Text("module", "")
	for _, file := range s.List("files") {
		change := func(text string) (string, error) {
			if s.Has("control") {
				return withPAMLine(text, kind, s.Text("control", ""), module, s.List("add")), nil
			}
			return withPAMOptions(text, kind, module, s.List("add"), s.List("remove")), nil
		}
		if err := p.editIfThere(file, change); err != nil {
			return err
		}
	}
	return nil
}

const (
	sshdConfig  = "/etc/ssh/sshd_config"
	sshdDropins = "/etc/ssh/sshd_config.d"
)

// sshd sets a keyword where it is read first, because of several settings sshd takes the first.
func (p *plan) sshd(s *baseline.Step) error {
	key, value := s.Text("key", ""), s.Text("value", "")
	if names := s.List("remove"); len(names) > 0 {
		value = "-" + strings.Join(names, ",")
	}
	settings, err := p.host().SSHD()
	if err != nil {
		return err
	}
	for _, have := range hostconf.EffectiveSSHD(settings, key) {
		if have.Section == "" && s.Keeps(have.Value, true) {
			return nil
		}
	}
	_, main, err := p.read(sshdConfig)
	if err != nil {
		return err
	}
	for _, line := range linesOf(string(main)) {
		found, patterns := hostconf.CutSetting(strings.TrimSpace(line))
		switch strings.ToLower(found) {
		case "include":
			if slices.Contains(strings.Fields(patterns), sshdDropins+"/*.conf") {
				own := sshdDropins + "/00-" + p.ownName() + ".conf"
				return p.set(own, privateMode, setting{key: key, value: value, style: "blank"})
			}
		case "match", strings.ToLower(key):
			return p.sshdMain(key, value)
		}
	}
	return p.sshdMain(key, value)
}

// sshdMain puts a keyword at the begin of the main file and takes out its other settings, but not those of Match blocks.
func (p *plan) sshdMain(key, value string) error {
	return p.edit(sshdConfig, privateMode, func(text string) (string, error) {
		var kept strings.Builder
		kept.WriteString(key + " " + value + "\n")
		match := false
		for _, line := range linesOf(text) {
			found, _ := hostconf.CutSetting(strings.TrimSpace(line))
			match = match || strings.EqualFold(found, "match")
			if match || !strings.EqualFold(found, key) {
				kept.WriteString(line)
			}
		}
		return kept.String(), nil
	})
}

const unitDir = "/etc/systemd/system"

func (p *plan) unit(s *baseline.Step) error {
	for _, name := range s.List("names") {
		u, err := p.host().Unit(name)
		if err != nil {
			return err
		}
		if !u.Exists {
			continue
		}
		wanted := unitStops
		switch s.Text("state", "") {
		case "masked":
			err = p.link(path.Join(unitDir, name), "/dev/null")
		case "disabled":
			err = p.disable(name)
		case "enabled":
			wanted, err = unitRuns, p.enable(name, u)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := p.running(name, wanted); err != nil {
			return err
		}
	}
	return nil
}

// running plans that a service runs or stops, or a socket is listened at or not, where there is a systemd to ask.
func (p *plan) running(name, wanted string) error {
	if !p.repairer.hasSystemd() || !strings.HasSuffix(name, ".service") && !isSocket(name) {
		return nil
	}
	have, err := p.repairer.unitState(name)
	if err == nil && have != wanted {
		p.others = append(p.others, Change{About: ofUnit, Unit: name, Old: have, New: wanted})
	}
	return err
}

// link plans a symbolic link where nothing is.
func (p *plan) link(at, target string) error {
	at, err := p.repairer.root.resolveParent(at)
	if err != nil {
		return err
	}
	state, err := p.look(at)
	switch {
	case err != nil:
		return err
	case state.Type == link && state.Target == target:
		return nil
	case state.Type != absent:
		return fmt.Errorf("%s: found a %s that is not a link to %s, expected nothing or that link", at, state.Type, target)
	}
	if err := p.directory(path.Dir(at)); err != nil {
		return err
	}
	if state, err = p.newState(link, 0); err != nil {
		return err
	}
	state.Target = target
	p.now[at] = planned{state: state}
	return nil
}

// remove plans that a link goes.
func (p *plan) remove(at string) error {
	at, err := p.repairer.root.resolveParent(at)
	if err != nil {
		return err
	}
	state, err := p.look(at)
	switch {
	case err != nil || state.Type == absent:
		return err
	case state.Type != link:
		return fmt.Errorf("%s: found a %s, expected a link", at, state.Type)
	}
	p.now[at] = planned{state: State{Type: absent}}
	return nil
}

// wants are the links by which the administrator has units start another one.
func (p *plan) wants(name string) ([]string, error) {
	var all []string
	for _, kind := range []string{"*.wants", "*.requires"} {
		links, err := p.host().Glob(path.Join(unitDir, kind, name))
		if err != nil {
			return nil, err
		}
		all = append(all, links...)
	}
	return all, nil
}

func (p *plan) disable(name string) error {
	links, err := p.wants(name)
	if err != nil {
		return err
	}
	for _, at := range links {
		if err := p.remove(at); err != nil {
			return err
		}
	}
	return nil
}

// enable does what the unit's own file asks for, and takes a mask away.
func (p *plan) enable(name string, u hostconf.Unit) error {
	host := p.host()
	file := u.Place.File
	if u.Masked {
		if err := p.remove(file); err != nil {
			return err
		}
		for _, dir := range []string{"/usr/lib/systemd/system", "/lib/systemd/system"} {
			if host.Exists(path.Join(dir, name)) {
				file = path.Join(dir, name)
				break
			}
		}
	}
	settings, err := host.Settings([]string{file})
	if err != nil {
		return err
	}
	linked := false
	for _, s := range settings {
		kind := map[string]string{"WantedBy": ".wants", "RequiredBy": ".requires"}[s.Key]
		if s.Section != "Install" || kind == "" {
			continue
		}
		for _, by := range strings.Fields(s.Value) {
			linked = true
			if at := path.Join(unitDir, by+kind, name); !p.leadsTo(at, file) {
				if err := p.link(at, file); err != nil {
					return err
				}
			}
		}
	}
	if !linked {
		return fmt.Errorf("%s: found nothing that is to start it in its section Install, expected WantedBy or RequiredBy", file)
	}
	return nil
}

// leadsTo reports whether a link leads to a file, which may have several paths where directories are links.
func (p *plan) leadsTo(at, file string) bool {
	target, err := p.repairer.root.resolve(at)
	wanted, otherErr := p.repairer.root.resolve(file)
	return err == nil && otherErr == nil && target == wanted
}

// account plans the fields of accounts.
func (p *plan) account(s *baseline.Step) error {
	names, err := s.Accounts(string(p.repairer.root))
	if err != nil {
		return err
	}
	for _, name := range names {
		if s.Has("field") {
			if err := p.field(name, s.Text("field", ""), func(old string) string {
				if s.Keeps(old, old != "") {
					return old
				}
				return s.Text("days", "")
			}); err != nil {
				return err
			}
		}
		if s.Has("shell") {
			if err := p.field(name, "shell", func(string) string { return s.Text("shell", "") }); err != nil {
				return err
			}
		}
		if s.Has("lock") {
			if name == "root" {
				return errors.New("found root among the accounts to lock, expected others only")
			}
			if err := p.field(name, fieldLock, locked); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *plan) field(name, field string, change func(old string) string) error {
	c := Change{About: ofField, Account: name, Field: field}
	var err error
	if c.Path, err = p.repairer.root.resolve(accountFields[field].file); err != nil {
		return err
	}
	if c.Old, err = p.repairer.readField(c); err != nil {
		return err
	}
	if c.New = change(c.Old); c.New != c.Old {
		p.others = append(p.others, c)
	}
	return nil
}
