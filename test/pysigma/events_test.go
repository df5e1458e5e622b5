// SPDX-License-Identifier: Apache-2.0

package pysigma

import (
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// eventMaker makes events that a rule matches or almost matches, out of the rule's own values.
type eventMaker struct{ *rand.Rand }

// chance is true in percent of the cases.
func (m eventMaker) chance(percent int) bool { return m.IntN(100) < percent }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// events makes n events. Each grants the wishes of some of the rule's selections; half of them are then damaged in one place.
func (m eventMaker) events(r *sigma.Rule, n int) []event {
	var events []event
	for range n {
		e := event{Fields: map[string][]any{}, Keywords: []string{}}
		for _, s := range r.Selections {
			if m.chance(60) {
				m.grant(&e, pick(m.Rand, s.Alternatives))
			}
		}
		if m.chance(50) {
			m.damage(&e)
		}
		events = append(events, e)
	}
	return events
}

func (m eventMaker) grant(e *event, items sigma.Alternative) {
	for _, i := range items {
		if i.Negate && m.chance(70) {
			continue
		}
		values := m.wanted(i, e)
		switch {
		case i.Field == "":
			for _, v := range values {
				e.Keywords = append(e.Keywords, fmt.Sprint(v))
			}
		case len(values) > 0 && (len(e.Fields[i.Field]) == 0 || m.chance(20)):
			e.Fields[i.Field] = append(e.Fields[i.Field], values...)
		}
	}
}

// wanted gives values that satisfy an item. Where all texts are asked for they become one text, which does unless each
// wants the whole of it, or one value each.
func (m eventMaker) wanted(i *sigma.Item, e *event) []any {
	values := []sigma.Value{pick(m.Rand, i.Values)}
	if i.All {
		values = i.Values
	}
	var all []any
	var texts []string
	for _, v := range values {
		wanted, ok := m.value(pick(m.Rand, v.Matchers), e)
		if !ok {
			return nil
		}
		all = append(all, wanted)
		if s, ok := wanted.(string); ok {
			texts = append(texts, s)
		}
	}
	if len(texts) > 1 && len(texts) == len(all) && m.chance(80) {
		return []any{strings.Join(texts, " ")}
	}
	return all
}

// value gives what a matcher accepts; ok is false where that is the absence of the field.
func (m eventMaker) value(matcher sigma.Matcher, e *event) (v any, ok bool) {
	switch want := matcher.(type) {
	case sigma.Pattern:
		return m.text(want), true
	case sigma.Number:
		return m.number(want.Value, 0), true
	case sigma.Bool:
		return pick(m.Rand, []any{want.Value, want.Text}), true
	case sigma.Null:
		return nil, m.chance(50)
	case sigma.Regexp:
		parsed, err := syntax.Parse(want.Source, syntax.Perl)
		return m.regexp(parsed), err == nil
	case sigma.CIDR:
		return m.address(want), true
	case sigma.Exists:
		return pick(m.Rand, []any{"x", "", nil, 1}), want.Want
	case sigma.FieldRef:
		return m.reference(want, e), true
	case sigma.Compare:
		return m.number(want.Value, m.IntN(3)-1), true
	case sigma.TimePart:
		return m.timestamp(want), true
	}
	panic(fmt.Sprintf("unknown matcher %T", matcher))
}

// text fills the wildcards of a pattern.
func (m eventMaker) text(p sigma.Pattern) string {
	var b strings.Builder
	for _, part := range p.Parts {
		switch part.Kind {
		case sigma.AnyRun:
			b.WriteString(pick(m.Rand, []string{"", "", "x", " / é", "\n"}))
		case sigma.AnyChar:
			b.WriteString(pick(m.Rand, []string{"x", "?", "é", "\n"}))
		default:
			b.WriteString(part.Text)
		}
	}
	s := b.String()
	if m.chance(30) {
		s = otherCase(s)
	}
	return wire(s)
}

func otherCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// wire makes text fit for JSON, see sigmaEvent.
func wire(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, byteMark, charMark), "")
}

// number gives a number of a rule, some away, in one of the forms that events have.
func (m eventMaker) number(v any, away int) any {
	switch v := v.(type) {
	case int64:
		n := v + int64(away)
		return pick(m.Rand, []any{n, strconv.FormatInt(n, 10), float64(n) + 0.5, strconv.FormatInt(n, 10) + ".0"})
	case float64:
		return pick(m.Rand, []any{v + float64(away), strconv.FormatFloat(v, 'f', -1, 64), int64(v)})
	}
	return v
}

// address is the first of a network, the one before it, or the one in the form of IPv6.
func (m eventMaker) address(c sigma.CIDR) any {
	first := c.Prefix.Addr()
	choices := []any{first.String(), first.String(), first.Next().String(), first.Prev().String(), "x"}
	if first.Is4() {
		choices = append(choices, "::ffff:"+first.String())
	}
	return pick(m.Rand, choices)
}

// reference takes the other field's value, or sets it, and puts something around it.
func (m eventMaker) reference(want sigma.FieldRef, e *event) any {
	if len(e.Fields[want.Field]) == 0 {
		e.Fields[want.Field] = []any{pick(m.Rand, []any{"abc", "a*", 5, 5.5, nil, true, ""})}
	}
	other := e.Fields[want.Field][0]
	s, ok := other.(string)
	if !ok || m.chance(30) {
		return other
	}
	return pick(m.Rand, []any{otherCase(s), s + "x", "x" + s, "x" + s + "x"})
}

// timestamp has the wanted part or its neighbour, in one of the forms that logs have.
func (m eventMaker) timestamp(want sigma.TimePart) any {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	n := int(want.Value) + m.IntN(3) - 1
	switch want.Unit {
	case "minute":
		at = at.Add(time.Duration(n) * time.Minute)
	case "hour":
		at = at.Add(time.Duration(n) * time.Hour)
	case "day":
		at = at.AddDate(0, 0, n-1)
	case "week":
		at = at.AddDate(0, 0, 7*(n-1))
	case "month":
		at = at.AddDate(0, n-1, 0)
	default:
		at = at.AddDate(n-2024, 0, 0)
	}
	return at.Format(pick(m.Rand, []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05.000000+02:00", time.DateOnly, time.TimeOnly}))
}

// regexp gives a text that an expression matches; what may be absent is left out.
func (m eventMaker) regexp(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		return string(re.Rune[0])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return pick(m.Rand, []string{"x", "x", "\n"})
	case syntax.OpAlternate:
		return m.regexp(pick(m.Rand, re.Sub))
	case syntax.OpCapture, syntax.OpPlus, syntax.OpConcat:
		var b strings.Builder
		for _, sub := range re.Sub {
			b.WriteString(m.regexp(sub))
		}
		return b.String()
	case syntax.OpRepeat:
		return strings.Repeat(m.regexp(re.Sub[0]), re.Min)
	}
	return ""
}

// damage changes one value, so that the event is only near to what was asked for.
func (m eventMaker) damage(e *event) {
	names := make([]string, 0, len(e.Fields))
	for name := range e.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 || m.chance(15) {
		for i, k := range e.Keywords {
			e.Keywords[i], _ = m.damaged(k).(string)
		}
		return
	}
	name := pick(m.Rand, names)
	switch values := e.Fields[name]; {
	case m.chance(15):
		delete(e.Fields, name)
	case m.chance(10):
		e.Fields[name] = []any{}
	case len(values) > 0:
		values[0] = m.damaged(values[0])
	}
}

func (m eventMaker) damaged(v any) any {
	switch v := v.(type) {
	case int64:
		return pick(m.Rand, []any{v + 1, v - 1, -v, nil, "", true})
	case float64:
		return pick(m.Rand, []any{v + 1, int64(v), nil})
	case string:
		runes := []rune(v)
		if len(runes) == 0 {
			return pick(m.Rand, []any{" ", nil, int64(0)})
		}
		at := m.IntN(len(runes))
		without := string(slices.Delete(slices.Clone(runes), at, at+1))
		with := string(runes[:at]) + "x" + string(runes[at:])
		return pick(m.Rand, []any{without, with, v + "x", "x" + v, v[:len(v)-lastSize(v)], otherCase(v), `\` + v})
	}
	return pick(m.Rand, []any{"", "null", int64(0)})
}

func lastSize(s string) int {
	_, size := utf8.DecodeLastRuneInString(s)
	return size
}
