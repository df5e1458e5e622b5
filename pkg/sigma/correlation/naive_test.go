// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// naive judges correlations by the text of their definition: it keeps all matches and computes everything anew for each.
type naive struct {
	set  []*sigma.Correlation
	past []match // in the order in which they count
}

// match is a match of a rule as a test tells of it.
type match struct {
	rule  *sigma.Rule
	time  int64
	event Event
}

// occurrence is a match or a firing as one correlation sees it.
type occurrence struct {
	time   int64
	class  int // a window that ends at a time ends before what happens at that time
	seq    int
	rank   int // the place among all that the correlation is told of
	source int // of what happens because of one match, firings go first, in the order of their correlations
	rule   int
	event  Event
	text   string // what the values are
	num    float64
	group  string
}

const (
	directly  = math.MaxInt
	ending    = 0
	happening = 1
)

// outcome is what is compared.
type outcome struct {
	correlation string
	time        int64
	group       string
	value       float64
	folded      uint64
	first, last int64
}

func (f Firing) outcome() outcome {
	var group []string
	for _, g := range f.Group {
		group = append(group, g.Value)
	}
	return outcome{f.Correlation.Name, f.Time.UnixNano(), strings.Join(group, "|"), f.Value, f.Folded, f.First.UnixNano(), f.Last.UnixNano()}
}

type naiveFiring struct {
	Firing
	cause, last occurrence
}

// Lookup makes the values of the group and, beside them, the fields of the last event those of the firing.
func (f *naiveFiring) Lookup(field string) ([]any, bool) {
	if values, ok := f.Firing.Lookup(field); ok {
		return values, ok
	}
	return f.last.event.Lookup(f.Correlation.Rules[f.last.rule].Field(field))
}

// judge gives the outcomes up to a time, to which windows have closed.
func (n *naive) judge(until int64) []outcome {
	fired := map[*sigma.Correlation][]naiveFiring{}
	var all []outcome
	for _, c := range n.set {
		fired[c] = n.firings(c, fired, until)
		for _, f := range fired[c] {
			all = append(all, f.outcome())
		}
	}
	return all
}

// inputs gives what a correlation is told of, grouped by the values of group-by.
func (n *naive) inputs(c *sigma.Correlation, fired map[*sigma.Correlation][]naiveFiring) []occurrence {
	var all []occurrence
	for i, r := range c.Rules {
		for seq, m := range n.past {
			if r.Rule != nil && m.rule == r.Rule {
				all = append(all, occurrence{time: m.time, class: happening, seq: seq, source: directly, rule: i, event: m.event})
			}
		}
		for _, f := range fired[r.Correlation] {
			o := f.cause
			o.source, o.rule, o.event = slices.Index(n.set, r.Correlation), i, &f
			all = append(all, o)
		}
	}
	all = slices.DeleteFunc(all, func(o occurrence) bool { return !complete(c, &o) })
	for i := range all {
		complete(c, &all[i])
	}
	slices.SortStableFunc(all, func(a, b occurrence) int {
		if a.class == ending && b.class == ending { // ends of windows have no order among each other but that of the correlations
			return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.source, b.source), cmp.Compare(a.seq, b.seq))
		}
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.class, b.class), cmp.Compare(a.seq, b.seq), cmp.Compare(a.source, b.source))
	})
	for i := range all {
		all[i].rank = i
	}
	return all
}

// complete reads the fields; it reports whether all that are needed are there.
func complete(c *sigma.Correlation, o *occurrence) bool {
	read := func(names []string) (string, bool) {
		var texts []string
		for _, name := range names {
			values, ok := o.event.Lookup(c.Rules[o.rule].Field(name))
			if !ok || len(values) == 0 || values[0] == nil {
				return "", false
			}
			texts = append(texts, fmt.Sprint(values[0]))
		}
		return strings.Join(texts, "|"), true
	}
	var ok bool
	if o.group, ok = read(c.GroupBy); !ok {
		return false
	}
	if o.text, ok = read(c.Threshold.Fields); !ok {
		return false
	}
	if c.Type.Numeric() {
		_, err := fmt.Sscan(o.text, &o.num)
		return err == nil
	}
	return true
}

func (n *naive) firings(c *sigma.Correlation, fired map[*sigma.Correlation][]naiveFiring, until int64) []naiveFiring {
	inputs := n.inputs(c, fired)
	groups := map[string][]occurrence{}
	var order []string
	for _, o := range inputs {
		if _, ok := groups[o.group]; !ok {
			order = append(order, o.group)
		}
		groups[o.group] = append(groups[o.group], o)
	}
	var all []naiveFiring
	for _, g := range order {
		switch {
		case c.Type == sigma.FirstSeen:
			all = append(all, firstSeen(c, groups[g], inputs[0].time)...)
		case atEnd(c):
			all = append(all, closing(c, groups[g], until)...)
		default:
			all = append(all, sliding(c, groups[g])...)
		}
	}
	slices.SortStableFunc(all, func(a, b naiveFiring) int {
		return cmp.Or(cmp.Compare(a.cause.time, b.cause.time), cmp.Compare(a.cause.class, b.cause.class), cmp.Compare(a.cause.seq, b.cause.seq),
			cmp.Compare(a.cause.rank, b.cause.rank))
	})
	return all
}

func atEnd(c *sigma.Correlation) bool {
	switch c.Type {
	case sigma.ValueAvg, sigma.ValuePercentile, sigma.ValueMedian:
		return true
	}
	return !c.Threshold.Rising() || c.Expression != nil && strings.Contains(c.Expression.String(), "not ")
}

func newFiring(c *sigma.Correlation, cause occurrence, in []occurrence, v float64) naiveFiring {
	f := naiveFiring{cause: cause, last: in[len(in)-1]}
	f.Correlation, f.Value = c, v
	f.Time, f.First, f.Last = instant(cause.time), instant(in[0].time), instant(in[len(in)-1].time)
	if len(c.GroupBy) > 0 {
		for i, value := range strings.Split(cause.group, "|") {
			f.Group = append(f.Group, Field{c.GroupBy[i], value})
		}
	}
	return f
}

func firstSeen(c *sigma.Correlation, group []occurrence, since int64) []naiveFiring {
	var all []naiveFiring
	for i, o := range group {
		in := within(group[:i+1], o.time-int64(c.Timespan))
		fresh := !slices.ContainsFunc(in[:len(in)-1], func(other occurrence) bool { return other.text == o.text })
		if fresh && o.time >= since+int64(c.Threshold.Learn) {
			f := newFiring(c, o, in, float64(len(different(in))))
			f.First = f.Last
			all = append(all, f)
		}
	}
	return all
}

// sliding looks back from each match.
func sliding(c *sigma.Correlation, group []occurrence) []naiveFiring {
	var all []naiveFiring
	span := int64(c.Timespan)
	firing, at, folded := false, int64(0), uint64(0)
	for i, o := range group {
		left := within(group[:i], o.time-span)
		_, still := compute(c, left)
		firing = firing && still && o.time < at+span
		if len(left) == 0 {
			folded = 0
		}
		in := within(group[:i+1], o.time-span)
		counting, holds := compute(c, in)
		switch {
		case !holds:
			firing = false
		case firing:
			folded++
		default:
			f := newFiring(c, o, in, counting.value)
			f.First, f.Folded = instant(counting.first), folded
			firing, at, folded = true, o.time, 0
			all = append(all, f)
		}
	}
	return all
}

// closing looks at each window once, when it is over.
func closing(c *sigma.Correlation, group []occurrence, until int64) []naiveFiring {
	var all []naiveFiring
	for i := 0; i < len(group); {
		if !opening(c, group[i].rule) {
			i++
			continue
		}
		end := group[i].time + int64(c.Timespan)
		next := i
		for next < len(group) && group[next].time < end {
			next++
		}
		if end > until {
			break
		}
		in := group[i:next]
		if counting, holds := compute(c, in); holds {
			cause := occurrence{time: end, class: ending, seq: group[i].rank, group: group[i].group}
			f := newFiring(c, cause, in, counting.value)
			f.First = instant(counting.first)
			all = append(all, f)
		}
		i = next
	}
	return all
}

// opening is the truth of the only expressions with a not that the tests have: what has not before it opens nothing.
func opening(c *sigma.Correlation, rule int) bool {
	return c.Expression == nil || !strings.Contains(c.Expression.String(), "not "+c.Rules[rule].Text)
}

func within(group []occurrence, cutoff int64) []occurrence {
	return slices.DeleteFunc(slices.Clone(group), func(o occurrence) bool { return o.time <= cutoff })
}

func different(in []occurrence) map[string]int64 {
	last := map[string]int64{}
	for _, o := range in {
		last[o.text] = o.time
	}
	return last
}

type counting struct {
	value float64
	first int64
}

// compute gives what the condition is asked about in a window, and whether it holds.
func compute(c *sigma.Correlation, in []occurrence) (counting, bool) {
	if len(in) == 0 {
		return counting{}, c.Threshold.Holds(0) && c.Expression == nil
	}
	n := counting{first: in[0].time}
	var numbers []float64
	for _, o := range in {
		numbers = append(numbers, o.num)
		n.value += o.num
	}
	slices.Sort(numbers)
	switch c.Type {
	case sigma.EventCount:
		n.value = float64(len(in))
		if !atEnd(c) {
			n.value = float64(min(len(in), needed(c)))
			n.first = in[len(in)-int(n.value)].time
		}
	case sigma.ValueCount:
		n = countValues(c, in)
	case sigma.ValueAvg:
		n.value /= float64(len(in))
	case sigma.ValueMedian:
		n.value = quantile(numbers, 50)
	case sigma.ValuePercentile:
		n.value = quantile(numbers, c.Threshold.Percentile)
	case sigma.Temporal:
		return temporal(c, in)
	case sigma.TemporalOrdered:
		return ordered(c, in)
	}
	return n, c.Threshold.Holds(n.value)
}

// needed is the number from which on counting more makes no difference.
func needed(c *sigma.Correlation) int {
	n := 1
	for _, b := range c.Threshold.Bounds {
		if b.Op == "gte" && !atEnd(c) {
			n = max(n, int(b.Value))
		} else {
			n = max(n, int(b.Value)+1)
		}
	}
	return n
}

func countValues(c *sigma.Correlation, in []occurrence) counting {
	var times []int64
	for _, t := range different(in) {
		times = append(times, t)
	}
	slices.Sort(times)
	n := min(len(times), needed(c))
	return counting{float64(n), times[len(times)-n]}
}

func quantile(sorted []float64, p float64) float64 {
	rank := p / 100 * float64(len(sorted)-1)
	below, above := sorted[int(math.Floor(rank))], sorted[int(math.Ceil(rank))]
	return below + (rank-math.Floor(rank))*(above-below)
}

func temporal(c *sigma.Correlation, in []occurrence) (counting, bool) {
	last := map[int]int64{}
	for _, o := range in {
		last[o.rule] = o.time
	}
	n := counting{float64(len(last)), math.MaxInt64}
	for _, t := range last {
		n.first = min(n.first, t)
	}
	if c.Expression == nil {
		return n, c.Threshold.Holds(n.value)
	}
	n.value = 1
	return n, evaluate(c.Expression, func(name string) bool {
		_, ok := last[slices.IndexFunc(c.Rules, func(r sigma.Reference) bool { return r.Text == name })]
		return ok
	})
}

func evaluate(c sigma.Condition, matched func(string) bool) bool {
	switch c := c.(type) {
	case sigma.And:
		return !slices.ContainsFunc(c.Terms, func(t sigma.Condition) bool { return !evaluate(t, matched) })
	case sigma.Or:
		return slices.ContainsFunc(c.Terms, func(t sigma.Condition) bool { return evaluate(t, matched) })
	case sigma.Not:
		return !evaluate(c.Term, matched)
	}
	return matched(c.(sigma.Ref).Selection.Name)
}

// ordered tries every run of rules in order.
func ordered(c *sigma.Correlation, in []occurrence) (counting, bool) {
	best := counting{first: math.MinInt64}
	length := func(run []int) float64 {
		if c.Expression != nil {
			return 1
		}
		return float64(len(run))
	}
	for subset := 1; subset < 1<<len(c.Rules); subset++ {
		var run []int
		for rule := range c.Rules {
			if subset>>rule&1 == 1 {
				run = append(run, rule)
			}
		}
		first, ok := latestRun(in, run)
		if !ok {
			continue
		}
		holds := c.Threshold.Holds(float64(len(run)))
		if c.Expression != nil {
			holds = evaluate(c.Expression, func(name string) bool {
				return slices.ContainsFunc(run, func(rule int) bool { return c.Rules[rule].Text == name })
			})
		}
		if v := length(run); holds && (v > best.value || v == best.value && first > best.first) {
			best = counting{v, first}
		}
	}
	return best, best.value > 0
}

// latestRun looks for the rules in order, from the end, and gives when the run begins.
func latestRun(in []occurrence, run []int) (int64, bool) {
	at := len(in)
	for _, rule := range slices.Backward(run) {
		for at--; at >= 0 && in[at].rule != rule; at-- {
		}
		if at < 0 {
			return 0, false
		}
	}
	return in[at].time, true
}
