// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"time"
)

// CorrelationType says what a correlation makes of the matches of its rules.
type CorrelationType string

// Types of correlations. FirstSeen is not part of Sigma.
const (
	EventCount      CorrelationType = "event_count"
	ValueCount      CorrelationType = "value_count"
	Temporal        CorrelationType = "temporal"
	TemporalOrdered CorrelationType = "temporal_ordered"
	ValueSum        CorrelationType = "value_sum"
	ValueAvg        CorrelationType = "value_avg"
	ValuePercentile CorrelationType = "value_percentile"
	ValueMedian     CorrelationType = "value_median"
	FirstSeen       CorrelationType = "first_seen"
)

// Correlation looks for several matches of rules that belong together. Like a Rule it is not changed after it was read.
type Correlation struct {
	Header
	Type      CorrelationType
	Rules     []Reference // in the order of the file
	GroupBy   []string    // fields or aliases whose values tell groups apart; without any there is one group
	Aliases   []Alias
	Timespan  time.Duration
	Threshold Threshold
	// Expression is the condition of a temporal type that is written as one; nil where the threshold counts. Its selections
	// have the names of Rules, in the same order, and nothing in them.
	Expression Condition
	Generate   bool // the rules it names also alert by themselves
	Tests      []SequenceTest
}

// Reference names a rule or correlation by id or name. One of Rule and Correlation is set once the collection is resolved.
type Reference struct {
	Text         string
	Line, Column int
	Rule         *Rule
	Correlation  *Correlation
	Fields       map[string]string // of the correlation's aliases, the field each stands for in this rule's events
}

// Alias gives a field of one rule's events a name that the correlation uses.
type Alias struct {
	Name  string
	Rule  Reference
	Field string
}

// Threshold is what a correlation asks of the number it computes.
type Threshold struct {
	Fields     []string // what is counted, added up or new
	Bounds     []Bound  // all must hold
	Percentile float64  // 0 to 100, for ValuePercentile
	Learn      time.Duration
}

// Bound compares a number. Op is gt, gte, lt, lte, eq or neq.
type Bound struct {
	Op    string
	Value float64
}

// SequenceTest is a sequence of events that a correlation carries as its own test.
type SequenceTest struct {
	Name   string
	Events []SequenceEvent
	Fires  []time.Duration // when the correlation must fire, counted from the test's beginning; nothing else may fire
	Line   int
}

// SequenceEvent is one event of a test, or several that are alike.
type SequenceEvent struct {
	At       time.Duration // counted from the test's beginning
	Times    int           // at least 1
	Every    time.Duration // the time between two of them
	Category string        // the log source category; "" where every rule may judge it
	Event    map[string]any
	Keywords []string
}

// Holds reports whether a number is within all bounds.
func (t Threshold) Holds(v float64) bool {
	for _, b := range t.Bounds {
		if !b.holds(v) {
			return false
		}
	}
	return true
}

// Rising reports whether the bounds only say what a number must at least be, so that more of it never makes them fail.
func (t Threshold) Rising() bool {
	return !slices.ContainsFunc(t.Bounds, func(b Bound) bool { return b.Op != "gt" && b.Op != "gte" })
}

func (b Bound) holds(v float64) bool {
	switch b.Op {
	case "gt":
		return v > b.Value
	case "gte":
		return v >= b.Value
	case "lt":
		return v < b.Value
	case "lte":
		return v <= b.Value
	case "neq":
		return v != b.Value
	default:
		return v == b.Value
	}
}

// possible reports whether a number from least to most holds. Between and beside the bounds nothing changes, so that a few
// numbers stand for all.
func (t Threshold) possible(least, most float64, whole bool) bool {
	candidates := []float64{least, most}
	for _, b := range t.Bounds {
		candidates = append(candidates, b.Value-1, b.Value, b.Value+1)
		for _, other := range t.Bounds {
			if !whole {
				candidates = append(candidates, b.Value/2+other.Value/2)
			}
		}
	}
	return slices.ContainsFunc(candidates, func(v float64) bool { return least <= v && v <= most && t.Holds(v) })
}

// Field gives the name that a field or alias of the correlation has in the events of the rule.
func (r Reference) Field(name string) string {
	if field, ok := r.Fields[name]; ok {
		return field
	}
	return name
}

// Numeric reports whether the type computes with the numbers in a field.
func (t CorrelationType) Numeric() bool {
	return slices.Contains([]CorrelationType{ValueSum, ValueAvg, ValuePercentile, ValueMedian}, t)
}

// Ordering reports whether the type looks for matches of different rules.
func (t CorrelationType) Ordering() bool { return t == Temporal || t == TemporalOrdered }
