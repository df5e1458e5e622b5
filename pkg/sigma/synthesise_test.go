// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"regexp/syntax"
	"strings"
)

// synthesise makes an event that the rule should match out of the rule's own selections. single tells that every field got
// one value only; where the values wanted of a field cannot be put into one text, it gets them all as an array.
func synthesise(r *Rule) (event Event, single, ok bool) {
	for _, single := range []bool{true, false} {
		for _, c := range r.Conditions {
			for _, goal := range goals(c) {
				for attempt := range 20 {
					event := eventFor(goal, attempt, single)
					if _, matched := r.Evaluate(event); matched {
						return event, single, true
					}
				}
			}
		}
	}
	return nil, false, false
}

// goals gives the sets of selections of which one must hold as a whole.
func goals(c Condition) [][]*Selection {
	switch c := c.(type) {
	case Ref:
		return [][]*Selection{{c.Selection}}
	case Quantified:
		if c.All {
			return [][]*Selection{c.Selections}
		}
		var each [][]*Selection
		for _, s := range c.Selections {
			each = append(each, []*Selection{s})
		}
		return each
	case Or:
		var all [][]*Selection
		for _, t := range c.Terms {
			all = append(all, goals(t)...)
		}
		return all
	case And:
		all := [][]*Selection{nil}
		for _, t := range c.Terms {
			var longer [][]*Selection
			for _, head := range all {
				for _, tail := range goals(t) {
					longer = append(longer, append(append([]*Selection(nil), head...), tail...))
				}
			}
			all = longer
		}
		return all
	}
	return [][]*Selection{nil} // Not: nothing has to hold
}

// wish is what a field should hold: text at the beginning, in the middle and at the end, or a value that is no text.
type wish struct {
	begin, middle, end []string
	whole              []any
}

// eventFor grants the wishes of all selections, taking another alternative and another value at each attempt.
func eventFor(goal []*Selection, attempt int, single bool) Event {
	wishes := map[string]*wish{}
	var keywords []string
	for _, s := range goal {
		for _, item := range s.Alternatives[attempt%len(s.Alternatives)] {
			if item.Negate {
				continue
			}
			values := item.Values
			if !item.All {
				values = values[attempt%len(values):][:1]
			}
			w := wishes[item.Field]
			if w == nil {
				w = &wish{}
				wishes[item.Field] = w
			}
			for _, v := range values {
				w.add(v.Matchers[attempt%len(v.Matchers)])
			}
		}
	}
	m := fields{}
	for field, w := range wishes {
		switch {
		case field == "":
			keywords = append(append(append(keywords, w.begin...), w.middle...), w.end...)
		case single:
			m[field] = w.single(strings.Repeat("x", attempt%2))
		default:
			m[field] = w.array()
		}
	}
	return MapEvent(m, keywords...)
}

func (w *wish) add(m Matcher) {
	switch m := m.(type) {
	case Pattern:
		w.text(samplePattern(m), m.opens(0), m.opens(len(m.Parts)-1))
	case Regexp:
		s, err := syntax.Parse(m.Source, syntax.Perl)
		if err != nil {
			panic(err) // it was compiled before
		}
		text := sampleRegexp(s.Simplify())
		w.text(text, !strings.HasPrefix(m.Source, "^"), !strings.HasSuffix(m.Source, "$"))
	case Number:
		w.whole = append(w.whole, m.Value)
	case Bool:
		w.whole = append(w.whole, m.Value)
	case Null:
		w.whole = append(w.whole, nil)
	case CIDR:
		w.whole = append(w.whole, m.Prefix.Addr().String())
	case Exists:
		w.whole = append(w.whole, "x")
	}
}

// opens tells whether a part of the pattern lets any text stand there.
func (p Pattern) opens(part int) bool {
	return part >= 0 && part < len(p.Parts) && p.Parts[part].Kind == AnyRun
}

func (w *wish) text(s string, before, after bool) {
	switch {
	case before && after:
		w.middle = append(w.middle, s)
	case before:
		w.end = append(w.end, s)
	case after:
		w.begin = append(w.begin, s)
	default:
		w.whole = append(w.whole, s)
	}
}

// single puts all that is wished for into one text. The filler stands where any text may, to evade filters for exact values.
func (w *wish) single(filler string) any {
	if len(w.whole) > 0 {
		return w.whole[0]
	}
	return strings.Join(w.begin, "") + filler + strings.Join(w.middle, " ") + strings.Join(w.end, "")
}

func (w *wish) array() []any {
	values := w.whole
	for _, texts := range [][]string{w.begin, w.middle, w.end} {
		for _, s := range texts {
			values = append(values, s)
		}
	}
	return values
}

func samplePattern(p Pattern) string {
	return p.render(func(s string) string { return s }, "x", "")
}

// sampleRegexp gives a text that a simplified expression matches.
func sampleRegexp(re *syntax.Regexp) string {
	var b strings.Builder
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(re.Rune[0])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpCapture, syntax.OpPlus, syntax.OpConcat:
		for _, sub := range re.Sub {
			b.WriteString(sampleRegexp(sub))
		}
	case syntax.OpAlternate:
		b.WriteString(sampleRegexp(re.Sub[0]))
	}
	return b.String() // what may be absent is left out
}
