// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"fmt"
	"slices"
	"time"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// testBegin is when the events of tests begin; any time would do.
var testBegin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Check plays a test that a resolved correlation carries: its events are judged by the rules that the correlation refers to, itself and
// through other correlations, and the matches are correlated. The error tells the times at which the correlation fired instead.
func Check(c *sigma.Correlation, test sigma.SequenceTest) error {
	return CheckBy(c, test, func(r *sigma.Rule, e sigma.SequenceEvent) (Event, bool) {
		if e.Category != "" && r.LogSource.Category != "" && r.LogSource.Category != e.Category {
			return nil, false
		}
		event := sigma.MapEvent(e.Event, e.Keywords...)
		_, ok := r.Evaluate(event)
		return event, ok
	})
}

// CheckBy is Check where someone else says whether a rule matches an event, and how the fields of the match are read, which they are
// until the next one is asked about.
func CheckBy(c *sigma.Correlation, test sigma.SequenceTest, matches func(*sigma.Rule, sigma.SequenceEvent) (Event, bool)) error {
	set := withReferred(c, nil)
	correlator, refused := New(set, Limits{}, nil)
	if len(refused) > 0 {
		return refused[0]
	}
	rules := rulesOf(set)
	var firings []Firing
	end := testBegin
	for _, e := range occurrences(test) {
		end = testBegin.Add(e.At)
		for _, r := range rules {
			if event, ok := matches(r, e); ok {
				firings = append(firings, correlator.Observe(r, end, event, EventID{})...)
			}
		}
	}
	for _, other := range set {
		end = end.Add(other.Timespan)
	}
	firings = append(firings, correlator.Advance(end)...)
	return compare(c, firings, test.Fires)
}

func compare(c *sigma.Correlation, firings []Firing, want []time.Duration) error {
	var got []time.Duration
	for _, f := range firings {
		if f.Correlation == c {
			got = append(got, f.Time.Sub(testBegin))
		}
	}
	want = slices.Sorted(slices.Values(want))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("found firings at %v, expected them at %v", got, want)
	}
	return nil
}

// withReferred gives the correlations that one refers to, and it, those first that others refer to.
func withReferred(c *sigma.Correlation, set []*sigma.Correlation) []*sigma.Correlation {
	for _, r := range c.Rules {
		if r.Correlation != nil {
			set = withReferred(r.Correlation, set)
		}
	}
	if slices.Contains(set, c) {
		return set
	}
	return append(set, c)
}

func rulesOf(set []*sigma.Correlation) []*sigma.Rule {
	var rules []*sigma.Rule
	for _, c := range set {
		for _, r := range c.Rules {
			if r.Rule != nil && !slices.Contains(rules, r.Rule) {
				rules = append(rules, r.Rule)
			}
		}
	}
	return rules
}

// occurrences gives each event by itself, in the order of time.
func occurrences(test sigma.SequenceTest) []sigma.SequenceEvent {
	var all []sigma.SequenceEvent
	for _, e := range test.Events {
		for i := range e.Times {
			one := e
			one.At += time.Duration(i) * e.Every
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b sigma.SequenceEvent) int { return int(min(max(a.At-b.At, -1), 1)) })
	return all
}
