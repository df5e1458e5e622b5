// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// ruleTexts are rules a, b, c and d, which match by the field r.
func ruleTexts() string {
	var b strings.Builder
	for _, name := range []string{"a", "b", "c", "d"} {
		fmt.Fprintf(&b, "title: Rule %[1]s\nname: %[1]s\nlogsource: {product: linux}\ndetection: {sel: {r: %[1]s}, condition: sel}\n---\n", name)
	}
	return b.String()
}

// correlationText is a correlation of a name with the lines of its body.
func correlationText(name string, body ...string) string {
	return fmt.Sprintf("title: Correlation %[1]s\nname: %[1]s\ncorrelation:\n  %[2]s\n---\n", name, strings.Join(body, "\n  "))
}

func resolved(t testing.TB, src string) *sigma.Collection {
	t.Helper()
	c, errs := sigma.Parse("test.yml", []byte(src+ruleTexts()))
	require.Empty(t, errs)
	c, errs = c.Resolve()
	require.Empty(t, errs)
	return c
}

func correlatorOf(t testing.TB, c *sigma.Collection, limits Limits) *Correlator {
	t.Helper()
	correlator, refused := New(c.Correlations, limits, nil)
	require.Empty(t, refused)
	return correlator
}

func ruleNamed(c *sigma.Collection, name string) *sigma.Rule {
	return c.Rules[slices.IndexFunc(c.Rules, func(r *sigma.Rule) bool { return r.Name == name })]
}

// generator makes correlations and matches for property tests.
type generator struct{ *rand.Rand }

func (g generator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g generator) bounds(most int) string {
	text := fmt.Sprintf("%s: %d", g.pick("gt", "gte", "lte", "eq", "neq"), 1+g.IntN(most))
	switch g.IntN(8) {
	case 0:
		text = fmt.Sprintf("lt: %d", 2+g.IntN(most))
	case 1:
		text = fmt.Sprintf("gt: %d, lte: %d", g.IntN(most), most+g.IntN(3))
	}
	return text
}

// correlation makes one of a random type over the given rules.
func (g generator) correlation(name string, rules []string) string {
	group := g.pick("group-by: [g]", "group-by: [g, h]", "generate: true", "group-by: [who]\n  aliases: {who: {"+rules[0]+": g, "+rules[1]+": h}}")
	common := []string{"timespan: " + g.pick("5s", "10s", "20s"), group}
	list := "rules: [" + strings.Join(rules, ", ") + "]"
	field := g.pick("v", "n", "[v, h]")
	number := fmt.Sprintf("%s: %d", g.pick("gt", "gte", "lt", "lte", "eq", "neq"), g.IntN(20)-4)
	var own []string
	switch g.IntN(11) {
	case 0, 1:
		own = []string{list, "type: event_count", "condition: {" + g.bounds(5) + "}"}
	case 2:
		own = []string{list, "type: value_count", "condition: {field: " + field + ", " + g.bounds(4) + "}"}
	case 3:
		own = []string{list, "type: value_sum", "condition: {field: n, " + number + "}"}
	case 4:
		own = []string{list, "type: " + g.pick("value_avg", "value_median"), "condition: {field: n, " + number + "}"}
	case 5:
		own = []string{list, "type: value_percentile", "condition: {field: n, percentile: " + g.pick("0", "10", "99.5", "100") + ", " + number + "}"}
	case 6:
		own = []string{list, "type: temporal", g.pick("generate: false", "condition: {gte: 1}", "condition: {lt: 2}", "condition: {eq: 2}")}
	case 7:
		own = []string{list, "type: temporal_ordered", g.pick("generate: false", "condition: {gte: 2}", "condition: {gt: 1}")}
	case 8:
		own = []string{list, "type: temporal", "condition: " + g.expression(rules, true)}
	case 9:
		own = []string{list, "type: temporal_ordered", "condition: " + g.expression(rules, false)}
	default:
		own = []string{list, "type: first_seen", "condition: {field: " + field + g.pick("", ", learn: 0s", ", learn: 7s") + "}"}
	}
	lines := slices.Concat(own, common)
	generates := 0
	lines = slices.DeleteFunc(lines, func(line string) bool {
		if strings.HasPrefix(line, "generate") {
			generates++
		}
		return strings.HasPrefix(line, "generate") && generates > 1
	})
	return correlationText(name, lines...)
}

func (g generator) expression(rules []string, negates bool) string {
	if len(rules) == 2 {
		if negates {
			return fmt.Sprintf(g.pick("%s and not %s", "%s or %s", "%s and %s"), rules[0], rules[1])
		}
		return fmt.Sprintf(g.pick("%s or %s", "%s and %s"), rules[0], rules[1])
	}
	if negates {
		return fmt.Sprintf(g.pick("%s and %s and not %s", "(%s or %s) and not %s", "%s and (%s or %s)"), rules[0], rules[1], rules[2])
	}
	return fmt.Sprintf(g.pick("%s and (%s or %s)", "%s or %s and %s"), rules[0], rules[1], rules[2])
}

// set makes correlations of which some refer to others.
func (g generator) set() string {
	first := g.correlation("one", g.rules("a", "b", "c"))
	second := g.correlation("two", g.rules("one", "c", "d"))
	third := g.correlation("three", g.rules("one", "two", "a"))
	if g.IntN(4) == 0 {
		// Here it shows in which order windows that end together are told.
		second = correlationText("two", "rules: [one, c, d]", "type: event_count", "condition: {"+g.pick("lt: 4", "gte: 1")+"}", "timespan: 5s",
			"group-by: [who]", "aliases: {who: {one: h, c: g, d: g}}")
		third = correlationText("three", "rules: [two, one]", "type: value_sum", "condition: {field: n, gte: 3}", "timespan: 20s")
	}
	return first + second + third
}

// rules gives two or three names in a random order.
func (g generator) rules(names ...string) []string {
	g.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names[:2+g.IntN(2)]
}

// matches makes matches in the order of their times.
func (g generator) matches(c *sigma.Collection, count int) []match {
	t := testBegin.UnixNano()
	var all []match
	for range count {
		t += int64(g.IntN(5)) * int64(time.Second) * int64(g.IntN(2))
		if g.IntN(12) == 0 {
			t += int64(20 * time.Second)
		}
		fields := map[string]any{"g": g.pick("x", "x", "y"), "h": g.pick("x", "y"), "v": g.IntN(5), "n": g.IntN(20) - 5}
		if g.IntN(8) == 0 {
			delete(fields, g.pick("g", "h", "v", "n"))
		}
		if g.IntN(10) == 0 {
			fields["n"] = g.pick("7", "seven", "")
		}
		all = append(all, match{c.Rules[g.IntN(len(c.Rules))], t, sigma.MapEvent(fields)})
	}
	return all
}

// arrivals brings matches out of order, none further than the lateness.
func (g generator) arrivals(matches []match, lateness time.Duration) []match {
	type arrival struct {
		match
		at int64
	}
	var all []arrival
	for _, m := range matches {
		all = append(all, arrival{m, m.time + g.Int64N(int64(lateness)+1)})
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	var out []match
	for _, a := range all {
		out = append(out, a.match)
	}
	return out
}

func inTime(matches []match, until int64) []match {
	in := slices.DeleteFunc(slices.Clone(matches), func(m match) bool { return m.time > until })
	slices.SortStableFunc(in, func(a, b match) int { return cmp.Compare(a.time, b.time) })
	return in
}

func sortedOutcomes(all []outcome) []outcome {
	slices.SortFunc(all, func(a, b outcome) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.correlation, b.correlation), cmp.Compare(a.group, b.group), cmp.Compare(a.value, b.value),
			cmp.Compare(a.folded, b.folded), cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
	})
	return all
}

// Whatever comes in whatever order, the correlator says what the definition says, at each step.
func TestLikeTheNaive(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	fired := map[sigma.CorrelationType]int{}
	for round := range uint64(3000) {
		g := generator{rand.New(rand.NewPCG(seed, round))}
		src := g.set()
		c := resolved(t, src)
		lateness := time.Duration(g.IntN(3)) * 3 * time.Second
		correlator := correlatorOf(t, c, Limits{Lateness: lateness})
		arrivals := g.arrivals(g.matches(c, 40), lateness)
		var got []outcome
		note := func(firings []Firing) {
			for _, f := range firings {
				got = append(got, f.outcome())
				fired[f.Correlation.Type]++
			}
		}
		latest := int64(never)
		for i, m := range arrivals {
			note(correlator.Observe(m.rule, time.Unix(0, m.time), m.event, EventID{}))
			if correlator.Refers(m.rule) && correlator.latest > never {
				latest = correlator.watermark
			}
			if g.IntN(10) == 0 && latest > never {
				want := (&naive{c.Correlations, inTime(arrivals[:i+1], latest)}).judge(latest)
				require.Equal(t, sortedOutcomes(want), sortedOutcomes(got), "seed %d, round %d, after %d\n%s", seed, round, i+1, src)
			}
			if g.IntN(20) == 0 {
				correlator = moved(t, g, c, correlator, lateness)
			}
		}
		end := testBegin.Add(24 * time.Hour)
		note(correlator.Advance(end))
		want := (&naive{c.Correlations, inTime(arrivals, end.UnixNano())}).judge(end.UnixNano() - int64(lateness))
		require.Equal(t, sortedOutcomes(want), sortedOutcomes(got), "seed %d, round %d\n%s", seed, round, src)
	}
	for _, kind := range []sigma.CorrelationType{sigma.EventCount, sigma.ValueCount, sigma.ValueSum, sigma.ValueAvg, sigma.ValueMedian,
		sigma.ValuePercentile, sigma.Temporal, sigma.TemporalOrdered, sigma.FirstSeen} {
		assert.Greater(t, fired[kind], 100, "%s seldom fires, so that little is tested", kind)
	}
}

// moved takes what a correlator remembers into a new one, which must make no difference.
func moved(t *testing.T, g generator, c *sigma.Collection, from *Correlator, lateness time.Duration) *Correlator {
	if g.IntN(2) == 0 {
		to, refused := New(c.Correlations, Limits{Lateness: lateness}, from)
		require.Empty(t, refused)
		return to
	}
	to := correlatorOf(t, c, Limits{Lateness: lateness})
	require.NoError(t, to.Restore(from.Snapshot()))
	return to
}
