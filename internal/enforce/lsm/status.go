// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// ruleName is a rule beyond the set that it is in.
type ruleName struct{ policy, rule string }

// counts are what was counted about a rule.
type counts struct {
	denied, audited uint64
	folded          uint64 // verdicts that were not told one by one
	summed, lost    uint64 // the same where other rules are told of too, and those that could not be told
}

func (c counts) plus(o counts) counts {
	return counts{denied: c.denied + o.denied, audited: c.audited + o.audited, summed: c.summed + o.summed, lost: c.lost + o.lost}
}

func (r placed) name() ruleName { return ruleName{r.policy.Name, r.Name} }

// count reads what was counted about a rule in its set.
func (e *Enforcer) count(l *loaded, r placed) counts {
	var c bpf.EnforceCounts
	at := uint32(l.generation&1)*maxRules + uint32(r.bit)
	if e.maps[bpf.EnforceMapRuleCounts].Lookup(at, &c) != nil {
		return counts{}
	}
	return counts{c.Denied, c.Audited, c.Folded, c.Summed, c.Lost}
}

// keepCounts adds what was counted about a set's rules to what is known of rules of these names.
func (e *Enforcer) keepCounts(l *loaded) {
	for _, r := range l.rules {
		c := e.count(l, r)
		e.counts[r.name()] = e.counts[r.name()].plus(c)
		l.folded[r.bit] = c.folded
	}
}

// lost counts the verdicts that no agent could be told, for as long as the map is there.
func (e *Enforcer) lost() (n uint64) {
	_ = e.maps[bpf.EnforceMapLost].Lookup(uint32(0), &n) // a map of one entry has it
	return n
}

// succeed makes a set the one whose verdicts are told. Of the set before the last one what was not told is lost.
func (e *Enforcer) succeed(next *loaded) {
	e.telling.Lock()
	defer e.telling.Unlock()
	if gone := e.before.Load(); gone != nil {
		for _, r := range gone.rules {
			never := gone.folded[r.bit] - gone.known[r.bit]
			e.untellable += never
			e.counts[r.name()] = e.counts[r.name()].plus(counts{lost: never, summed: -never})
		}
	}
	e.before.Store(e.now.Load())
	e.now.Store(next)
}

// Status tells what is in force.
func (e *Enforcer) Status() enforce.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	status := enforce.Status{Missing: slices.Clone(e.missing)}
	for _, g := range e.lacking {
		status.Missing = append(status.Missing, g.without())
	}
	if e.stale != nil {
		status.Missing = append(status.Missing, fmt.Sprintf("what was mounted since the policies were loaded is not known: %s", e.stale))
	}
	l := e.now.Load()
	if e.closed.Load() || l == nil {
		return status
	}
	status.Generation = l.generation
	status.AuditOnly = atomic.LoadUint64((*uint64)(unsafe.Pointer(&e.active[activeAuditOnly]))) != 0
	e.telling.Lock()
	status.Lost = e.lost() - e.missed + e.untellable
	e.telling.Unlock()
	for _, r := range l.rules {
		c := e.counts[r.name()].plus(e.count(l, r))
		s := enforce.RuleStatus{Policy: r.policy.Name, Rule: r.Name, Strength: enforce.Prevented,
			Denied: c.denied, Audited: c.audited, Folded: c.summed, Lost: c.lost}
		for _, w := range weaknesses(r.Rule.Operations(), e.lacking) {
			s.Weaker = append(s.Weaker, w)
			s.Strength = w.Strength
		}
		status.Rules = append(status.Rules, s)
	}
	return status
}

// weaknesses are the operations of a rule that are not held, or not in every way, where the kernel lacks hooks.
func weaknesses(operations policy.Operation, lacking []guard) []enforce.Weak {
	var weak []enforce.Weak
	for _, g := range lacking {
		if lost := operations & g.operations; lost != 0 {
			weak = append(weak, enforce.Weak{Operation: lost, Strength: enforce.Unseen, Reason: "This way is not seen, as " + g.without() + ". Use a kernel that has it."})
		}
	}
	return weak
}
