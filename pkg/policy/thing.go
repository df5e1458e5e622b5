// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
)

// thing is what an act touches, and as what. Each thing of an act is judged by itself.
type thing struct {
	operation Operation // one bit or more: a rule is about the thing if it is about one of them
	paths     []string  // the names of a file
	file      *File     // Run
	target    *Target
	address   *Address
}

// things are what the act touches.
func (r Request) things() []thing {
	switch {
	case r.Operation&Rename != 0 && r.File != nil:
		all := []thing{{operation: Rename | Delete, paths: r.File.Paths}, r.newName(Rename | Create)}
		if r.Replaced != nil {
			all = append(all, thing{operation: Rename | Delete, paths: r.Replaced.Paths})
		}
		return all
	case r.Operation&Link != 0 && r.File != nil:
		return []thing{{operation: Link, paths: r.File.Paths}, r.newName(Create)}
	case r.File != nil:
		return []thing{{operation: r.Operation, paths: r.File.Paths, file: r.File}}
	}
	return []thing{{operation: r.Operation, target: r.Target, address: r.Address}}
}

// newName is the name that a Rename or Link makes. No rule is about one that is not known.
func (r Request) newName(o Operation) thing {
	if r.NewPath == "" {
		return thing{}
	}
	return thing{operation: o, paths: []string{r.NewPath}}
}

// match is how a rule is about a thing.
type match struct {
	thing, entry string
	position     Position
	listed       bool // by the Only of the rule: it is allowed
}

// about tells whether the rule is about a thing, whoever acts.
func (r *Rule) about(t thing) (match, bool) {
	if t.operation&r.Operations() == 0 {
		return match{}, false
	}
	switch {
	case r.Files != nil:
		return r.Files.about(t)
	case r.Processes != nil && t.target != nil:
		return r.Processes.about(*t.target)
	case r.Exec != nil && t.file != nil:
		return r.Exec.about(*t.file, r.Position)
	case r.Network != nil && t.address != nil:
		return r.Network.about(*t.address, r.Position)
	}
	return match{position: r.Position}, r.Kernel != nil
}

// wayOperations can make a path lead elsewhere when they are done to a directory above it.
const wayOperations = Delete | Rename | Mount

func (f *Files) about(t thing) (match, bool) {
	way := t.operation&f.Operations&wayOperations != 0
	for _, name := range t.paths {
		for _, path := range f.Paths {
			if path.Matches(name) && !f.excepts(name) || way && path.LeadsThrough(name) {
				return match{thing: name, entry: path.Text, position: path.Position}, true
			}
		}
	}
	return match{}, false
}

func (f *Files) excepts(name string) bool {
	return slices.ContainsFunc(f.Except, func(p Path) bool { return p.Matches(name) })
}

func (p *Processes) about(t Target) (match, bool) {
	if t.Self {
		return match{}, false
	}
	for _, executable := range p.Executables {
		if executable.Matches(t.Executable) {
			return match{thing: t.Executable, entry: executable.Text, position: executable.Position}, true
		}
	}
	for _, unit := range p.Units {
		if InUnit(t.Cgroup, unit.Name) {
			return match{thing: t.Executable, entry: unit.Name, position: unit.Position}, true
		}
	}
	return match{}, false
}

func (e *Exec) about(f File, rule Position) (match, bool) {
	if e.Deny != nil {
		return e.Deny.find(f)
	}
	if m, ok := e.Only.find(f); ok {
		m.listed = true
		return m, true
	}
	return match{thing: f.name(), entry: "only", position: rule}, true
}

func (p *Programs) find(f File) (match, bool) {
	for _, path := range p.Paths {
		for _, name := range f.Paths {
			if path.Matches(name) {
				return match{thing: name, entry: path.Text, position: path.Position}, true
			}
		}
	}
	for _, hash := range p.SHA256 {
		if f.SHA256 == hash.Value {
			return match{thing: f.name(), entry: hash.Value, position: hash.Position}, true
		}
	}
	m := match{thing: f.name(), position: p.Position}
	if f.Origin != "" && slices.Contains(p.Origins, f.Origin) {
		m.entry = string(f.Origin)
		return m, true
	}
	m.entry = "changed_since_boot"
	return m, p.ChangedSinceBoot && f.ChangedSinceBoot
}

func (f File) name() string {
	if len(f.Paths) == 0 {
		return ""
	}
	return f.Paths[0]
}

func (n *Network) about(a Address, rule Position) (match, bool) {
	m := match{thing: a.String(), position: rule}
	for _, e := range slices.Concat(n.Deny, n.Only) {
		if e.Has(a) {
			m.entry, m.position, m.listed = e.Text, e.Position, n.HasOnly
			return m, true
		}
	}
	m.entry = "only"
	return m, n.HasOnly
}

// String gives the address with port and protocol, such as 10.0.0.1:443/tcp.
func (a Address) String() string {
	text := a.AddrPort.String()
	if a.Protocol != "" {
		text += "/" + string(a.Protocol)
	}
	return text
}

// InUnit reports whether a cgroup such as /system.slice/nginx.service belongs to a unit of the system's systemd. What a unit
// makes of the cgroups below its own does not count: users and containers name those as they like.
func InUnit(cgroup, unit string) bool {
	for part := range strings.SplitSeq(strings.Trim(cgroup, "/"), "/") {
		if part == unit {
			return true
		}
		if !strings.HasSuffix(part, ".slice") {
			return false
		}
	}
	return false
}

// IsContainer compares the id of a container with what a policy says: the whole, or enough of the beginning.
func IsContainer(id, wanted string) bool {
	return id == wanted || hexadecimal.MatchString(wanted) && hexadecimal.MatchString(id) && strings.HasPrefix(id, wanted)
}
