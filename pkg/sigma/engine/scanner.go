// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math"
	"slices"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Scanner judges one event after the other. It is for one goroutine at a time.
type Scanner struct {
	e      *Engine
	values []value // number 0 is not used
	slots  []slotValues
	used   []Slot // slots with values
	arena  []byte // texts of the event's values

	truth    bitset        // predicates that hold
	known    bitset        // questions that were answered
	hits     []predicateID // scanned predicates that hold
	answered []predicateID // questions that were answered

	marks bitset        // predicates found in the value at hand
	found []predicateID // the same as a list

	judged  bitset // rules looked at in this Match
	looked  []uint32
	matched []int
	memos   []memo
	judging bool // Match was called for this event
}

type slotValues struct{ first, last int32 }

type bitset []uint64

func newBitset(n int) bitset       { return make(bitset, (n+63)/64) }
func (b bitset) has(i uint32) bool { return b[i>>6]>>(i&63)&1 != 0 }
func (b bitset) add(i uint32)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) remove(i uint32)   { b[i>>6] &^= 1 << (i & 63) }

// NewScanner returns a scanner for the events of one goroutine. Acquire is for those who need one now and then.
func (e *Engine) NewScanner() *Scanner { return e.newScanner() }

// Acquire returns a scanner that holds no event. It is given back with Release.
func (e *Engine) Acquire() *Scanner { return e.scanners.Get().(*Scanner) }

// Release forgets the event and gives the scanner back to its engine.
func (s *Scanner) Release() {
	s.Reset()
	clear(s.values[:cap(s.values)]) // they hold on to the strings of events
	s.e.scanners.Put(s)
}

func (e *Engine) newScanner() *Scanner {
	predicates := int(e.scanned) + len(e.questions) + 1
	return &Scanner{
		e: e, values: make([]value, 1, 64), slots: make([]slotValues, len(e.tables)),
		truth: newBitset(predicates), known: newBitset(predicates), marks: newBitset(predicates),
		judged: newBitset(len(e.rules)), memos: make([]memo, len(e.tables)),
	}
}

// maxArena is what a scanner keeps for the texts of events, so that one huge event is not paid for for ever.
const maxArena = 1 << 20

// Reset begins a new event, without values.
func (s *Scanner) Reset() {
	for _, slot := range s.used {
		s.slots[slot] = slotValues{}
	}
	for _, id := range s.hits {
		s.truth.remove(uint32(id))
	}
	s.forgetAnswers()
	s.values, s.used, s.hits, s.matched = s.values[:1], s.used[:0], s.hits[:0], s.matched[:0]
	if cap(s.arena) > maxArena {
		s.arena = nil
	}
	s.arena = s.arena[:0]
	s.judging = false
}

func (s *Scanner) forgetAnswers() {
	for _, id := range s.answered {
		s.truth.remove(uint32(id))
		s.known.remove(uint32(id))
	}
	s.answered = s.answered[:0]
}

// AddString adds a text to the values of a slot. The scanner keeps it until the next Reset.
func (s *Scanner) AddString(slot Slot, v string) { s.add(slot, value{kind: kindString, str: v}) }

// AddInt adds a whole number to the values of a slot.
func (s *Scanner) AddInt(slot Slot, v int64) { s.add(slot, value{kind: kindInt, bits: uint64(v)}) }

// AddFloat adds a number to the values of a slot.
func (s *Scanner) AddFloat(slot Slot, v float64) {
	s.add(slot, value{kind: kindFloat, bits: math.Float64bits(v)})
}

// AddBool adds a boolean to the values of a slot.
func (s *Scanner) AddBool(slot Slot, v bool) {
	var set uint64
	if v {
		set = 1
	}
	s.add(slot, value{kind: kindBool, bits: set})
}

// AddNil adds a value that is there and is nothing to the values of a slot.
func (s *Scanner) AddNil(slot Slot) { s.add(slot, value{}) }

// AddKeyword adds a text that keyword selections search.
func (s *Scanner) AddKeyword(text string) { s.AddString(keywords, text) }

func (s *Scanner) add(slot Slot, v value) {
	if s.judging {
		s.forgetAnswers() // what depends on values was asked without this one
	}
	id := int32(len(s.values))
	s.values = append(s.values, v)
	if list := &s.slots[slot]; list.first == 0 {
		*list = slotValues{id, id}
		s.used = append(s.used, slot)
	} else {
		s.values[list.last].next = id
		list.last = id
	}
}

func (s *Scanner) first(slot Slot) *value { return s.at(s.slots[slot].first) }
func (s *Scanner) next(v *value) *value   { return s.at(v.next) }

func (s *Scanner) at(id int32) *value {
	if id == 0 {
		return nil
	}
	return &s.values[id]
}

// some tells whether a value of the slot is as asked.
func (s *Scanner) some(slot Slot, ok func(v *value) bool) bool {
	for v := s.first(slot); v != nil; v = s.next(v) {
		if ok(v) {
			return true
		}
	}
	return false
}

// lookup gives all values of the slots.
func (s *Scanner) lookup(slots []Slot) []any {
	var values []any
	for _, slot := range slots {
		for v := s.first(slot); v != nil; v = s.next(v) {
			values = append(values, v.any())
		}
	}
	return values
}

// Match returns the ids of the rules of a route that match the event, sorted. The slice is good until the next Match or Reset.
func (s *Scanner) Match(r Route) []int {
	s.judging = true
	s.matched = s.matched[:0]
	route := &s.e.routes[r]
	for _, slot := range route.slots {
		s.scanSlot(slot)
	}
	if route.texts {
		s.scanSlot(keywords)
	}
	for _, id := range s.hits {
		for _, p := range s.e.posts[s.e.postsOf[id]:s.e.postsOf[id+1]] {
			if p.route > r {
				break
			}
			if p.route == r && !s.judged.has(p.rule) {
				s.judged.add(p.rule)
				s.looked = append(s.looked, p.rule)
				s.judge(p.rule)
			}
		}
	}
	for _, rule := range route.always {
		s.judge(rule)
	}
	for _, rule := range s.looked {
		s.judged.remove(rule)
	}
	s.looked = s.looked[:0]
	if len(s.matched) > 1 {
		slices.Sort(s.matched)
	}
	return s.matched
}

func (s *Scanner) judge(rule uint32) {
	if s.holds(s.e.rules[rule].root) {
		s.matched = append(s.matched, int(rule))
	}
}

// holds reports whether a term holds.
func (s *Scanner) holds(t term) bool {
	if t.isNode() {
		return s.node(t.node()) != t.isNegated()
	}
	return s.predicate(t.predicate()) != t.isNegated()
}

func (s *Scanner) node(id nodeID) bool {
	n := &s.e.nodes.list[id]
	for _, t := range s.e.nodes.terms[n.lo:n.hi] {
		if s.holds(t) == n.or {
			return n.or
		}
	}
	return !n.or
}

func (s *Scanner) predicate(id predicateID) bool {
	if s.truth.has(uint32(id)) {
		return true
	}
	if id <= s.e.scanned || s.known.has(uint32(id)) {
		return false
	}
	return s.answer(id)
}

func (s *Scanner) answer(id predicateID) bool {
	q := &s.e.questions[id-s.e.scanned-1]
	holds := (q.guard == 0 || s.node(q.guard)) && q.question.holds(s)
	s.known.add(uint32(id))
	s.answered = append(s.answered, id)
	if holds {
		s.truth.add(uint32(id))
	}
	return holds
}

// scanSlot finds what the slot's values make true.
func (s *Scanner) scanSlot(slot Slot) {
	for v := s.first(slot); v != nil; v = s.next(v) {
		if !v.scanned {
			v.scanned = true
			s.scan(slot, v)
		}
	}
}

func (s *Scanner) scan(slot Slot, v *value) {
	t := &s.e.tables[slot]
	switch v.kind {
	case kindString:
		if t.readsText() {
			s.scanString(slot, t, v)
		}
		return
	case kindInt:
		s.hitAll(t.ints[v.int()])
	case kindFloat:
		if i, exact := asInt(v.float()); exact {
			s.hitAll(t.ints[i])
		} else {
			s.hitAll(t.floats[v.float()])
		}
	case kindBool:
		s.hitAll(t.bools[v.bool()])
	case kindNil:
		return
	}
	if t.readsText() {
		s.hitAll(s.scanText(t, v))
		s.unmark()
	}
}

// scanString takes what was found in the same string before, where that is remembered.
func (s *Scanner) scanString(slot Slot, t *table, v *value) {
	entry, holds := s.memos[slot].lookup(v.str)
	if holds {
		s.hitAll(entry.found)
		return
	}
	found := s.scanText(t, v)
	entry.keep(v.str, found)
	s.hitAll(found)
	s.unmark()
}

// scanText gives the predicates that hold because of the value's text, each once.
func (s *Scanner) scanText(t *table, v *value) []predicateID {
	text := s.folded(v)
	if t.lengths&lengthBit(len(text)) != 0 {
		if w, ok := t.whole[string(text)]; ok {
			s.find(w.any)
			if v.kind == kindString {
				for _, id := range w.strings {
					s.find(id)
				}
			}
		}
	}
	if t.automaton != nil {
		t.automaton.scan(text, s)
	}
	return s.found
}

// find notes a predicate that the text at hand makes true.
func (s *Scanner) find(id predicateID) {
	if id != 0 && !s.marks.has(uint32(id)) {
		s.marks.add(uint32(id))
		s.found = append(s.found, id)
	}
}

func (s *Scanner) unmark() {
	for _, id := range s.found {
		s.marks.remove(uint32(id))
	}
	s.found = s.found[:0]
}

// hitAll makes scanned predicates true.
func (s *Scanner) hitAll(ids []predicateID) {
	for _, id := range ids {
		if !s.truth.has(uint32(id)) {
			s.truth.add(uint32(id))
			s.hits = append(s.hits, id)
		}
	}
}

// Event returns the event as a rule sees it: each field with the values of the slots it is bound to. It is good until the
// next Reset.
func (s *Scanner) Event(id int) sigma.Event { return &view{s, s.e.rules[id].bindings} }

type view struct {
	s        *Scanner
	bindings []binding
}

func (v *view) Lookup(field string) ([]any, bool) {
	for _, b := range v.bindings {
		if b.field == field && field != "" {
			values := v.s.lookup(b.slots)
			return values, len(values) > 0
		}
	}
	return nil, false
}

func (v *view) Keywords() []string {
	var texts []string
	for k := v.s.first(keywords); k != nil; k = v.s.next(k) {
		texts = append(texts, k.str)
	}
	return texts
}
