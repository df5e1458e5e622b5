// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func correlationOf(t *testing.T, body string) *Correlation {
	t.Helper()
	c, errs := Parse("test.yml", []byte(correlationText(body)))
	require.Empty(t, errs)
	require.Len(t, c.Correlations, 1)
	return c.Correlations[0]
}

func TestCorrelationReadsEverything(t *testing.T) {
	src := `title: Guessing
id: c1
name: guessing
status: test
level: high
falsepositives: Unlikely
output: '{User} guessed'
response: [kill]
risk: 60
dedup: {key: [User], window: 1h}
generate: true
correlation:
  type: value_count
  rules: [failed, r2]
  group-by: [User, peer]
  timespan: 90m
  aliases:
    peer: {failed: SourceIp, r2: DestinationIp}
  condition: {field: [Host, Port], gt: 5, lte: 10}
tests:
  - name: many
    events:
      - {at: 0s, times: 3, every: 500ms, category: auth, event: {User: root}, keywords: [x]}
      - {at: 2m, event: {User: adm}}
    fires: [2m]
my_own_key: x
`
	c, errs := Parse("dir/c.yml", []byte(src))
	require.Empty(t, errs)
	require.Empty(t, c.Rules)
	require.Len(t, c.Correlations, 1)
	assert.Equal(t, &Correlation{
		Header: Header{
			ID: "c1", Title: "Guessing", Name: "guessing", Status: "test", Level: High, FalsePositives: []string{"Unlikely"},
			Output: "{User} guessed", Response: []string{"kill"}, Risk: 60,
			Dedup: &Dedup{Group: "c1", Key: []string{"User"}, Window: time.Hour}, File: "dir/c.yml", Line: 1,
		},
		Type:    ValueCount,
		Rules:   []Reference{{Text: "failed", Line: 14, Column: 11}, {Text: "r2", Line: 14, Column: 19}},
		GroupBy: []string{"User", "peer"},
		Aliases: []Alias{
			{"peer", Reference{Text: "failed", Line: 18, Column: 12}, "SourceIp"},
			{"peer", Reference{Text: "r2", Line: 18, Column: 30}, "DestinationIp"},
		},
		Timespan:  90 * time.Minute,
		Threshold: Threshold{Fields: []string{"Host", "Port"}, Bounds: []Bound{{"gt", 5}, {"lte", 10}}},
		Generate:  true,
		Tests: []SequenceTest{{
			Name: "many", Line: 21, Fires: []time.Duration{2 * time.Minute}, Events: []SequenceEvent{
				{Times: 3, Every: 500 * time.Millisecond, Category: "auth", Event: fields{"User": "root"}, Keywords: []string{"x"}},
				{At: 2 * time.Minute, Times: 1, Event: fields{"User": "adm"}},
			},
		}},
	}, c.Correlations[0])
}

func TestCorrelationTypes(t *testing.T) {
	tests := []struct {
		body      string
		threshold Threshold
		timespan  time.Duration
	}{
		{"type: event_count\nrules: a\ntimespan: 10s\ncondition: {gte: 5}", Threshold{Bounds: []Bound{{"gte", 5}}}, 10 * time.Second},
		{"type: event_count\nrules: a\ntimespan: 2h\ncondition: {neq: 5}", Threshold{Bounds: []Bound{{"neq", 5}}}, 2 * time.Hour},
		{"type: temporal\nrules: [a, b]\ntimespan: 1d", Threshold{Bounds: []Bound{{"gte", 2}}}, 24 * time.Hour},
		{"type: temporal_ordered\nrules: [a, b, c]\ntimespan: 1w\ncondition: {gte: 2}", Threshold{Bounds: []Bound{{"gte", 2}}}, 168 * time.Hour},
		{"type: value_sum\nrules: a\ntimespan: 1M\ncondition: {field: F, gt: -1.5}", Threshold{Fields: []string{"F"}, Bounds: []Bound{{"gt", -1.5}}}, 2_629_746 * time.Second},
		{"type: value_avg\nrules: a\ntimespan: 1y\ncondition: {field: F, eq: 0}", Threshold{Fields: []string{"F"}, Bounds: []Bound{{"eq", 0}}}, 31_556_952 * time.Second},
		{"type: value_median\nrules: a\ntimespan: 1s\ncondition: {field: F, gt: 1, lt: 2}", Threshold{Fields: []string{"F"}, Bounds: []Bound{{"gt", 1}, {"lt", 2}}}, time.Second},
		{"type: value_percentile\nrules: a\ntimespan: 1s\ncondition: {field: F, percentile: 99.5, gt: 1}", Threshold{Fields: []string{"F"}, Bounds: []Bound{{"gt", 1}}, Percentile: 99.5}, time.Second},
		{"type: first_seen\nrules: a\ntimespan: 30d\ncondition: {field: F}", Threshold{Fields: []string{"F"}, Learn: 720 * time.Hour}, 720 * time.Hour},
		{"type: first_seen\nrules: a\ntimespan: 30d\ncondition: {field: F, learn: 0s}", Threshold{Fields: []string{"F"}}, 720 * time.Hour},
	}
	for _, tt := range tests {
		c := correlationOf(t, tt.body)
		assert.Equal(t, tt.threshold, c.Threshold, tt.body)
		assert.Equal(t, tt.timespan, c.Timespan, tt.body)
		assert.Nil(t, c.Expression, tt.body)
	}
}

func TestCorrelationExpressions(t *testing.T) {
	tests := []struct {
		body, want string
		rules      []string
	}{
		{"type: temporal\nrules: [a, b, c]\ntimespan: 1m\ncondition: a and (b or not c)", "(a and (b or not c))", []string{"a", "b", "c"}},
		{"type: temporal_ordered\ntimespan: 1m\ncondition: b AND a and (c or b)", "(b and a and (c or b))", []string{"b", "a", "c"}},
		{"type: temporal\nrules: [a_1, a_2]\ntimespan: 1m\ncondition: 1 of a_*", "1 of a_*", []string{"a_1", "a_2"}},
	}
	for _, tt := range tests {
		c := correlationOf(t, tt.body)
		assert.Equal(t, tt.want, c.Expression.String())
		var rules []string
		for _, r := range c.Rules {
			rules = append(rules, r.Text)
		}
		assert.Equal(t, tt.rules, rules)
	}
}

func TestThreshold(t *testing.T) {
	for _, tt := range []struct {
		bound  Bound
		holds  []float64
		others []float64
		rising bool
	}{
		{Bound{"gt", 5}, []float64{6}, []float64{5, 4}, true},
		{Bound{"gte", 5}, []float64{5, 6}, []float64{4}, true},
		{Bound{"lt", 5}, []float64{4}, []float64{5, 6}, false},
		{Bound{"lte", 5}, []float64{4, 5}, []float64{6}, false},
		{Bound{"eq", 5}, []float64{5}, []float64{4, 6}, false},
		{Bound{"neq", 5}, []float64{4, 6}, []float64{5}, false},
	} {
		threshold := Threshold{Bounds: []Bound{tt.bound}}
		assert.Equal(t, tt.rising, threshold.Rising(), tt.bound.Op)
		for _, v := range tt.holds {
			assert.True(t, threshold.Holds(v), "%s %v", tt.bound.Op, v)
		}
		for _, v := range tt.others {
			assert.False(t, threshold.Holds(v), "%s %v", tt.bound.Op, v)
		}
	}
}

// Documents about rules are not rules, so that actions pass them over.
func TestActionsLeaveCorrelationsAlone(t *testing.T) {
	src := "action: global\nlevel: high\n---\n" + good + "---\n" + correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {gte: 5}") +
		"---\ntitle: A filter\nlogsource: {product: linux}\nfilter: {rules: any, a: {F: x}, condition: not a}\n---\naction: repeat\ntitle: Again\n"
	c, errs := Parse("x.yml", []byte(src))
	require.Empty(t, errs)
	assert.Equal(t, []string{"Good", "Again"}, titles(c.Rules))
	require.Len(t, c.Correlations, 1)
	require.Len(t, c.Filters, 1)
	assert.Empty(t, c.Correlations[0].Level)
	assert.True(t, c.Filters[0].Any)
}
