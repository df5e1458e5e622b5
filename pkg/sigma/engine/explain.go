// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// reason numbers a term that tells why a rule matches.
type reason uint32

// cause is a condition as far as it makes a rule match: a selection, or an operator over other causes.
type cause struct {
	holds     reason
	selection *selection // nil for an operator
	causes    []cause
}

// selection is what can be told of a selection that holds.
type selection struct {
	name         string
	alternatives []alternative
}

type alternative struct {
	holds reason
	items []item
}

// item is an item of a rule with the slots that it is compared with. The reasons of its values begin at values.
type item struct {
	*sigma.Item
	slots  []Slot
	values reason
}

func (b *Builder) reason(t term) reason {
	b.reasons = append(b.reasons, t)
	return reason(len(b.reasons) - 1)
}

// Explain tells why a rule matches the event: what sigma.Rule.Evaluate tells, for a rule that the latest Match returned.
func (s *Scanner) Explain(id int) sigma.Match {
	var m sigma.Match
	for _, selection := range s.contributors(nil, &s.e.rules[id].cause) {
		fields := s.fields(id, selection)
		m.Selections = append(m.Selections, sigma.SelectionMatch{Name: selection.name, Fields: fields})
	}
	return m
}

func (s *Scanner) holdsFor(r reason) bool { return s.holds(s.e.reasons[r]) }

// contributors adds the selections that make a cause hold, each once.
func (s *Scanner) contributors(known []*selection, c *cause) []*selection {
	if !s.holdsFor(c.holds) {
		return known
	}
	if c.selection != nil && !slices.Contains(known, c.selection) {
		known = append(known, c.selection)
	}
	for i := range c.causes {
		known = s.contributors(known, &c.causes[i])
	}
	return known
}

// fields gives the event's values that make a selection hold, each once.
func (s *Scanner) fields(rule int, of *selection) []sigma.FieldMatch {
	var fields []sigma.FieldMatch
	for _, alternative := range of.alternatives {
		if !s.holdsFor(alternative.holds) {
			continue
		}
		for i := range alternative.items {
			item := &alternative.items[i]
			for _, v := range s.satisfying(rule, item) {
				if f := (sigma.FieldMatch{Field: item.Field, Value: v}); !slices.Contains(fields, f) {
					fields = append(fields, f)
				}
			}
		}
	}
	return fields
}

// satisfying gives the event's values that satisfy the values of an item; all there are where it is negated.
func (s *Scanner) satisfying(rule int, of *item) []any {
	found := s.lookup(of.slots)
	present := len(found) > 0 || of.Field == ""
	if !present {
		found = []any{nil}
	}
	if of.Negate {
		return found
	}
	var matched []any
	for i, want := range of.Values {
		switch {
		case !s.holdsFor(of.values + reason(i)):
		case len(found) == 1:
			matched = append(matched, found[0])
		default:
			matched = append(matched, s.accepted(rule, want, found)...)
		}
	}
	return matched
}

// accepted gives those of several values that one of the matchers accepts.
func (s *Scanner) accepted(rule int, want sigma.Value, found []any) []any {
	var accepted []any
	ev := s.Event(rule)
	for _, v := range found {
		if slices.ContainsFunc(want.Matchers, func(m sigma.Matcher) bool { return sigma.Holds(m, v, ev, true) }) {
			accepted = append(accepted, v)
		}
	}
	return accepted
}
