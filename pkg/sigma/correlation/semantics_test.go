// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// scenarios fix what correlations mean, in the form in which correlations carry their tests. The last correlation is tested.
var scenarios = []struct{ name, correlations, tests string }{
	{"a count fires when it is reached", correlationText("x", "type: event_count", "rules: [a]", "group-by: [u]", "timespan: 10s", "condition: {gte: 3}"), `
- {name: reached, events: [{at: 0s, times: 3, every: 1s, event: {r: a, u: x}}], fires: [2s]}
- {name: too slow, events: [{at: 0s, times: 9, every: 5s, event: {r: a, u: x}}], fires: []}
- {name: an event leaves the window when the time span is over, events: [{at: 0s, times: 3, every: 5s, event: {r: a, u: x}}], fires: []}
- {name: just within, events: [{at: 0s, times: 2, every: 1s, event: {r: a, u: x}}, {at: 9s, event: {r: a, u: x}}], fires: [9s]}
- {name: groups are apart, events: [{at: 0s, times: 2, every: 1s, event: {r: a, u: x}}, {at: 0s, times: 2, every: 1s, event: {r: a, u: y}}], fires: []}
- {name: other rules do not count, events: [{at: 0s, times: 3, every: 1s, event: {r: b, u: x}}], fires: []}
- {name: without the field there is no group, events: [{at: 0s, times: 5, every: 1s, event: {r: a}}], fires: []}
- {name: numbers and their text are one group, events: [{at: 0s, times: 2, event: {r: a, u: 5}}, {at: 1s, event: {r: a, u: '5'}}], fires: [1s]}
- {name: more of the same is folded, events: [{at: 0s, times: 9, every: 1s, event: {r: a, u: x}}], fires: [2s]}
- {name: what goes on fires again after the time span, events: [{at: 0s, times: 30, every: 1s, event: {r: a, u: x}}], fires: [2s, 12s, 22s]}
- {name: what stops and begins anew fires again, events: [{at: 0s, times: 3, event: {r: a, u: x}}, {at: 11s, times: 3, event: {r: a, u: x}}], fires: [0s, 11s]}
- {name: what falls below in between fires again, events: [{at: 0s, times: 2, event: {r: a, u: x}}, {at: 8s, event: {r: a, u: x}}, {at: 12s, event: {r: a, u: x}}, {at: 13s, event: {r: a, u: x}}], fires: [8s, 13s]}
- {name: the first of several values counts, events: [{at: 0s, times: 2, event: {r: a, u: [x, y]}}, {at: 1s, event: {r: a, u: y}}, {at: 2s, event: {r: a, u: x}}], fires: [2s]}`},
	{"without group-by all is one group", correlationText("x", "type: event_count", "rules: [a, b]", "timespan: 10s", "condition: {gt: 1}"), `
- {name: both rules count, events: [{at: 0s, event: {r: a}}, {at: 1s, event: {r: b}}], fires: [1s]}`},
	{"an upper bound is judged at the end", correlationText("x", "type: event_count", "rules: [a]", "group-by: [u]", "timespan: 10s", "condition: {lt: 3}"), `
- {name: few, events: [{at: 1s, times: 2, every: 1s, event: {r: a, u: x}}], fires: [11s]}
- {name: enough, events: [{at: 1s, times: 3, every: 1s, event: {r: a, u: x}}], fires: []}
- {name: the window ends before its last instant, events: [{at: 1s, times: 3, every: 5s, event: {r: a, u: x}}], fires: [11s, 21s]}
- {name: windows follow each other, events: [{at: 0s, times: 3, event: {r: a, u: x}}, {at: 12s, event: {r: a, u: x}}], fires: [22s]}`},
	{"a range is judged at the end", correlationText("x", "type: event_count", "rules: [a]", "timespan: 10s", "condition: {gt: 1, lte: 3}"), `
- {name: below, events: [{at: 0s, event: {r: a}}], fires: []}
- {name: within, events: [{at: 0s, times: 3, event: {r: a}}], fires: [10s]}
- {name: above, events: [{at: 0s, times: 4, event: {r: a}}], fires: []}`},
	{"different values", correlationText("x", "type: value_count", "rules: [a]", "timespan: 10s", "condition: {field: [v, w], gte: 2}"), `
- {name: the same again, events: [{at: 0s, times: 5, every: 1s, event: {r: a, v: x, w: y}}], fires: []}
- {name: together they differ, events: [{at: 0s, event: {r: a, v: x, w: y}}, {at: 1s, event: {r: a, v: x, w: z}}], fires: [1s]}
- {name: one is missing, events: [{at: 0s, event: {r: a, v: x, w: y}}, {at: 1s, event: {r: a, v: z}}], fires: []}
- {name: a value seen again stays longer, events: [{at: 0s, times: 2, every: 8s, event: {r: a, v: x, w: y}}, {at: 15s, event: {r: a, v: x, w: z}}], fires: [15s]}
- {name: a value is forgotten, events: [{at: 0s, event: {r: a, v: x, w: y}}, {at: 15s, event: {r: a, v: x, w: z}}], fires: []}
- {name: long values are told apart, events: [{at: 0s, event: {r: a, v: a text of more than sixteen letters, w: y}}, {at: 1s, event: {r: a, v: a text of more than sixteen letterz, w: y}}], fires: [1s]}`},
	{"different values, at most", correlationText("x", "type: value_count", "rules: [a]", "timespan: 10s", "condition: {field: v, eq: 2}"), `
- {name: one, events: [{at: 0s, times: 2, event: {r: a, v: x}}], fires: []}
- {name: two, events: [{at: 0s, event: {r: a, v: x}}, {at: 5s, event: {r: a, v: y}}], fires: [10s]}
- {name: three, events: [{at: 0s, event: {r: a, v: x}}, {at: 5s, event: {r: a, v: y}}, {at: 6s, event: {r: a, v: z}}], fires: []}`},
	{"a sum", correlationText("x", "type: value_sum", "rules: [a]", "timespan: 10s", "condition: {field: n, gt: 10}"), `
- {name: reached, events: [{at: 0s, times: 3, every: 1s, event: {r: a, n: 5}}], fires: [2s]}
- {name: text is a number too, events: [{at: 0s, times: 3, every: 1s, event: {r: a, n: '5.5'}}], fires: [1s]}
- {name: what is no number does not count, events: [{at: 0s, times: 3, every: 1s, event: {r: a, n: many}}], fires: []}
- {name: it goes down with the window, events: [{at: 0s, event: {r: a, n: 10}}, {at: 11s, event: {r: a, n: 10}}], fires: []}
- {name: it goes below and over again, events: [{at: 0s, event: {r: a, n: 11}}, {at: 1s, event: {r: a, n: -5}}, {at: 2s, event: {r: a, n: 5}}], fires: [0s, 2s]}`},
	{"an average is judged at the end", correlationText("x", "type: value_avg", "rules: [a]", "timespan: 10s", "condition: {field: n, gt: 10}"), `
- {name: above, events: [{at: 0s, event: {r: a, n: 30}}, {at: 5s, event: {r: a, n: 0}}], fires: [10s]}
- {name: below, events: [{at: 0s, event: {r: a, n: 30}}, {at: 5s, times: 3, event: {r: a, n: 0}}], fires: []}`},
	{"a median is the 50th percentile", correlationText("x", "type: value_median", "rules: [a]", "timespan: 10s", "condition: {field: n, eq: 15}"), `
- {name: between the two in the middle, events: [{at: 0s, event: {r: a, n: 10}}, {at: 1s, event: {r: a, n: 1000}}, {at: 2s, event: {r: a, n: 20}}, {at: 3s, event: {r: a, n: 0}}], fires: [10s]}`},
	{"a percentile is interpolated", correlationText("x", "type: value_percentile", "rules: [a]", "timespan: 10s", "condition: {field: n, percentile: 90, eq: 9}"), `
- {name: nine tenths of the way, events: [{at: 0s, event: {r: a, n: 0}}, {at: 1s, event: {r: a, n: 10}}], fires: [10s]}`},
	{"in any order", correlationText("x", "type: temporal", "rules: [a, b, c]", "group-by: [u]", "timespan: 10s"), `
- {name: all, events: [{at: 0s, event: {r: c, u: x}}, {at: 1s, event: {r: a, u: x}}, {at: 2s, event: {r: b, u: x}}], fires: [2s]}
- {name: one group each, events: [{at: 0s, event: {r: c, u: x}}, {at: 1s, event: {r: a, u: x}}, {at: 2s, event: {r: b, u: y}}], fires: []}
- {name: too far apart, events: [{at: 0s, event: {r: c, u: x}}, {at: 6s, event: {r: a, u: x}}, {at: 12s, event: {r: b, u: x}}], fires: []}`},
	{"some in any order", correlationText("x", "type: temporal", "rules: [a, b, c]", "timespan: 10s", "condition: {gte: 2}"), `
- {name: two, events: [{at: 0s, event: {r: c}}, {at: 1s, event: {r: c}}, {at: 2s, event: {r: b}}], fires: [2s]}`},
	{"in order", correlationText("x", "type: temporal_ordered", "rules: [a, b, c]", "timespan: 10s"), `
- {name: as listed, events: [{at: 0s, event: {r: a}}, {at: 1s, event: {r: b}}, {at: 2s, event: {r: c}}], fires: [2s]}
- {name: at the same time in the order of arrival, events: [{at: 0s, event: {r: a}}, {at: 0s, event: {r: b}}, {at: 0s, event: {r: c}}], fires: [0s]}
- {name: wrong, events: [{at: 0s, event: {r: b}}, {at: 1s, event: {r: a}}, {at: 2s, event: {r: c}}], fires: []}
- {name: others between, events: [{at: 0s, event: {r: a}}, {at: 1s, event: {r: c}}, {at: 2s, event: {r: b}}, {at: 3s, event: {r: a}}, {at: 4s, event: {r: c}}], fires: [4s]}
- {name: only the latest beginning fits, events: [{at: 0s, event: {r: a}}, {at: 5s, event: {r: a}}, {at: 9s, event: {r: b}}, {at: 14s, event: {r: c}}], fires: [14s]}`},
	{"an expression", correlationText("x", "type: temporal", "timespan: 10s", "condition: a and (b or c)"), `
- {name: one way, events: [{at: 0s, event: {r: c}}, {at: 1s, event: {r: a}}], fires: [1s]}
- {name: not enough, events: [{at: 0s, event: {r: c}}, {at: 1s, event: {r: b}}], fires: []}`},
	{"an expression in order", correlationText("x", "type: temporal_ordered", "rules: [a, b, c]", "timespan: 10s", "condition: a and 1 of b* and c or b and c"), `
- {name: the short way, events: [{at: 0s, event: {r: b}}, {at: 1s, event: {r: c}}], fires: [1s]}
- {name: not in order, events: [{at: 0s, event: {r: c}}, {at: 1s, event: {r: b}}], fires: []}`},
	{"what does not happen", correlationText("x", "type: temporal", "timespan: 10s", "condition: a and not b"), `
- {name: it did not, events: [{at: 0s, event: {r: a}}], fires: [10s]}
- {name: it did, events: [{at: 0s, event: {r: a}}, {at: 9s, event: {r: b}}], fires: []}
- {name: too late, events: [{at: 0s, event: {r: a}}, {at: 10s, event: {r: b}}], fires: [10s]}
- {name: before does not count, events: [{at: 0s, event: {r: b}}, {at: 1s, event: {r: a}}], fires: [11s]}`},
	{"what was never seen", correlationText("x", "type: first_seen", "rules: [a]", "group-by: [u]", "timespan: 1h", "condition: {field: v, learn: 10m}"), `
- {name: what is learned does not fire, events: [{at: 0s, event: {r: a, u: x, v: p}}, {at: 9m, event: {r: a, u: x, v: q}}, {at: 10m, event: {r: a, u: x, v: q}}], fires: []}
- {name: each new value fires, events: [{at: 0s, event: {r: a, u: x, v: p}}, {at: 10m, event: {r: a, u: x, v: q}}, {at: 11m, event: {r: a, u: x, v: q}}, {at: 12m, event: {r: a, u: x, v: r}}], fires: [10m, 12m]}
- {name: learning is over for new groups too, events: [{at: 0s, event: {r: a, u: x, v: p}}, {at: 10m, event: {r: a, u: y, v: p}}], fires: [10m]}
- {name: forgotten after the time span, events: [{at: 0s, event: {r: a, u: x, v: p}}, {at: 1h, event: {r: a, u: x, v: p}}], fires: [1h]}
- {name: seen again it stays known, events: [{at: 0s, times: 5, every: 59m, event: {r: a, u: x, v: p}}], fires: []}`},
	{"what was never seen since the beginning", correlationText("x", "type: first_seen", "rules: [a]", "timespan: 1h", "condition: {field: v}"), `
- {name: learning takes the time span, events: [{at: 0s, times: 2, every: 59m, event: {r: a, v: p}}, {at: 59m, event: {r: a, v: q}}, {at: 60m, event: {r: a, v: r}}], fires: [60m]}`},
	{"aliases", correlationText("x", "type: temporal", "rules: [a, b]", "group-by: [who]", "aliases: {who: {a: from, b: to}}", "timespan: 10s"), `
- {name: the same under two names, events: [{at: 0s, event: {r: a, from: x, to: y}}, {at: 1s, event: {r: b, from: y, to: x}}], fires: [1s]}
- {name: not the same, events: [{at: 0s, event: {r: a, from: x, to: y}}, {at: 1s, event: {r: b, from: x, to: y}}], fires: []}`},
	{"a correlation of correlations", correlationText("many", "type: event_count", "rules: [a]", "group-by: [u, host]", "timespan: 10s", "condition: {gte: 3}") +
		correlationText("x", "type: temporal_ordered", "rules: [many, b]", "group-by: [u]", "timespan: 1m"), `
- {name: both, events: [{at: 0s, times: 3, event: {r: a, u: x, host: h}}, {at: 30s, event: {r: b, u: x}}], fires: [30s]}
- {name: too few, events: [{at: 0s, times: 2, event: {r: a, u: x, host: h}}, {at: 30s, event: {r: b, u: x}}], fires: []}
- {name: another group, events: [{at: 0s, times: 3, event: {r: a, u: x, host: h}}, {at: 30s, event: {r: b, u: y}}], fires: []}`},
	{"a field that the inner correlation does not group by is that of its last event", correlationText("many", "type: event_count", "rules: [a]", "group-by: [host]", "timespan: 10s", "condition: {gte: 2}") +
		correlationText("x", "type: temporal_ordered", "rules: [many, b]", "group-by: [u]", "timespan: 1m"), `
- {name: the last, events: [{at: 0s, event: {r: a, u: y, host: h}}, {at: 1s, event: {r: a, u: x, host: h}}, {at: 30s, event: {r: b, u: x}}], fires: [30s]}
- {name: not the first, events: [{at: 0s, event: {r: a, u: y, host: h}}, {at: 1s, event: {r: a, u: x, host: h}}, {at: 30s, event: {r: b, u: y}}], fires: []}`},
}

func TestScenarios(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			correlations := s.correlations[:len(s.correlations)-len("---\n")]
			c := resolved(t, correlations+"tests:"+s.tests+"\n---\n")
			tested := c.Correlations[len(c.Correlations)-1]
			require.NotEmpty(t, tested.Tests)
			for _, test := range tested.Tests {
				assert.NoError(t, Check(tested, test), test.Name)
			}
		})
	}
}

func TestCheckTellsWhatFired(t *testing.T) {
	c := resolved(t, correlationText("x", "type: event_count", "rules: [a]", "timespan: 10s", "condition: {gte: 3}"))
	test := sigma.SequenceTest{Events: []sigma.SequenceEvent{{Times: 3, Every: 1e9, Category: "any", Event: map[string]any{"r": "a"}}}}
	assert.EqualError(t, Check(c.Correlations[0], test), "found firings at [2s], expected them at []")
}

// The project's own correlations carry their tests.
func TestOwnCorrelations(t *testing.T) {
	c, errs := sigma.ParseDir("../../../config/rules")
	require.Empty(t, errs)
	c, errs = c.Resolve()
	require.Empty(t, errs)
	for _, correlation := range c.Correlations {
		assert.NotEmpty(t, correlation.Tests, "%s: the correlation has no tests", correlation.File)
		for _, test := range correlation.Tests {
			assert.NoError(t, Check(correlation, test), "%s:%d: %s", correlation.File, test.Line, test.Name)
		}
	}
}
