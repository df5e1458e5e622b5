// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"slices"
	"sync"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Engine judges events by the rules of its Builder. It does not change and is safe for concurrent use.
type Engine struct {
	slots     map[string]uint32
	slotNames []string
	routeIDs  map[string]uint32
	routes    []route
	tables    []table     // by slot
	scanned   predicateID // predicates up to this one are found by scanning values; the others are questions
	questions []guarded
	posts     []post   // of all predicates, one after the other, of each in the order of routes
	postsOf   []uint32 // by scanned predicate, where its posts begin; one more at the end
	nodes     nodes
	reasons   []term
	rules     []rule
	stats     Stats
	scanners  sync.Pool
}

// Stats tells how big an engine is.
type Stats struct {
	Rules      int // added
	Unindexed  int // of them those that every event of their routes is judged by, because they need no certain text or number
	Predicates int // different things asked of values
	Literals   int // of them those found by automata
	States     int // of all automata
	Bytes      int // that automata, nodes and lists take, without the rules themselves
}

type rule struct {
	rule     *sigma.Rule
	root     term
	cause    cause
	bindings []binding
}

type route struct {
	slots  []Slot // that are judged, without keywords
	texts  bool   // keywords are judged
	always []uint32
}

// post says that a rule may match where a predicate holds, on one route.
type post struct {
	route Route
	rule  uint32
}

type guarded struct {
	question question
	guard    nodeID
}

// table finds the predicates that a slot's values make true.
type table struct {
	automaton *automaton // nil where there is nothing to look for
	whole     map[string]wholeText
	lengths   uint64 // of the texts in whole, as bits; all from 63 on share one
	ints      map[int64][]predicateID
	floats    map[float64][]predicateID // those that are no int64
	bools     map[bool][]predicateID
}

// wholeText is the predicates that hold for a text as a whole.
type wholeText struct {
	any     predicateID   // for every value with this text, 0 for none
	strings []predicateID // for strings only
}

func (t *table) readsText() bool { return t.automaton != nil || len(t.whole) > 0 }

// Slot returns the slot of the name, and whether any rule was bound to one.
func (e *Engine) Slot(name string) (Slot, bool) {
	id, ok := e.slots[name]
	return Slot(id), ok
}

// SlotName returns the name of a slot.
func (e *Engine) SlotName(slot Slot) string { return e.slotNames[slot] }

// Route returns the route of the name, and whether there is one.
func (e *Engine) Route(name string) (Route, bool) {
	id, ok := e.routeIDs[name]
	return Route(id), ok
}

// Needs returns the slots that the rules of a route judge by, sorted. Values of other slots make no difference to Match. The
// caller must not change the slice.
func (e *Engine) Needs(r Route) []Slot { return e.routes[r].slots }

// NeedsKeywords reports whether a rule of the route searches keywords.
func (e *Engine) NeedsKeywords(r Route) bool { return e.routes[r].texts }

// Rule returns the rule that was given an id.
func (e *Engine) Rule(id int) *sigma.Rule { return e.rules[id].rule }

// Stats tells how big the engine is.
func (e *Engine) Stats() Stats { return e.stats }

// Build returns an engine of the rules added so far. The builder is of no use afterwards.
func (b *Builder) Build() *Engine {
	a := &analysis{Builder: b, shares: make([]float64, len(b.predicates.list)), needed: map[term]necessity{}}
	for i := range a.shares {
		a.shares[i] = -1
	}
	needs := make([]necessity, len(b.rules))
	index := make([]bool, len(b.predicates.list))
	for i, r := range b.rules {
		needs[i] = a.necessary(r.root)
		for _, id := range needs[i].any {
			index[id] = true
		}
	}
	b.ask(index)
	a.order()
	e := &Engine{
		slots: b.slots, slotNames: b.slotNames, routeIDs: b.routes,
		routes: make([]route, len(b.routeNames)), tables: make([]table, len(b.slotNames)),
	}
	numbers := e.number(b.predicates.list)
	e.nodes, e.reasons = b.nodes, b.reasons
	for _, terms := range [][]term{e.nodes.terms, e.reasons} {
		for i, t := range terms {
			terms[i] = t.renumbered(numbers)
		}
	}
	literals := e.fillTables(b.predicates.list, numbers)
	e.addRules(b.rules, needs, numbers)
	e.measure(len(b.predicates.list)-1, literals)
	e.scanners.New = func() any { return e.newScanner() }
	return e
}

// ask makes questions of the literals that are so short that they are found all the time, unless rules are found by them.
func (b *Builder) ask(index []bool) {
	for id := range b.predicates.list {
		p := &b.predicates.list[id]
		if l := p.literal; l != nil && !index[id] && len(l.text) <= 2 && !l.whole() {
			*p = predicate{question: literalQuestion{l.slot, []byte(l.text), l.atStart, l.atEnd}}
		}
	}
}

// number gives the predicates the numbers they have in the engine, those that scanning finds first.
func (e *Engine) number(list []predicate) []predicateID {
	numbers := make([]predicateID, len(list))
	for id := 1; id < len(list); id++ {
		if list[id].question == nil {
			e.scanned++
			numbers[id] = e.scanned
		}
	}
	for id := 1; id < len(list); id++ {
		if q := list[id].question; q != nil {
			e.questions = append(e.questions, guarded{q, list[id].guard.node})
			numbers[id] = e.scanned + predicateID(len(e.questions))
		}
	}
	return numbers
}

func (t term) renumbered(numbers []predicateID) term {
	if t.isNode() {
		return t
	}
	return t&negated | predicateTerm(numbers[t.predicate()])
}

// fillTables gives the number of literals that automata look for.
func (e *Engine) fillTables(list []predicate, numbers []predicateID) int {
	searched := make([][]automatonLiteral, len(e.tables))
	for id := range list {
		switch p := list[id]; {
		case p.scalar != nil:
			e.tables[p.scalar.slot].addScalar(p.scalar, numbers[id])
		case p.literal != nil && p.literal.whole():
			e.tables[p.literal.slot].addWhole(p.literal.text, func(w *wholeText) { w.any = numbers[id] })
		case p.literal != nil:
			searched[p.literal.slot] = push(searched[p.literal.slot], searchedLiteral(p.literal, numbers[id]))
		}
	}
	total := 0
	for slot, literals := range searched {
		if len(literals) > 0 {
			a := newAutomaton(literals)
			e.tables[slot].automaton = a
			total += a.literals()
		}
	}
	return total
}

func searchedLiteral(l *literal, id predicateID) automatonLiteral {
	switch {
	case l.atStart:
		return automatonLiteral{text: l.text, atStart: id}
	case l.atEnd:
		return automatonLiteral{text: l.text, atEnd: id}
	}
	return automatonLiteral{text: l.text, within: id}
}

func (t *table) addWhole(text string, change func(w *wholeText)) {
	if t.whole == nil {
		t.whole = map[string]wholeText{}
	}
	w := t.whole[text]
	change(&w)
	t.whole[text] = w
	t.lengths |= lengthBit(len(text))
}

func lengthBit(length int) uint64 { return 1 << min(length, 63) }

func (t *table) addScalar(s *scalar, id predicateID) {
	t.addWhole(s.text, func(w *wholeText) { w.strings = append(w.strings, id) })
	switch v := s.value.(type) {
	case int64:
		t.ints = appendTo(t.ints, v, id)
	case float64:
		t.floats = appendTo(t.floats, v, id)
	case bool:
		t.bools = appendTo(t.bools, v, id)
	}
}

func appendTo[K comparable](m map[K][]predicateID, key K, id predicateID) map[K][]predicateID {
	if m == nil {
		m = map[K][]predicateID{}
	}
	m[key] = append(m[key], id)
	return m
}

// addRules lists each rule with what finds it.
func (e *Engine) addRules(rules []builtRule, needs []necessity, numbers []predicateID) {
	for i, r := range rules {
		e.rules = append(e.rules, rule{r.rule, r.root.renumbered(numbers), r.cause, r.bindings})
		if !needs[i].known {
			e.stats.Unindexed++
		}
		for _, id := range r.routes {
			to := &e.routes[id]
			to.slots = append(to.slots, r.judged...)
			if !needs[i].known {
				to.always = append(to.always, uint32(i))
			}
		}
	}
	e.addPosts(rules, needs, numbers)
	for i := range e.routes {
		to := &e.routes[i]
		to.slots = sorted(to.slots)
		if len(to.slots) > 0 && to.slots[0] == keywords {
			to.slots, to.texts = to.slots[1:], true
		}
	}
}

// addPosts counts the posts of each predicate before it puts them where they belong.
func (e *Engine) addPosts(rules []builtRule, needs []necessity, numbers []predicateID) {
	each := func(visit func(p predicateID, at post)) {
		for i, r := range rules {
			for _, id := range r.routes {
				for _, p := range needs[i].any {
					visit(numbers[p], post{id, uint32(i)})
				}
			}
		}
	}
	e.postsOf = make([]uint32, e.scanned+2)
	each(func(p predicateID, _ post) { e.postsOf[p+1]++ })
	for p := range e.scanned + 1 {
		e.postsOf[p+1] += e.postsOf[p]
	}
	e.posts = make([]post, e.postsOf[e.scanned+1])
	next := slices.Clone(e.postsOf)
	each(func(p predicateID, at post) {
		e.posts[next[p]] = at
		next[p]++
	})
	for p := range e.scanned + 1 {
		slices.SortFunc(e.posts[e.postsOf[p]:e.postsOf[p+1]], func(x, y post) int {
			return cmp.Or(cmp.Compare(x.route, y.route), cmp.Compare(x.rule, y.rule))
		})
	}
}

func (e *Engine) measure(predicates, literals int) {
	e.stats.Rules = len(e.rules)
	e.stats.Predicates = predicates
	e.stats.Literals = literals
	e.stats.Bytes = len(e.posts)*8 + len(e.postsOf)*4 + len(e.nodes.list)*12 + len(e.nodes.terms)*4 + len(e.reasons)*4
	for i := range e.tables {
		t := &e.tables[i]
		if t.automaton != nil {
			e.stats.States += t.automaton.states
			e.stats.Bytes += t.automaton.bytes()
		}
		for text := range t.whole {
			e.stats.Bytes += len(text) + 64
		}
	}
}
