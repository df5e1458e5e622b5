// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kinds of findings for which a policy is refused, unless its key override names them.
const (
	missing   = "missing"   // nothing that a rule is about is on the host
	conflict  = "conflict"  // it denies what another policy allows
	lockout   = "lockout"   // init, the package manager or the administrator could not do their work
	everybody = "everybody" // it allows everybody
)

var refusals = []string{conflict, everybody, lockout, missing}

// Finding is something about a policy that its author should know.
type Finding struct {
	Position Position `json:"position"`
	Policy   string   `json:"policy"`
	Rule     string   `json:"rule,omitempty"`
	Refused  bool     `json:"refused"` // the policy must not be loaded as it is
	Kind     string   `json:"kind"`    // a word that findings of one sort share; where Refused, what override would name
	Message  string   `json:"message"`
}

// Check tells what is wrong with good policies on a host, in the order of files and lines. Modes count: what would lock somebody out
// is refused where the rule enforces, and told of where it audits.
func Check(set *Set, host Host) []Finding {
	c := &checker{host: host, resolved: set.Resolve(host)}
	for _, p := range c.resolved.Policies {
		c.policy = p
		c.lockouts()
		for _, r := range p.Rules {
			c.rule = r
			c.missing()
			c.doubles()
			c.conflicts()
			c.itself()
			c.subjects(r.Allow, false)
			c.subjects(r.Who, true)
		}
	}
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(a.Position.compare(b.Position), strings.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(c.findings, func(a, b Finding) bool { return a.Position == b.Position && a.Message == b.Message })
}

// Refused reports whether any finding forbids to load the policies.
func Refused(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Refused })
}

// checker gathers what is found about one policy and rule after the other.
type checker struct {
	host     Host
	resolved *Set
	policy   *Policy
	rule     *Rule
	findings []Finding
}

func (c *checker) warn(at Position, kind, format string, args ...any) {
	c.add(Finding{Position: at, Kind: kind, Message: fmt.Sprintf(format, args...)})
}

// refuse forbids to load the policy, unless that is overridden.
func (c *checker) refuse(at Position, kind, format string, args ...any) {
	f := Finding{Position: at, Kind: kind, Message: fmt.Sprintf(format, args...), Refused: !c.overrides(kind)}
	if f.Refused {
		f.Message += fmt.Sprintf("; if that is meant, write override: [%s]", kind)
	}
	c.add(f)
}

func (c *checker) overrides(kind string) bool { return slices.Contains(c.policy.Override, kind) }

func (c *checker) add(f Finding) {
	f.Policy = c.policy.Name
	if c.rule != nil {
		f.Rule = c.rule.Name
	}
	c.findings = append(c.findings, f)
}

// missing tells of paths of which nothing is there. With override: [missing] the author knows that they are of several kinds of
// hosts, and is told nothing.
func (c *checker) missing() {
	if c.overrides(missing) {
		return
	}
	var paths []Path
	switch r := c.rule; {
	case r.Files != nil:
		paths = r.Files.Paths
	case r.Processes != nil && len(r.Processes.Units) == 0:
		paths = r.Processes.Executables
	}
	found := 0
	for _, p := range paths {
		if c.isThere(p) {
			found++
			continue
		}
		c.warn(p.Position, missing, "nothing is at %s, and there is no directory that could hold it", p.Text)
	}
	if len(paths) > 0 && found == 0 {
		c.refuse(c.rule.Position, missing, "nothing that the rule protects is on this host")
	}
	c.missingSubjects(c.rule.Allow)
	c.missingSubjects(c.rule.Who)
}

func (c *checker) missingSubjects(subjects []Subject) {
	for _, s := range subjects {
		if s.Executable.Kind != 0 && len(c.host.Glob(s.Executable)) == 0 {
			c.warn(s.Executable.Position, missing, "there is no %s", s.Executable.Text)
		}
	}
}

// isThere reports whether a path names something, or could: its name in a directory can be protected before it is made.
func (c *checker) isThere(p Path) bool {
	switch p.Kind {
	case Exact:
		return c.host.Exists(p.Base) || c.host.isDir(p.Base[:strings.LastIndexByte(p.Base, '/')])
	case Tree, Glob:
		return c.host.isDir(p.Base)
	}
	return len(c.host.Glob(p)) > 0
}
