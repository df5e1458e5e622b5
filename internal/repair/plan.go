// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// planned is what is, or will be, at a path.
type planned struct {
	state   State
	content []byte // of a file whose content was asked for
	known   bool   // the content was asked for
}

// plan gathers what the steps of one rule change.
type plan struct {
	repairer *Repairer
	rule     string
	ahead    map[string]planned // what rules before will have made of paths; nil where they have made it already
	first    map[string]planned // what was there before this rule
	now      map[string]planned
	order    []string        // of the paths
	others   []Change        // those of no paths
	found    map[string]bool // paths somewhere on the host, of which only attributes change
	// dropsForwarded says that packets for others than this host are dropped by what is planned.
	dropsForwarded bool
	// stopsForwarding says that the kernel is to forward nothing any more.
	stopsForwarding bool
}

// planners do what the steps say.
var planners = map[string]func(p *plan, s *baseline.Step) error{
	"account":  (*plan).account,
	"audit":    (*plan).audit,
	"boot":     (*plan).boot,
	"config":   (*plan).config,
	"file":     (*plan).attributes,
	"firewall": (*plan).firewall,
	"home":     (*plan).home,
	"kmod":     (*plan).kmod,
	"line":     (*plan).lines,
	"mount":    (*plan).mount,
	"pam":      (*plan).pam,
	"shell":    (*plan).shell,
	"sshd":     (*plan).sshd,
	"sudoers":  (*plan).sudoers,
	"sysctl":   (*plan).sysctl,
	"unit":     (*plan).unit,
	"walk":     (*plan).walk,
}

// plan gives the changes that a rule's fix makes. ahead is what the rules before will have changed, nil for nothing.
func (r *Repairer) plan(rule *baseline.Rule, ahead map[string]planned) (*plan, error) {
	p := &plan{repairer: r, rule: rule.ID, ahead: ahead, first: map[string]planned{}, now: map[string]planned{}, found: map[string]bool{}}
	for _, s := range rule.Fix {
		if err := planners[s.Kind](p, s); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", s.Position, s.Kind, err)
		}
	}
	return p, nil
}

// look gives what is, or will be, at a path whose links are resolved.
func (p *plan) look(path string) (State, error) {
	if have, ok := p.now[path]; ok {
		return have.state, nil
	}
	have, ok := p.ahead[path]
	if !ok {
		state, err := p.repairer.root.look(path)
		if err != nil {
			return State{}, err
		}
		have = planned{state: state}
	}
	p.first[path], p.now[path] = have, have
	p.order = append(p.order, path)
	return have.state, nil
}

// expect gives what will be at a path, without making it a part of the plan.
func (p *plan) expect(path string) (State, error) {
	if have, ok := p.now[path]; ok {
		return have.state, nil
	}
	if have, ok := p.ahead[path]; ok {
		return have.state, nil
	}
	return p.repairer.root.look(path)
}

// read is look with the content of a file, none where there is no file.
func (p *plan) read(path string) (State, []byte, error) {
	state, err := p.look(path)
	if err != nil {
		return state, nil, err
	}
	if state.Type != file && state.Type != absent {
		return state, nil, fmt.Errorf("%s: found a %s, expected a file", path, state.Type)
	}
	if have := p.now[path]; have.known || state.Type == absent {
		return state, have.content, nil
	}
	read, content, err := p.repairer.root.read(path)
	if err != nil {
		return state, nil, err
	}
	state.Hash = read.Hash
	first := p.first[path]
	first.state.Hash, first.content, first.known = read.Hash, content, true
	p.first[path], p.now[path] = first, planned{state, content, true}
	return state, content, nil
}

// secretFiles are changed by fields alone, so that no image of them is kept.
var secretFiles = []string{"/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-"}

// write plans a content, in a new file with a mode or with the attributes that there are.
func (p *plan) write(path string, content string, mode uint32) error {
	state, have, err := p.read(path)
	switch {
	case err != nil:
		return err
	case slices.Contains(secretFiles, path):
		return fmt.Errorf("%s: found a change of a file with passwords, expected one of the primitive account", path)
	case state.Type == file && string(have) == content:
		return nil
	}
	if state.Type == absent {
		if err := p.directory(filepath.Dir(path)); err != nil {
			return err
		}
		if state, err = p.newState(file, mode); err != nil {
			return err
		}
	} else if err := p.repairer.root.oneName(path); err != nil {
		return err
	}
	state.Hash = hashOf([]byte(content))
	p.now[path] = planned{state, []byte(content), true}
	return nil
}

func (p *plan) newState(kind string, mode uint32) (State, error) {
	uid, gid, err := p.repairer.root.owner()
	return State{Type: kind, Mode: mode, UID: uid, GID: gid}, err
}

const directoryMode = 0o755

// directory plans a directory and those above it, where they are missing.
func (p *plan) directory(path string) error {
	state, err := p.look(path)
	switch {
	case err != nil || state.Type == directory:
		return err
	case state.Type != absent:
		return fmt.Errorf("%s: found a %s, expected a directory", path, state.Type)
	}
	if err := p.directory(filepath.Dir(path)); err != nil {
		return err
	}
	if state, err = p.newState(directory, directoryMode); err != nil {
		return err
	}
	p.now[path] = planned{state: state}
	// Parents are looked at after what is in them, and are made before it.
	p.order = slices.DeleteFunc(p.order, func(other string) bool { return other == path })
	first := slices.IndexFunc(p.order, func(other string) bool { return below(other, path) })
	p.order = slices.Insert(p.order, first, path)
	return nil
}

// changes are what has to be done, in order.
func (p *plan) changes() []Change {
	var all []Change
	for _, path := range p.order {
		before, after := p.first[path].state, p.now[path].state
		if after.is(before) {
			continue
		}
		if before.Type == after.Type && before.Hash == after.Hash {
			before.Hash, after.Hash = "", ""
		}
		all = append(all, Change{About: ofPath, Path: path, Found: p.found[path], Before: &before, After: &after})
	}
	return append(all, p.others...)
}

// after gives what paths will be like for the rules that come then.
func (p *plan) after() map[string]planned {
	all := maps.Clone(p.ahead)
	if all == nil {
		all = map[string]planned{}
	}
	for _, c := range p.changes() {
		if c.About == ofPath {
			all[c.Path] = p.now[c.Path]
		}
	}
	return all
}

// host reads the host as it is.
func (p *plan) host() *hostconf.Host { return hostconf.New(string(p.repairer.root)) }

// ownName is the rule's id as the names of files can have it: sudo leaves out those with dots.
func (p *plan) ownName() string { return "vedette-" + strings.ReplaceAll(p.rule, ".", "_") }
