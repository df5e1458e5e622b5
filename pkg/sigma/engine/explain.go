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
	for i := range of.alternatives {
		if !s.holdsFor(of.alternatives[i].holds) {
			continue
		}
		for k := range of.alternatives[i].items {
			fields = s.itemFields(fields, rule, &of.alternatives[i].items[k])
		}
	}
	return fields
}

// itemFields adds the event's values that satisfy the values of an item; all there are where it is negated.
func (s *Scanner) itemFields(fields []sigma.FieldMatch, rule int, of *item) []sigma.FieldMatch {
	found := s.valuesOf(of.slots)
	if len(found) == 0 && of.Field != "" {
		found = []*value{{kind: kindNil}}
	}
	if of.Negate {
		return appendNew(fields, of.Field, found)
	}
	for i, want := range of.Values {
		switch {
		case !s.holdsFor(of.values + reason(i)):
		case len(found) == 1:
			fields = appendNew(fields, of.Field, found)
		default:
			fields = appendNew(fields, of.Field, s.accepted(rule, want, found))
		}
	}
	return fields
}

func (s *Scanner) valuesOf(slots []Slot) []*value {
	var values []*value
	for _, slot := range slots {
		for v := s.first(slot); v != nil; v = s.next(v) {
			values = append(values, v)
		}
	}
	return values
}

// accepted gives those of several values of a field that one of the matchers accepts.
func (s *Scanner) accepted(rule int, want sigma.Value, values []*value) []*value {
	tests := make([]func(v *value) bool, len(want.Matchers))
	for i, m := range want.Matchers {
		tests[i] = s.test(rule, m)
	}
	var accepted []*value
	for _, v := range values {
		if slices.ContainsFunc(tests, func(accepts func(v *value) bool) bool { return accepts(v) }) {
			accepted = append(accepted, v)
		}
	}
	return accepted
}

// test gives what tells whether a matcher accepts a value. Keywords are looked for in very many texts, which are folded already.
func (s *Scanner) test(rule int, m sigma.Matcher) func(v *value) bool {
	if p, ok := m.(sigma.Pattern); ok && !p.Cased && validLiterals(p.Parts) {
		w := newWildcard(p.Parts, folded)
		return func(v *value) bool { return v.kind != kindNil && w.match(s.folded(v)) }
	}
	ev := s.Event(rule)
	return func(v *value) bool { return sigma.Holds(m, v.any(), ev, true) }
}

func appendNew(fields []sigma.FieldMatch, field string, values []*value) []sigma.FieldMatch {
	for _, v := range values {
		if f := (sigma.FieldMatch{Field: field, Value: v.any()}); !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	return fields
}
