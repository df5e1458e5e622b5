// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Public rules and our own get events made of their own selections, as they are and changed a little.
func TestCorpusEqualsRules(t *testing.T) {
	rules := append(corpus(t), ownRules(t)...)
	f := newFixture(rules, nil)
	s := f.engine.NewScanner()
	g := newGenerator(1)
	matched := map[int]bool{}
	for i, r := range rules {
		for attempt := range 2 {
			e := g.eventFor(r, attempt)
			f.check(t, s, e)
			if slot := i % 3 % 2; !matched[i] {
				for _, id := range s.Match(f.routes[slot]) {
					matched[id] = true
				}
			}
			for k, d := range e {
				if text, ok := d.value.(string); ok {
					e[k].value = g.mutated(text)
				}
			}
			f.check(t, s, e)
		}
	}
	stats := f.engine.Stats()
	assert.Less(t, stats.Bytes, 100*stats.States, "the automata are to be compact: %+v", stats)
	assert.Greater(t, len(matched), len(rules)*3/4, "of %d rules few ever matched, so little was compared", len(rules))
}

// The rules' own tests, which name fields instead of slots.
func TestOwnRules(t *testing.T) {
	rules := ownRules(t)
	f := newFixture(rules, nil)
	s := f.engine.NewScanner()
	for i, r := range rules {
		for _, test := range r.Tests {
			var e plainEvent
			for field, v := range test.Event {
				list, ok := v.([]any)
				if !ok {
					list = []any{v}
				}
				for _, element := range list {
					e = append(e, datum{field, element})
				}
			}
			for _, text := range test.Keywords {
				e = append(e, datum{"", text})
			}
			f.check(t, s, e)
			assert.Equal(t, test.Match, slices.Contains(s.Match(f.routes[i%3%2]), i), "%s: %s", r.Title, test.Name)
		}
	}
}

// eventFor makes an event that satisfies many selections of a rule: values that stand anywhere are put into one text.
func (g generator) eventFor(r *sigma.Rule, attempt int) plainEvent {
	var e plainEvent
	at := map[string]int{}
	for _, selection := range r.Selections {
		if strings.HasPrefix(selection.Name, "filter") {
			continue
		}
		for _, item := range selection.Alternatives[attempt%len(selection.Alternatives)] {
			values := item.Values
			if !item.All {
				values = values[attempt%len(values):][:1]
			}
			for _, v := range values {
				e = withSample(e, at, item.Field, v.Matchers[attempt%len(v.Matchers)])
			}
		}
	}
	return e
}

func withSample(e plainEvent, at map[string]int, field string, m sigma.Matcher) plainEvent {
	var value any
	switch m := m.(type) {
	case sigma.Pattern:
		text := sampleOf(m)
		if k, ok := at[field]; ok && len(m.Parts) > 1 {
			before, _ := e[k].value.(string)
			e[k].value = before + text
			return e
		}
		value = text
	case sigma.Number:
		value = m.Value
	case sigma.Bool:
		value = m.Value
	case sigma.CIDR:
		value = m.Prefix.Addr().String()
	case sigma.Regexp:
		value = strings.Trim(m.Source, "^$")
	}
	if _, text := value.(string); !text && field == "" {
		return e
	}
	at[field] = len(e)
	return append(e, datum{field, value})
}
