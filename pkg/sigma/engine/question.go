// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"cmp"
	"math"
	"regexp"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// question is a predicate that is answered when a rule depends on it.
type question interface {
	holds(s *Scanner) bool
	cost() int // the dearest is asked last
}

// How dear questions are.
const (
	costCount = 1 + iota
	costSearch
	costParse
	costRegexp
	costMatcher
)

type (
	// nullQuestion holds where the slots together have no value, or nil among them.
	nullQuestion struct{ slots []Slot }
	// existsQuestion holds where the slots together have a value.
	existsQuestion struct{ slots []Slot }
	// anyText holds where the slot has a value that is not nil.
	anyText struct{ slot Slot }
	// literalQuestion is a literal that the automaton does not look for.
	literalQuestion struct {
		slot           Slot
		text           []byte
		atStart, atEnd bool
	}
	wildcardQuestion struct {
		slot    Slot
		pattern wildcard // folded
	}
	casedQuestion struct {
		slot    Slot
		pattern wildcard
	}
	regexpQuestion struct {
		slot Slot
		re   *regexp.Regexp
		// length is what a text that matches has at least, in bytes.
		length int
		run    *run // that it has too, nil for none
	}
	cidrQuestion struct {
		slot Slot
		cidr sigma.CIDR
	}
	// compareQuestion knows what becomes of whole numbers that are less than, equal to and greater than its own.
	compareQuestion struct {
		slot    Slot
		matcher sigma.Compare
		whole   bool // its own number is whole
		own     int64
		answers [3]bool
	}
	// matcherQuestion leaves it to the matcher.
	matcherQuestion struct {
		slot    Slot
		matcher sigma.Matcher
	}
	refQuestion struct {
		slots, others []Slot
		matcher       sigma.FieldRef
	}
)

func (nullQuestion) cost() int     { return costCount }
func (existsQuestion) cost() int   { return costCount }
func (anyText) cost() int          { return costCount }
func (literalQuestion) cost() int  { return costSearch }
func (wildcardQuestion) cost() int { return costSearch }
func (casedQuestion) cost() int    { return costSearch }
func (cidrQuestion) cost() int     { return costParse }
func (compareQuestion) cost() int  { return costParse }
func (regexpQuestion) cost() int   { return costRegexp }
func (matcherQuestion) cost() int  { return costMatcher }
func (refQuestion) cost() int      { return costMatcher }

func (q nullQuestion) holds(s *Scanner) bool {
	found := false
	for _, slot := range q.slots {
		for v := s.first(slot); v != nil; v = s.next(v) {
			if v.kind == kindNil {
				return true
			}
			found = true
		}
	}
	return !found
}

func (q existsQuestion) holds(s *Scanner) bool {
	for _, slot := range q.slots {
		if s.first(slot) != nil {
			return true
		}
	}
	return false
}

func (q anyText) holds(s *Scanner) bool {
	return s.some(q.slot, func(v *value) bool { return v.kind != kindNil })
}

func (q literalQuestion) holds(s *Scanner) bool {
	return s.some(q.slot, func(v *value) bool {
		switch text := s.folded(v); {
		case v.kind == kindNil:
			return false
		case q.atStart:
			return bytes.HasPrefix(text, q.text)
		case q.atEnd:
			return bytes.HasSuffix(text, q.text)
		default:
			return bytes.Contains(text, q.text)
		}
	})
}

func (q wildcardQuestion) holds(s *Scanner) bool {
	return s.some(q.slot, func(v *value) bool { return v.kind != kindNil && q.pattern.match(s.folded(v)) })
}

func (q casedQuestion) holds(s *Scanner) bool {
	return s.some(q.slot, func(v *value) bool { return v.kind != kindNil && q.pattern.match(s.text(v)) })
}

func (q regexpQuestion) holds(s *Scanner) bool {
	return s.some(q.slot, func(v *value) bool {
		if v.kind == kindString {
			return len(v.str) >= q.length && (q.run == nil || q.run.in(v.str)) && q.re.MatchString(v.str)
		}
		return v.kind != kindNil && q.re.Match(s.text(v))
	})
}

func (q cidrQuestion) holds(s *Scanner) bool {
	return s.some(q.slot, func(v *value) bool { return v.kind == kindString && q.cidr.Contains(v.str) })
}

func newCompareQuestion(slot Slot, m sigma.Compare) compareQuestion {
	q := compareQuestion{slot: slot, matcher: m}
	q.own, q.whole = m.Value.(int64)
	if !q.whole {
		return q
	}
	if q.own > math.MinInt64 {
		q.answers[0] = sigma.Holds(m, q.own-1, nil, true)
	}
	q.answers[1] = sigma.Holds(m, q.own, nil, true)
	if q.own < math.MaxInt64 {
		q.answers[2] = sigma.Holds(m, q.own+1, nil, true)
	}
	return q
}

func (q compareQuestion) holds(s *Scanner) bool {
	return s.some(q.slot, func(v *value) bool {
		if v.kind == kindInt && q.whole {
			return q.answers[1+cmp.Compare(v.int(), q.own)]
		}
		return sigma.Holds(q.matcher, v.any(), nil, true)
	})
}

func (q matcherQuestion) holds(s *Scanner) bool {
	return s.some(q.slot, func(v *value) bool { return sigma.Holds(q.matcher, v.any(), nil, true) })
}

func (q refQuestion) holds(s *Scanner) bool {
	others := slotsEvent{s, q.others}
	for _, slot := range q.slots {
		for v := s.first(slot); v != nil; v = s.next(v) {
			if sigma.Holds(q.matcher, v.any(), others, true) {
				return true
			}
		}
	}
	return false
}

// slotsEvent is an event in which every field has the values of the same slots.
type slotsEvent struct {
	s     *Scanner
	slots []Slot
}

func (e slotsEvent) Lookup(string) ([]any, bool) {
	values := e.s.lookup(e.slots)
	return values, len(values) > 0
}

func (slotsEvent) Keywords() []string { return nil }
