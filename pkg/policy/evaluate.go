// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"slices"
	"strconv"
)

// Evaluate judges an act. It is written to be obviously right, not to be fast: it is the reference for what the kernel decides.
func (s *Set) Evaluate(r Request) Decision {
	d := Decision{Verdict: Allowed}
	if r.Subject.Init && r.Operation&(Mount|KernelMount) != 0 {
		return d
	}
	for _, t := range r.things() {
		for _, p := range s.Policies {
			d.Reasons = append(d.Reasons, p.judge(t, r.Subject)...)
		}
	}
	for _, reason := range d.Reasons {
		if weight(reason) > weightOf[d.Verdict] {
			d.Verdict = reason.Verdict
		}
	}
	slices.SortStableFunc(d.Reasons, func(a, b Reason) int { return cmp.Compare(weight(b), weight(a)) })
	d.Reasons = slices.Compact(d.Reasons)
	return d
}

var weightOf = map[Verdict]int{Allowed: 0, Audited: 1, Denied: 2}

// weight is how much a reason counts for the decision; one that is overruled counts least.
func weight(r Reason) int {
	if r.Overruled {
		return -1
	}
	return weightOf[r.Verdict]
}

// judge gives what each rule of a policy says about one thing.
func (p *Policy) judge(t thing, actor Actor) []Reason {
	var reasons []Reason
	allowed := false
	for _, rule := range p.Rules {
		m, ok := rule.about(t)
		if !ok || !rule.concerns(actor) {
			continue
		}
		reason := Reason{Policy: p.Name, Rule: rule.Name, Thing: m.thing, Entry: m.entry, Position: m.position}
		subject := actor.among(rule.Allow)
		switch {
		case m.listed:
			reason.Verdict = Allowed
		case subject != nil:
			reason.Verdict, reason.Position = Allowed, subject.Position
		case p.ModeOf(rule) == Enforce:
			reason.Verdict = Denied
		default:
			reason.Verdict = Audited
		}
		allowed = allowed || reason.Verdict == Allowed
		reasons = append(reasons, reason)
	}
	for i := range reasons {
		reasons[i].Overruled = allowed && reasons[i].Verdict != Allowed
	}
	return reasons
}

// concerns reports whether the rule is about what the actor does.
func (r *Rule) concerns(actor Actor) bool {
	return len(r.Who) == 0 || slices.ContainsFunc(r.Who, func(s Subject) bool { return s.confines(actor) })
}

// among gives the first of the subjects that the actor is trusted as, nil for none.
func (a Actor) among(subjects []Subject) *Subject {
	for i := range subjects {
		if subjects[i].trusts(a) {
			return &subjects[i]
		}
	}
	return nil
}

// trusts reports whether the actor is the subject, for being allowed something: it runs the executable, or what led to it
// did, and from there on nothing ran that someone untrusted could have written.
func (s Subject) trusts(a Actor) bool {
	if !s.holdsNow(a) {
		return false
	}
	if s.Executable.Kind == 0 {
		return true
	}
	for i, program := range a.Lineage {
		if !program.Trusted || i > 0 && !s.Lineage {
			return false
		}
		if s.runs(program) {
			return true
		}
	}
	return false
}

// confines reports whether the actor is the subject, for being held to something: whatever ran since then.
func (s Subject) confines(a Actor) bool {
	if !s.holdsNow(a) {
		return false
	}
	if s.Executable.Kind == 0 {
		return true
	}
	for i, program := range a.Lineage {
		if s.runs(program) {
			return i == 0 || s.Lineage
		}
	}
	return false
}

func (s Subject) runs(p Program) bool {
	return s.Executable.Matches(p.Executable) && (s.SHA256 == "" || s.SHA256 == p.SHA256)
}

// holdsNow reports whether the parts hold that are about the acting process as it is.
func (s Subject) holdsNow(a Actor) bool {
	return (s.User == "" || s.User == a.User || s.User == strconv.FormatUint(uint64(a.UID), 10)) &&
		(s.Unit == "" || InUnit(a.Cgroup, s.Unit)) &&
		(s.Container == "" || IsContainer(a.Container, s.Container))
}
