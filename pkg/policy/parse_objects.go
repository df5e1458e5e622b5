// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

var filesFields = fields[Files]{
	"paths":  func(p *parser, v *Files, n *yaml.Node) { v.Paths = filled(p, n, "files.paths", (*parser).path) },
	"except": func(p *parser, v *Files, n *yaml.Node) { v.Except = listOf(p, n, "files.except", (*parser).path) },
	"operations": func(p *parser, v *Files, n *yaml.Node) {
		v.Operations = p.operations(n, "files.operations", FileOperations)
	},
}

func (p *parser) files(n *yaml.Node) *Files {
	files := &Files{}
	p.require(n, "files", "paths", "operations")
	filesFields.read(p, files, n, "files")
	return files
}

var processesFields = fields[Processes]{
	"executables": func(p *parser, v *Processes, n *yaml.Node) {
		v.Executables = filled(p, n, "processes.executables", (*parser).executable)
	},
	"units": func(p *parser, v *Processes, n *yaml.Node) { v.Units = filled(p, n, "processes.units", (*parser).unit) },
	"operations": func(p *parser, v *Processes, n *yaml.Node) {
		v.Operations = p.operations(n, "processes.operations", ProcessOperations)
	},
}

func (p *parser) processes(n *yaml.Node) *Processes {
	processes := &Processes{Operations: ProcessOperations}
	if n.Kind == yaml.MappingNode && yamltree.ValueOf(n, "executables") == nil && yamltree.ValueOf(n, "units") == nil {
		p.errorf(n, "processes: found neither executables nor units, expected at least one of them")
	}
	processesFields.read(p, processes, n, "processes")
	return processes
}

var execFields = fields[Exec]{
	"deny": func(p *parser, v *Exec, n *yaml.Node) { v.Deny = p.programs(n, "exec.deny") },
	"only": func(p *parser, v *Exec, n *yaml.Node) {
		v.Only = p.programs(n, "exec.only")
		if changed := yamltree.ValueOf(n, "changed_since_boot"); changed != nil {
			p.errorf(changed, "exec.only: found the key changed_since_boot, expected it under deny, in a rule of its own")
		}
	},
}

func (p *parser) exec(n *yaml.Node) *Exec {
	exec := &Exec{}
	p.exactlyOne(n, "exec", "deny", "only")
	execFields.read(p, exec, n, "exec")
	return exec
}

var programsFields = fields[Programs]{
	"paths": func(p *parser, v *Programs, n *yaml.Node) { v.Paths = listOf(p, n, "exec.paths", (*parser).path) },
	"origins": func(p *parser, v *Programs, n *yaml.Node) {
		v.Origins = listOf(p, n, "exec.origins", func(p *parser, n *yaml.Node, what string) Origin { return oneOf(p, n, what, origins) })
	},
	"sha256": func(p *parser, v *Programs, n *yaml.Node) { v.SHA256 = listOf(p, n, "exec.sha256", (*parser).hash) },
	"changed_since_boot": func(p *parser, v *Programs, n *yaml.Node) {
		v.ChangedSinceBoot = p.boolean(n, "exec.changed_since_boot")
	},
}

var origins = []Origin{Memfd, Tmpfs, NetworkFS}

func (p *parser) programs(n *yaml.Node, what string) *Programs {
	before := len(p.errs)
	programs := &Programs{Position: p.at(n)}
	programsFields.read(p, programs, n, what)
	if len(p.errs) == before && programs.empty() {
		p.errorf(n, "%s: found nothing that names a program, expected at least one of %s", what, alternatives(programsFields.names()))
	}
	return programs
}

func (p *Programs) empty() bool {
	return len(p.Paths)+len(p.Origins)+len(p.SHA256) == 0 && !p.ChangedSinceBoot
}

var networkFields = fields[Network]{
	"operations": func(p *parser, v *Network, n *yaml.Node) {
		v.Operations = p.operations(n, "network.operations", NetworkOperations)
	},
	"deny": func(p *parser, v *Network, n *yaml.Node) { v.Deny = filled(p, n, "network.deny", (*parser).endpoint) },
	"only": func(p *parser, v *Network, n *yaml.Node) {
		v.Only, v.HasOnly = listOf(p, n, "network.only", (*parser).endpoint), true
	},
}

func (p *parser) network(n *yaml.Node) *Network {
	network := &Network{Operations: NetworkOperations}
	p.exactlyOne(n, "network", "deny", "only")
	networkFields.read(p, network, n, "network")
	return network
}

// subjectLists reads the names that the policy gives to lists of subjects.
func (p *parser) subjectLists(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.errorf(n, "subjects: found %s, expected a map of names and lists", yamltree.Kind(n))
		return
	}
	for i, key := range yamltree.Keys(n) {
		name := p.name(key, "a name in subjects")
		p.lists[name] = filled(p, yamltree.Resolved(n.Content[2*i+1]), "subjects."+name, (*parser).subject)
		for j := range p.lists[name] {
			p.lists[name][j].List = name
		}
	}
}

// subjects reads a list of subjects and of names of such lists.
func (p *parser) subjects(n *yaml.Node, what string) []Subject {
	var all []Subject
	for _, element := range p.list(n, what) {
		if element.Kind == yaml.MappingNode {
			all = append(all, p.subject(element, what))
			continue
		}
		list, known := p.lists[element.Value]
		if !known || element.Kind != yaml.ScalarNode {
			p.errorf(element, "%s: found %s, expected a subject such as {executable: /usr/bin/x}, or a name under subjects%s",
				what, yamltree.Kind(element), p.knownLists())
		}
		all = append(all, list...)
	}
	return all
}

func (p *parser) knownLists() string {
	var known []string
	for name := range p.lists {
		if name != "" {
			known = append(known, name)
		}
	}
	if len(known) == 0 {
		return ", of which there is none"
	}
	slices.Sort(known)
	return ": " + alternatives(known)
}

var subjectFields = fields[Subject]{
	"executable": func(p *parser, v *Subject, n *yaml.Node) { v.Executable = p.executable(n, "executable") },
	"sha256":     func(p *parser, v *Subject, n *yaml.Node) { v.SHA256 = p.hash(n, "sha256").Value },
	"user":       func(p *parser, v *Subject, n *yaml.Node) { v.User = p.user(n, "user") },
	"unit":       func(p *parser, v *Subject, n *yaml.Node) { v.Unit = p.unit(n, "unit").Name },
	"container":  func(p *parser, v *Subject, n *yaml.Node) { v.Container = p.container(n, "container") },
	"lineage":    func(p *parser, v *Subject, n *yaml.Node) { v.Lineage = p.boolean(n, "lineage") },
}

func (p *parser) subject(n *yaml.Node, what string) Subject {
	before := len(p.errs)
	s := Subject{Lineage: true, Position: p.at(n)}
	subjectFields.read(p, &s, n, what)
	if len(p.errs) > before {
		return s
	}
	switch {
	case s.Executable.Kind == 0 && s.SHA256 != "":
		p.errorf(n, "%s: found sha256 without executable, expected both", what)
	case s.Executable.Kind == 0 && yamltree.ValueOf(n, "lineage") != nil:
		p.errorf(n, "%s: found lineage without executable, expected both", what)
	case s.Executable.Kind == 0 && s.User == "" && s.Unit == "" && s.Container == "":
		p.errorf(n, "%s: found a subject without any part, expected at least one of executable, user, unit and container", what)
	}
	return s
}
