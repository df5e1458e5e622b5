// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// plan is a correlation, prepared.
type plan struct {
	*sigma.Correlation
	index   int
	span    int64
	learn   int64
	closing bool // judged when the window closes, and not at each event
	most    int  // of events or values that the condition needs to know of
	limits  Limits

	rules     []fields // by position in the correlation's list
	carry     []string // names of the fields that firings show beside the group's
	opens     []bool   // by position: whether the rule's matches open a window
	expressed predicate
	chains    [][]int

	listeners   []listener // who is told when it fires
	inbox       []delivery // what it is told of firings of others
	fingerprint [16]byte

	groups map[string]*group
	list   list
	since  int64 // event time of the first match ever, from which on the correlation learns
	size   int   // of the groups, in bytes
	total  *int  // of the groups of all plans
	counts Counters
}

// fields are those that are read from the events of one rule.
type fields struct{ group, values, carry []string }

// listener is a place in a correlation's list of rules.
type listener struct {
	plan *plan
	rule int
}

// prepare makes a plan, or says what is beyond the limits.
func prepare(c *sigma.Correlation, limits Limits) (*plan, error) {
	p := &plan{
		Correlation: c, span: int64(c.Timespan), learn: int64(c.Threshold.Learn), limits: limits, since: never,
		groups: map[string]*group{}, counts: Counters{Correlation: c},
	}
	p.closing = p.judgedAtEnd()
	p.opens = p.openers()
	if err := p.bound(); err != nil {
		return nil, err
	}
	if c.Expression != nil {
		position := positions(c)
		p.expressed = compile(c.Expression, position)
		if c.Type == sigma.TemporalOrdered {
			var ok bool
			if p.chains, ok = disjuncts(c.Expression, position); !ok {
				return nil, fmt.Errorf("condition: found an expression with more than %d ways to hold, expected a simpler one", maxDisjuncts)
			}
		}
	}
	p.fingerprint = fingerprint(c)
	return p, nil
}

// judgedAtEnd reports whether more events could make the condition fail, so that it can only be judged when no more can come.
func (p *plan) judgedAtEnd() bool {
	switch p.Type {
	case sigma.ValueAvg, sigma.ValuePercentile, sigma.ValueMedian:
		return true
	case sigma.FirstSeen, sigma.TemporalOrdered:
		return false
	}
	return !p.Threshold.Rising() || p.Expression != nil && negates(p.Expression)
}

// bound says how much the condition needs to know.
func (p *plan) bound() error {
	p.most = 1
	for _, b := range p.Threshold.Bounds {
		switch {
		case p.closing || b.Op == "gt":
			p.most = max(p.most, int(min(b.Value, math.MaxInt32-1))+1)
		default:
			p.most = max(p.most, int(min(b.Value, math.MaxInt32)))
		}
	}
	switch {
	case p.Type == sigma.FirstSeen || p.Type.Numeric():
		p.most = max(p.limits.MaxValues, 2)
	case p.Type == sigma.ValueCount && p.most > p.limits.MaxValues:
		return fmt.Errorf("condition: found a number of values that takes %d to be known, expected at most %d", p.most, p.limits.MaxValues)
	case p.Type == sigma.EventCount && !p.closing && p.most > p.limits.MaxBytes/32:
		return fmt.Errorf("condition: found a number of events that takes the times of %d to be known, expected at most %d", p.most, p.limits.MaxBytes/32)
	case p.Type.Ordering() && len(p.Rules) > maxOrdered:
		return fmt.Errorf("correlation.rules: found %d rules, expected at most %d", len(p.Rules), maxOrdered)
	}
	return nil
}

// maxOrdered bounds what a group of a temporal type takes, which grows with the square of the number of rules.
const maxOrdered = 64

func (p *plan) newWindow() window {
	switch p.Type {
	case sigma.EventCount:
		if p.closing {
			return &tally{kind: p.Type}
		}
		return &counter{need: int32(p.most)}
	case sigma.ValueCount:
		return newDistinct(p.most, false)
	case sigma.FirstSeen:
		return newDistinct(p.most, true)
	case sigma.ValueSum:
		if p.closing {
			return &tally{kind: p.Type}
		}
		return &sums{most: p.most}
	case sigma.ValueAvg:
		return &tally{kind: p.Type}
	case sigma.ValuePercentile:
		return &numbers{most: p.most, percentile: p.Threshold.Percentile}
	case sigma.ValueMedian:
		return &numbers{most: p.most, percentile: 50}
	case sigma.TemporalOrdered:
		if p.chains != nil {
			return newChains(p.chains)
		}
		return newSequence(len(p.Rules))
	default:
		return newRecent(len(p.Rules), p.expressed)
	}
}

// holds judges a value of the plan's windows.
func (p *plan) holds(v float64) bool {
	if p.Expression != nil {
		return v > 0
	}
	return p.Threshold.Holds(v)
}

// openers tells which rules' matches begin a window. What must not happen does not: the time to wait for its
// absence begins with what did happen.
func (p *plan) openers() []bool {
	opens := make([]bool, len(p.Rules))
	for i := range opens {
		opens[i] = p.Expression == nil || !p.closing
	}
	if p.Expression != nil && p.closing {
		position := positions(p.Correlation)
		mark(p.Expression, false, func(name string) { opens[position[name]] = true })
	}
	return opens
}

// mark visits the rules that stand under an even number of nots.
func mark(c sigma.Condition, negated bool, visit func(name string)) {
	switch c := c.(type) {
	case sigma.And:
		for _, t := range c.Terms {
			mark(t, negated, visit)
		}
	case sigma.Or:
		for _, t := range c.Terms {
			mark(t, negated, visit)
		}
	case sigma.Not:
		mark(c.Term, !negated, visit)
	case sigma.Ref:
		if !negated {
			visit(c.Selection.Name)
		}
	case sigma.Quantified:
		for _, s := range c.Selections {
			if !negated {
				visit(s.Name)
			}
		}
	}
}

func negates(c sigma.Condition) bool {
	switch c := c.(type) {
	case sigma.And:
		return slices.ContainsFunc(c.Terms, negates)
	case sigma.Or:
		return slices.ContainsFunc(c.Terms, negates)
	case sigma.Not:
		return true
	}
	return false
}

// positions gives the place of each rule in the list by the name the expression has for it.
func positions(c *sigma.Correlation) map[string]int {
	position := map[string]int{}
	for i, r := range c.Rules {
		position[r.Text] = i
	}
	return position
}

func compile(c sigma.Condition, position map[string]int) predicate {
	switch c := c.(type) {
	case sigma.And:
		return compileTerms(c.Terms, position, true)
	case sigma.Or:
		return compileTerms(c.Terms, position, false)
	case sigma.Not:
		term := compile(c.Term, position)
		return func(matched func(int) bool) bool { return !term(matched) }
	case sigma.Quantified:
		return compileTerms(refs(c), position, c.All)
	}
	at := position[c.(sigma.Ref).Selection.Name]
	return func(matched func(int) bool) bool { return matched(at) }
}

func compileTerms(terms []sigma.Condition, position map[string]int, all bool) predicate {
	compiled := make([]predicate, len(terms))
	for i, t := range terms {
		compiled[i] = compile(t, position)
	}
	return func(matched func(int) bool) bool {
		for _, t := range compiled {
			if t(matched) != all {
				return !all
			}
		}
		return all
	}
}

func refs(q sigma.Quantified) []sigma.Condition {
	var terms []sigma.Condition
	for _, s := range q.Selections {
		terms = append(terms, sigma.Ref{Selection: s})
	}
	return terms
}

const maxDisjuncts = 256

// disjuncts gives the sets of rules of which one must match as a whole, each in the order of the list; ok is false where there are too many.
func disjuncts(c sigma.Condition, position map[string]int) (sets [][]int, ok bool) {
	switch c := c.(type) {
	case sigma.Or:
		return alternatives(c.Terms, position)
	case sigma.And:
		return products(c.Terms, position)
	case sigma.Quantified:
		if c.All {
			return products(refs(c), position)
		}
		return alternatives(refs(c), position)
	case sigma.Ref:
		return [][]int{{position[c.Selection.Name]}}, true
	}
	return nil, false
}

func alternatives(terms []sigma.Condition, position map[string]int) (sets [][]int, ok bool) {
	for _, t := range terms {
		more, ok := disjuncts(t, position)
		if !ok || len(sets)+len(more) > maxDisjuncts {
			return nil, false
		}
		sets = append(sets, more...)
	}
	return sets, true
}

func products(terms []sigma.Condition, position map[string]int) (sets [][]int, ok bool) {
	sets = [][]int{{}}
	for _, t := range terms {
		more, ok := disjuncts(t, position)
		if !ok || len(sets)*len(more) > maxDisjuncts {
			return nil, false
		}
		var longer [][]int
		for _, head := range sets {
			for _, tail := range more {
				set := slices.Concat(head, tail)
				slices.Sort(set)
				longer = append(longer, slices.Compact(set))
			}
		}
		sets = longer
	}
	return sets, true
}

var placeholder = regexp.MustCompile(`\{([^{} ]+)\}`)

// carryFields settles which fields a correlation's firings show; asked are those that other correlations ask for.
func (p *plan) carryFields(asked []string) {
	names := slices.Clone(asked)
	for _, m := range placeholder.FindAllStringSubmatch(p.Output, -1) {
		names = append(names, m[1])
	}
	if p.Dedup != nil {
		names = append(names, p.Dedup.Key...)
	}
	if p.Type == sigma.FirstSeen {
		names = append(names, p.Threshold.Fields...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	p.carry = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(p.GroupBy, name) })
	for _, r := range p.Rules {
		p.rules = append(p.rules, fields{named(r, p.GroupBy), named(r, p.Threshold.Fields), named(r, p.carry)})
	}
}

func named(r sigma.Reference, names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, r.Field(name))
	}
	return all
}

// fingerprint tells definitions apart that do not remember the same. What only concerns the alert is not in it.
func fingerprint(c *sigma.Correlation) [16]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %d %q %+v\n", identity(&c.Header), c.Type, c.GroupBy, c.Timespan, c.Threshold.Fields, c.Threshold)
	for _, r := range c.Rules {
		fmt.Fprintf(h, "%q %q\n", identity(target(r)), r.Text)
		for _, alias := range slices.Sorted(maps.Keys(r.Fields)) {
			fmt.Fprintf(h, " %q %q\n", alias, r.Fields[alias])
		}
	}
	if c.Expression != nil {
		fmt.Fprint(h, c.Expression.String())
	}
	return [16]byte(h.Sum(nil))
}

// target is the header of what a reference means.
func target(r sigma.Reference) *sigma.Header {
	if r.Rule != nil {
		return &r.Rule.Header
	}
	return &r.Correlation.Header
}

func identity(h *sigma.Header) string {
	for _, name := range []string{h.ID, h.Name} {
		if name != "" {
			return name
		}
	}
	return h.Title
}
