// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"fmt"
	"os/user"
	"strconv"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// nobody is a program that no process runs.
var nobody = policy.Path{Kind: policy.Exact, Base: "\x00"}

// expander makes a set of policies whose programs are those that are on this host now, each by its one name, and whose users are
// numbers: so the kernel side and policy.Set.Evaluate mean the same, and nothing has to be looked up while an act waits.
type expander struct {
	host     policy.Host
	programs *registry
	err      error
}

func (x *expander) set(s *policy.Set) *policy.Set {
	expanded := &policy.Set{}
	for _, p := range s.Resolve(x.host).Policies {
		q := *p
		q.Rules = nil
		for _, r := range p.Rules {
			q.Rules = append(q.Rules, x.rule(r))
		}
		expanded.Policies = append(expanded.Policies, &q)
	}
	return expanded
}

func (x *expander) rule(r *policy.Rule) *policy.Rule {
	q := *r
	q.Who, q.Allow = x.subjects(r.Who), x.subjects(r.Allow)
	if r.Processes != nil {
		protected := *r.Processes
		protected.Executables = nil
		for _, e := range r.Processes.Executables {
			protected.Executables = append(protected.Executables, x.paths(e)...)
		}
		q.Processes = &protected
	}
	return &q
}

// subjects gives one for each program. A subject of which there is none stays, as one that nobody is: without any under who a rule
// would be about everybody.
func (x *expander) subjects(subjects []policy.Subject) []policy.Subject {
	var all []policy.Subject
	for _, s := range subjects {
		s.User = x.userNumber(s.User)
		if s.Executable.Kind == 0 {
			all = append(all, s)
			continue
		}
		paths := x.paths(s.Executable)
		if len(paths) == 0 {
			paths = []policy.Path{nobody}
		}
		for _, path := range paths {
			if s.SHA256 != "" && !x.holds(path.Base, s.SHA256) {
				path = nobody
			}
			one := s
			one.Executable, one.SHA256 = path, ""
			all = append(all, one)
		}
	}
	return all
}

func (x *expander) holds(path, hash string) bool {
	found, err := hashOfPath(path)
	return err == nil && found == hash
}

// paths gives the one name of each program that a path names.
func (x *expander) paths(p policy.Path) []policy.Path {
	var all []policy.Path
	for _, name := range x.host.Glob(p) {
		found, err := x.programs.add(name)
		if err != nil && x.err == nil {
			x.err = fmt.Errorf("%s: %w", p.Position, err)
		}
		if found != nil {
			all = append(all, policy.Path{Text: p.Text, Kind: policy.Exact, Base: found.name, Position: p.Position})
		}
	}
	return all
}

// userNumber gives the number of a user. One that the host does not have is a name that no process has.
func (x *expander) userNumber(name string) string {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil || name == "" {
		return name
	}
	found, err := user.Lookup(name)
	if err != nil {
		return name
	}
	return found.Uid
}
