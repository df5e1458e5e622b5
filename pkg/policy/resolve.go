// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"path"
	"slices"
	"strings"
)

// Resolve gives the set as it is meant on a host: a path that leads through symbolic links also names every link on the way, and
// the object in the end, so that requests with real paths are judged rightly. The set itself is not changed.
func (s *Set) Resolve(h Host) *Set {
	resolved := &Set{}
	for _, p := range s.Policies {
		q := *p
		q.Rules = nil
		for _, r := range p.Rules {
			q.Rules = append(q.Rules, r.resolve(h))
		}
		resolved.Policies = append(resolved.Policies, &q)
	}
	return resolved
}

func (r *Rule) resolve(h Host) *Rule {
	q := *r
	q.Who, q.Allow = resolveSubjects(h, r.Who), resolveSubjects(h, r.Allow)
	if r.Files != nil {
		q.Files = &Files{h.allPaths(r.Files.Paths), h.allPaths(r.Files.Except), r.Files.Operations}
	}
	if r.Processes != nil {
		q.Processes = &Processes{h.programs(r.Processes.Executables), r.Processes.Units, r.Processes.Operations}
	}
	if r.Exec != nil {
		q.Exec = &Exec{h.resolvePrograms(r.Exec.Deny), h.resolvePrograms(r.Exec.Only)}
	}
	return &q
}

func resolveSubjects(h Host, subjects []Subject) []Subject {
	resolved := slices.Clone(subjects)
	for i := range resolved {
		resolved[i].Executable = h.program(resolved[i].Executable)
	}
	return resolved
}

func (h Host) resolvePrograms(p *Programs) *Programs {
	if p == nil {
		return nil
	}
	q := *p
	q.Paths = h.allPaths(p.Paths)
	return &q
}

// allPaths adds the real ones to paths.
func (h Host) allPaths(paths []Path) []Path {
	var all []Path
	for _, p := range paths {
		all = append(all, p)
		for _, name := range h.Names(p.Base) {
			if name != p.Base {
				q := p
				q.Base = name
				all = append(all, q)
			}
		}
	}
	return all
}

func (h Host) programs(paths []Path) []Path {
	resolved := make([]Path, len(paths))
	for i, p := range paths {
		resolved[i] = h.program(p)
	}
	return resolved
}

// program gives the real path of a program, or with wildcards that of the directories before them.
func (h Host) program(p Path) Path {
	switch p.Kind {
	case Exact:
		p.Base = h.Real(p.Base)
	case GlobPaths:
		dir := p.Pattern[:strings.IndexAny(p.Pattern, wildcards)]
		dir = dir[:strings.LastIndexByte(dir, '/')]
		p.Pattern = path.Join(h.Real(dir), strings.TrimPrefix(p.Pattern, dir))
	}
	return p
}
