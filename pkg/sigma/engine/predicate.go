// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// predicateID numbers what is asked about an event; 0 is nothing.
type predicateID uint32

// predicate is something that holds for an event or does not. It is a literal, a scalar or a question.
type predicate struct {
	literal  *literal
	scalar   *scalar
	question question
	guard    guard // for a question: where this does not hold, the predicate does not either
}

// guard is a node with the guessed share of events in which it holds. Node 0 is none.
type guard struct {
	node  nodeID
	share float64
}

// literal holds where a value of the slot, taken as text, has the folded text in it, at the beginning or the end if so said.
type literal struct {
	slot           Slot
	text           string
	atStart, atEnd bool
}

// scalar holds where the slot has the number or the boolean, or its text as a string.
type scalar struct {
	slot  Slot
	value any // int64, float64 that is no int64, or bool
	text  string
}

func (l *literal) whole() bool { return l.atStart && l.atEnd }

// predicates gives each predicate a number, the same one for the same predicate.
type predicates struct {
	list      []predicate // number 0 is not used
	literals  map[literal]predicateID
	scalars   map[scalar]predicateID
	questions map[string]predicateID // by kind and content
}

func newPredicates() predicates {
	return predicates{
		list:      make([]predicate, 1),
		literals:  map[literal]predicateID{},
		scalars:   map[scalar]predicateID{},
		questions: map[string]predicateID{},
	}
}

func (p *predicates) add(pred predicate) predicateID {
	p.list = push(p.list, pred)
	return predicateID(len(p.list) - 1)
}

func (p *predicates) literal(l literal) predicateID {
	if id, ok := p.literals[l]; ok {
		return id
	}
	kept := l
	id := p.add(predicate{literal: &kept})
	p.literals[l] = id
	return id
}

func (p *predicates) number(slot Slot, n sigma.Number) predicateID {
	value := n.Value
	text := string(appendScalar(nil, value))
	if f, ok := value.(float64); ok {
		if i, exact := asInt(f); exact {
			value = i
		}
	}
	return p.scalar(scalar{slot, value, text})
}

func (p *predicates) scalar(s scalar) predicateID {
	if id, ok := p.scalars[s]; ok {
		return id
	}
	kept := s
	id := p.add(predicate{scalar: &kept})
	p.scalars[s] = id
	return id
}

// question finds or makes a predicate of the kind and content that the key names.
func (p *predicates) question(key string, q question, g guard) predicateID {
	if id, ok := p.questions[key]; ok {
		return id
	}
	id := p.add(predicate{question: q, guard: g})
	p.questions[key] = id
	return id
}

// asInt gives the number as int64 where it is one exactly.
func asInt(f float64) (int64, bool) {
	const limit = 1 << 63
	if f < -limit || f >= limit || f != float64(int64(f)) {
		return 0, false
	}
	return int64(f), true
}

// appendScalar appends the form in which a value that is no string is compared with text.
func appendScalar(dst []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	case bool:
		return strconv.AppendBool(dst, v)
	}
	return dst
}

// pattern gives the predicate of a text pattern. What is more than one literal is a question that a literal guards.
func (b *Builder) pattern(slot Slot, p sigma.Pattern) predicateID {
	parts := withoutDoubleRuns(p.Parts)
	whole, isLiteral := literalOf(slot, parts)
	if isLiteral && !p.Cased && utf8.ValidString(whole.text) {
		return b.predicates.literal(whole)
	}
	if len(parts) == 1 && parts[0].Kind == sigma.AnyRun {
		return b.predicates.question(fmt.Sprintf("text %d", slot), anyText{slot}, guard{})
	}
	g := b.guardOf(slot, parts)
	key := fmt.Sprintf("pattern %d %t %s", slot, p.Cased, partsKey(parts))
	if !validLiterals(parts) {
		return b.predicates.question(key, matcherQuestion{slot, p}, g)
	}
	if p.Cased {
		same := func(s string) string { return s }
		return b.predicates.question(key, casedQuestion{slot, newWildcard(parts, same)}, g)
	}
	return b.predicates.question(key, wildcardQuestion{slot, newWildcard(parts, folded)}, g)
}

// withoutDoubleRuns drops each "*" that follows another. Few patterns have any, so most are not copied.
func withoutDoubleRuns(parts []sigma.Part) []sigma.Part {
	both := func(a, b sigma.Part) bool { return a.Kind == sigma.AnyRun && b.Kind == sigma.AnyRun }
	for i := 1; i < len(parts); i++ {
		if both(parts[i-1], parts[i]) {
			return slices.CompactFunc(slices.Clone(parts), both)
		}
	}
	return parts
}

// literalOf takes a pattern that is one literal, with or without "*" before and after it.
func literalOf(slot Slot, parts []sigma.Part) (literal, bool) {
	l := literal{slot: slot, atStart: true, atEnd: true}
	if len(parts) > 1 && parts[0].Kind == sigma.AnyRun {
		l.atStart = false
		parts = parts[1:]
	}
	if len(parts) > 1 && parts[len(parts)-1].Kind == sigma.AnyRun {
		l.atEnd = false
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 0 {
		return l, true
	}
	l.text = folded(parts[0].Text)
	return l, len(parts) == 1 && parts[0].Kind == sigma.Literal
}

// guardOf gives the node that holds where the rarest literal of the pattern is in the text. Literals of invalid UTF-8 will do.
func (b *Builder) guardOf(slot Slot, parts []sigma.Part) guard {
	var best *literal
	for i, part := range parts {
		if part.Kind != sigma.Literal {
			continue
		}
		l := &literal{slot: slot, text: folded(part.Text), atStart: i == 0, atEnd: i == len(parts)-1}
		if best == nil || frequency(l) < frequency(best) {
			best = l
		}
	}
	if best == nil {
		return guard{}
	}
	return guard{b.nodes.add(true, []term{predicateTerm(b.predicates.literal(*best))}), frequency(best)}
}

func validLiterals(parts []sigma.Part) bool {
	for _, part := range parts {
		if !utf8.ValidString(part.Text) {
			return false
		}
	}
	return true
}

func partsKey(parts []sigma.Part) string {
	var b strings.Builder
	for _, part := range parts {
		fmt.Fprintf(&b, "%d%q", part.Kind, part.Text)
	}
	return b.String()
}

// expression gives the term of a regular expression: the literals it comes down to, or else a question that they guard.
func (b *Builder) expression(slot Slot, r sigma.Regexp) term {
	re := r.Expression()
	needs, ok := b.expressions[re.String()]
	if !ok {
		needs = requiredLiterals(re.String())
		b.expressions[re.String()] = needs
	}
	var terms []term
	for _, text := range needs.list {
		terms = append(terms, predicateTerm(b.predicates.literal(literal{slot: slot, text: text})))
	}
	if needs.exact {
		return b.nodes.term(true, terms)
	}
	var g guard
	if len(terms) > 0 {
		g = guard{b.nodes.add(true, terms), needs.share}
	}
	return predicateTerm(b.predicates.question(fmt.Sprintf("re %d %s", slot, re), regexpQuestion{slot, re, needs.length, needs.run}, g))
}
