// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
)

// doubles tells of what a policy says twice.
func (c *checker) doubles() {
	if c.rule.Files == nil {
		return
	}
	seen := map[string]Position{}
	for _, p := range c.rule.Files.Paths {
		if p.Base != baseOf(p.Text) {
			continue // it was added for a symbolic link
		}
		if first, ok := seen[p.Text]; ok {
			c.warn(p.Position, "double", "%s is in the rule twice, first in %s", p.Text, first)
		}
		seen[p.Text] = p.Position
		c.doubledIn(p)
	}
}

// baseOf is the Base of a path as it is written.
func baseOf(text string) string {
	dir, last := text[:strings.LastIndexByte(text, '/')], text[strings.LastIndexByte(text, '/')+1:]
	if strings.ContainsAny(last, wildcards) {
		return orRoot(dir)
	}
	return text
}

// doubledIn tells of earlier rules of the policy that have the same path, because their lists of the allowed add up.
func (c *checker) doubledIn(p Path) {
	for _, other := range c.policy.Rules {
		if other == c.rule {
			return
		}
		if other.Files == nil || other.Files.Operations&c.rule.Files.Operations == 0 || len(other.Who)+len(c.rule.Who) > 0 {
			continue
		}
		for _, q := range other.Files.Paths {
			if q.Text == p.Text && q.Base == p.Base {
				c.warn(p.Position, "double", "the rule %s is about %s too (%s): whoever either of them allows may", other.Name, p.Text, q.Position)
			}
		}
	}
}

// conflicts tells of what another policy allows and this rule denies.
func (c *checker) conflicts() {
	if len(c.rule.Who) > 0 {
		return
	}
	for _, p := range c.resolved.Policies {
		if p == c.policy {
			continue
		}
		for _, r := range p.Rules {
			if r.Operations()&c.rule.Operations() == 0 {
				continue
			}
			at, what, ok := c.rule.overlaps(r)
			if denied := c.deniedOf(r); ok && len(denied) > 0 {
				c.refuse(at, conflict, "%s: denies %s, whom the rule %s of the policy %s allows (%s), and denials win",
					what, shortList(denied), r.Name, p.Name, r.Position)
			}
		}
	}
}

// deniedOf are the subjects that another rule allows and this one does not.
func (c *checker) deniedOf(other *Rule) []string {
	var denied []string
	for _, s := range other.Allow {
		if !slices.ContainsFunc(c.rule.Allow, s.isWithin) {
			denied = append(denied, s.String())
		}
	}
	return slices.Compact(denied)
}

// String names the subject in few words.
func (s Subject) String() string {
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"", s.Executable.Text}, {"user ", s.User}, {"unit ", s.Unit}, {"container ", s.Container},
	} {
		if part.value != "" {
			parts = append(parts, part.name+part.value)
		}
	}
	return strings.Join(parts, " with ")
}

func shortList(names []string) string {
	const most = 3
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}

// isWithin reports whether whoever is the subject is the other one too, as far as can be told from the policy.
func (s Subject) isWithin(other Subject) bool {
	within := func(mine, others string) bool { return others == "" || others == mine }
	if !within(s.User, other.User) || !within(s.Unit, other.Unit) || !within(s.Container, other.Container) || !within(s.SHA256, other.SHA256) {
		return false
	}
	switch {
	case other.Executable.Kind == 0:
		return true
	case s.Lineage && !other.Lineage || s.Executable.Kind == 0:
		return false
	}
	return other.Executable.sameProgram(s.Executable)
}

// sameProgram reports whether the path names all programs that the other does. A pattern as a text is one of what it stands for.
func (p Path) sameProgram(q Path) bool { return q.Kind != 0 && p.Matches(orElse(q.Base, q.Pattern)) }

// overlaps gives the entry by which a rule is about something that the other is about too.
func (r *Rule) overlaps(other *Rule) (Position, string, bool) {
	switch {
	case r.Files != nil && other.Files != nil:
		return r.Files.overlaps(other.Files)
	case r.Processes != nil && other.Processes != nil:
		return r.Processes.overlaps(other.Processes)
	case r.Kernel != nil && other.Kernel != nil:
		return r.Position, (r.Kernel.Operations & other.Kernel.Operations).String(), true
	}
	return Position{}, "", false
}

func (f *Files) overlaps(other *Files) (Position, string, bool) {
	for _, p := range f.Paths {
		for _, q := range other.Paths {
			if p.overlaps(q) && !f.excepts(q.Base) && !other.excepts(p.Base) {
				return p.Position, p.Text, true
			}
		}
	}
	return Position{}, "", false
}

// overlaps reports whether some file has both paths. Of two patterns in a directory that is not known unless they are the same.
func (p Path) overlaps(q Path) bool {
	if p.Kind == Glob && q.Kind == Glob {
		return p.Base == q.Base && p.Pattern == q.Pattern
	}
	return p.Matches(q.sample()) || q.Matches(p.sample())
}

// sample is a path that stands for all that the path names.
func (p Path) sample() string {
	if p.Kind == Glob {
		return orRoot(strings.TrimSuffix(p.Base, "/")) + "/" + p.Pattern
	}
	return p.Base
}

func (p *Processes) overlaps(other *Processes) (Position, string, bool) {
	for _, e := range p.Executables {
		if slices.ContainsFunc(other.Executables, func(o Path) bool { return e.sameProgram(o) || o.sameProgram(e) }) {
			return e.Position, e.Text, true
		}
	}
	for _, u := range p.Units {
		if slices.ContainsFunc(other.Units, func(o Unit) bool { return o.Name == u.Name }) {
			return u.Position, u.Name, true
		}
	}
	return Position{}, "", false
}
