// SPDX-License-Identifier: Apache-2.0

package sigma

import "slices"

// Match tells why a rule matched.
type Match struct {
	// Selections are those that made the condition hold, in the order in which the conditions name them.
	// What is true only because something did not happen (under "not") is not listed.
	Selections []SelectionMatch
}

// SelectionMatch is a selection that was true, with the event's values that made it so.
type SelectionMatch struct {
	Name   string
	Fields []FieldMatch
}

// FieldMatch is a value of the event that satisfied an item. Field is "" for a keyword; Value is nil where the absence of a
// field or value was asked for.
type FieldMatch struct {
	Field string
	Value any
}

// Evaluate reports whether the event is what the rule looks for, and why.
func (r *Rule) Evaluate(ev Event) (Match, bool) {
	e := &evaluation{event: ev, done: map[*Selection]selectionResult{}}
	var contributors []*Selection
	matched := false
	for _, c := range r.Conditions {
		if c.holds(e) {
			matched = true
			contributors = append(contributors, c.contributors(e)...)
		}
	}
	var m Match
	for i, s := range contributors {
		if !slices.Contains(contributors[:i], s) {
			m.Selections = append(m.Selections, SelectionMatch{s.Name, e.selection(s).fields})
		}
	}
	return m, matched
}

// evaluation judges one event by one rule and remembers what the selections came to.
type evaluation struct {
	event Event
	done  map[*Selection]selectionResult
}

type selectionResult struct {
	holds  bool
	fields []FieldMatch
}

func (c And) holds(e *evaluation) bool {
	for _, t := range c.Terms {
		if !t.holds(e) {
			return false
		}
	}
	return true
}

func (c Or) holds(e *evaluation) bool {
	for _, t := range c.Terms {
		if t.holds(e) {
			return true
		}
	}
	return false
}

func (c Not) holds(e *evaluation) bool { return !c.Term.holds(e) }

func (c Ref) holds(e *evaluation) bool { return e.selection(c.Selection).holds }

func (c Quantified) holds(e *evaluation) bool {
	for _, s := range c.Selections {
		if e.selection(s).holds != c.All {
			return !c.All
		}
	}
	return c.All
}

func (c And) contributors(e *evaluation) []*Selection { return contributorsOf(c.Terms, e) }
func (c Or) contributors(e *evaluation) []*Selection  { return contributorsOf(c.Terms, e) }
func (c Not) contributors(*evaluation) []*Selection   { return nil }
func (c Ref) contributors(*evaluation) []*Selection   { return []*Selection{c.Selection} }

func (c Quantified) contributors(e *evaluation) []*Selection {
	var held []*Selection
	for _, s := range c.Selections {
		if e.selection(s).holds {
			held = append(held, s)
		}
	}
	return held
}

func contributorsOf(terms []Condition, e *evaluation) []*Selection {
	var all []*Selection
	for _, t := range terms {
		if t.holds(e) {
			all = append(all, t.contributors(e)...)
		}
	}
	return all
}

func (e *evaluation) selection(s *Selection) selectionResult {
	if result, ok := e.done[s]; ok {
		return result
	}
	var result selectionResult
	for _, alternative := range s.Alternatives {
		if fields, ok := e.alternative(alternative); ok {
			result.holds = true
			result.fields = appendNew(result.fields, fields...)
		}
	}
	e.done[s] = result
	return result
}

func (e *evaluation) alternative(items Alternative) ([]FieldMatch, bool) {
	var fields []FieldMatch
	for _, item := range items {
		matched, ok := e.item(item)
		if !ok {
			return nil, false
		}
		for _, v := range matched {
			fields = appendNew(fields, FieldMatch{item.Field, v})
		}
	}
	return fields, true
}

// item reports whether an item holds, and the event's values that made it so: those that satisfied a value, or for a negated
// item all there are.
func (e *evaluation) item(item *Item) (matched []any, ok bool) {
	values, c := e.values(item.Field)
	ok = item.All
	for _, want := range item.Values {
		satisfying := want.satisfiedBy(values, c)
		matched = append(matched, satisfying...)
		if held := len(satisfying) > 0; held != item.All {
			ok = held
		}
	}
	if item.Negate {
		return values, !ok
	}
	return matched, ok
}

// values gives what an item is compared with. Where there is nothing, that is the single value nil.
func (e *evaluation) values(field string) ([]any, fieldContext) {
	if field == "" {
		texts := e.event.Keywords()
		values := make([]any, len(texts))
		for i, t := range texts {
			values[i] = t
		}
		return values, fieldContext{event: e.event, present: true}
	}
	found, present := e.event.Lookup(field)
	if !present || len(found) == 0 {
		found = []any{nil}
	}
	values := make([]any, len(found))
	for i, v := range found {
		values[i] = scalar(v)
	}
	return values, fieldContext{event: e.event, present: present}
}

// satisfiedBy gives those of the event's values that one of the matchers accepts.
func (w Value) satisfiedBy(values []any, c fieldContext) []any {
	var satisfying []any
	for _, v := range values {
		if slices.ContainsFunc(w.Matchers, func(m Matcher) bool { return m.holds(v, c) }) {
			satisfying = append(satisfying, v)
		}
	}
	return satisfying
}

func appendNew(fields []FieldMatch, more ...FieldMatch) []FieldMatch {
	for _, f := range more {
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	return fields
}
