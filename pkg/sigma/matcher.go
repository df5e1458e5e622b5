// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Matcher is what a value of a rule became: Pattern, Number, Bool, Null, Regexp, CIDR, Exists, FieldRef, Compare or TimePart.
type Matcher interface {
	// holds reports whether the matcher accepts v, one value of the field that c describes. A field without values is asked once, with nil.
	holds(v any, c fieldContext) bool
}

// fieldContext is what a matcher may know besides the value.
type fieldContext struct {
	event   Event
	present bool // the event has the field
}

// Number equals a number and its decimal text. Value is int64 or float64, never NaN or infinite; Text is the spelling in the rule.
type Number struct {
	Value any
	Text  string
}

// Bool equals a boolean and its text.
type Bool struct {
	Value bool
	Text  string
}

// Null accepts a missing field and a nil value.
type Null struct{}

// Regexp looks for a regular expression anywhere in a text, or at the place the anchor names.
type Regexp struct {
	Source string
	Flags  string // of i, m, s
	Anchor Anchor

	re *regexp.Regexp
}

// CIDR accepts the addresses of a network. IPv4 addresses mapped into IPv6 count as IPv4.
type CIDR struct{ Prefix netip.Prefix }

// Exists accepts a field by its presence alone.
type Exists struct{ Want bool }

// FieldRef compares with the values of another field of the same event.
type FieldRef struct {
	Field  string
	Anchor Anchor
	Cased  bool
}

// Anchor says where in a value something must be.
type Anchor string

// Anchors, named as their modifiers.
const (
	Whole      Anchor = "" // for Regexp: anywhere
	Contains   Anchor = "contains"
	StartsWith Anchor = "startswith"
	EndsWith   Anchor = "endswith"
)

// Compare orders numbers. Op is gt, gte, lt or lte; Value is int64 or float64.
type Compare struct {
	Op    string
	Value any
}

// TimePart compares a part of a timestamp. Unit is minute, hour, day, week, month or year; Op is as in Compare, or "" for equality.
type TimePart struct {
	Unit  string
	Op    string
	Value int64
}

func (p Pattern) holds(v any, _ fieldContext) bool {
	s, ok := text(v)
	return ok && p.match(s)
}

func (n Number) holds(v any, _ fieldContext) bool {
	if s, ok := v.(string); ok {
		own, _ := text(n.Value)
		return s == own
	}
	order, ok := compareNumbers(v, n.Value)
	return ok && order == 0
}

func (b Bool) holds(v any, _ fieldContext) bool {
	switch v := v.(type) {
	case bool:
		return v == b.Value
	case string:
		own, _ := text(b.Value)
		return strings.EqualFold(v, own)
	}
	return false
}

func (Null) holds(v any, _ fieldContext) bool { return v == nil }

func (r Regexp) holds(v any, _ fieldContext) bool {
	s, ok := text(v)
	return ok && r.re.MatchString(s)
}

func (c CIDR) holds(v any, _ fieldContext) bool {
	s, ok := v.(string)
	return ok && c.Contains(s)
}

func (e Exists) holds(_ any, c fieldContext) bool { return c.present == e.Want }

func (f FieldRef) holds(v any, c fieldContext) bool {
	others, _ := c.event.Lookup(f.Field)
	for _, other := range others {
		if f.equal(v, scalar(other)) {
			return true
		}
	}
	return false
}

func (f FieldRef) equal(v, other any) bool {
	if order, ok := compareNumbers(v, other); ok && f.Anchor == Whole {
		return order == 0
	}
	s, ok := text(v)
	o, otherOK := text(other)
	if !ok || !otherOK {
		return false
	}
	p := literalPattern(o)
	p.Cased = f.Cased
	return p.anchored(f.Anchor).match(s)
}

// anchored lets the pattern match at the place the anchor names instead of the whole value.
func (p Pattern) anchored(a Anchor) Pattern {
	before := a == Contains || a == EndsWith
	after := a == Contains || a == StartsWith
	return p.widened(before, after)
}

func (c Compare) holds(v any, _ fieldContext) bool {
	n, ok := number(v)
	if !ok {
		return false
	}
	order, ok := compareNumbers(n, c.Value)
	return ok && ordered(order, c.Op)
}

func ordered(order int, op string) bool {
	switch op {
	case "gt":
		return order > 0
	case "gte":
		return order >= 0
	case "lt":
		return order < 0
	case "lte":
		return order <= 0
	}
	return order == 0
}

func (t TimePart) holds(v any, _ fieldContext) bool {
	s, ok := v.(string)
	if !ok {
		return false
	}
	at, ok := timestamp(s)
	if !ok {
		return false
	}
	order, _ := compareNumbers(t.of(at), t.Value)
	return ordered(order, t.Op)
}

func (t TimePart) of(at time.Time) int64 {
	switch t.Unit {
	case "minute":
		return int64(at.Minute())
	case "hour":
		return int64(at.Hour())
	case "day":
		return int64(at.Day())
	case "week":
		_, week := at.ISOWeek()
		return int64(week)
	case "month":
		return int64(at.Month())
	default:
		return int64(at.Year())
	}
}

// timestamp reads ISO 8601 in the forms logs use, with or without fraction and zone.
func timestamp(s string) (time.Time, bool) {
	if len(s) > 12 && s[12] == ':' {
		return time.Time{}, false // package time also takes an hour of one digit
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
