// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
)

// automaton finds all of a set of literals in one pass over a text (Aho-Corasick), one step for each byte whatever the literals are.
//
// A step leads mostly to one of the first two bytes of a literal or to no literal at all, and then depends on the last two
// bytes only. Only the other steps are kept for each state: its row. Rows are sparse and lie interleaved in one array of
// cells: a state is the place where its row begins, and a cell in reach of it belongs to it when it says so.
type automaton struct {
	classes [256]uint8  // folded text has 26 bytes less than there are, so 8 bits do for all and the two below
	width   uint        // the number of classes; a pair of them is first*width + second
	pairs   []state     // where a step leads that is in no row
	cells   []cell      // the cell of a state and a class is at state+class
	finds   state       // states from here on find something
	found   []discovery // 0 is none
	states  int
}

// Classes of bytes that are special.
const (
	classFound = iota // no byte; the cell at this class holds what is found on reaching the state
	classOther        // bytes that are in no literal
	classFirst        // the first of the others
)

type state uint32

type cell struct{ owner, next state }

// discovery is a literal that ends where a state is reached, as the predicates that depend on where it began and ends.
type discovery struct {
	length         int
	within         predicateID
	atStart, atEnd predicateID
	shorter        uint32 // the next literal that ends here too
}

// automatonLiteral is a literal to be found. It is not empty.
type automatonLiteral struct {
	text                   string
	within, atStart, atEnd predicateID
}

// noCell owns the cells that are free.
const noCell state = 1<<32 - 1

// scan calls found for each discovery in the text, with the place where it ends.
func (a *automaton) scan(text []byte, s *Scanner) {
	var at state
	before := uint(classOther)
	for i, b := range text {
		class := uint(a.classes[b])
		next := a.pairs[before*a.width+class]
		if c := a.cells[uint(at)+class]; c.owner == at {
			next = c.next
		}
		at, before = next, class
		if at >= a.finds {
			a.report(at, i+1, len(text), s)
		}
	}
}

// report notes the predicates that hold because of the literals that end at a place in a text of the given length.
func (a *automaton) report(at state, end, length int, s *Scanner) {
	for i := uint32(a.cells[at].next); i != 0; {
		d := &a.found[i]
		s.find(d.within)
		if end == d.length {
			s.find(d.atStart)
		}
		if end == length {
			s.find(d.atEnd)
		}
		i = d.shorter
	}
}

func (a *automaton) bytes() int {
	return len(a.classes) + len(a.pairs)*4 + len(a.cells)*8 + len(a.found)*32
}

// trie is what an automaton is made from: nodes in the order in which sorted literals make them.
type trie struct {
	nodes []trieNode
	steps []step // rows of the nodes, one after the other
	pairs []uint32
}

type trieNode struct {
	class          uint8
	depth          uint32
	child, sibling uint32 // first child and next sibling; 0 is none
	fail           uint32 // the longest proper suffix that is a node too
	row, rowEnd    uint32 // steps
	found          uint32 // discovery
}

type step struct {
	class uint8
	node  uint32
}

// newAutomaton makes the automaton of the literals. Those of the same text are one, with the predicates of all of them; it
// changes the slice.
func newAutomaton(literals []automatonLiteral) *automaton {
	literals = united(literals)
	a := &automaton{found: make([]discovery, 1, len(literals)+1)}
	classes := a.classify(literals)
	a.width = uint(classes)
	t := a.plant(literals)
	order := t.connect(a.found, classes)
	a.states = len(t.nodes)
	a.lay(t, order, classes)
	return a
}

// united sorts literals and makes one of those with the same text.
func united(literals []automatonLiteral) []automatonLiteral {
	slices.SortFunc(literals, func(x, y automatonLiteral) int { return strings.Compare(x.text, y.text) })
	kept := literals[:0]
	for _, l := range literals {
		last := len(kept) - 1
		if last < 0 || kept[last].text != l.text {
			kept = append(kept, l)
			continue
		}
		same := &kept[last]
		same.within = max(same.within, l.within)
		same.atStart = max(same.atStart, l.atStart)
		same.atEnd = max(same.atEnd, l.atEnd)
	}
	return kept
}

// literals is the number of texts that it finds.
func (a *automaton) literals() int { return len(a.found) - 1 }

// classify numbers the bytes that literals have.
func (a *automaton) classify(literals []automatonLiteral) (classes int) {
	var used [256]bool
	for _, l := range literals {
		for i := range len(l.text) {
			used[l.text[i]] = true
		}
	}
	classes = classFirst
	for b, u := range used {
		a.classes[b] = classOther
		if u {
			a.classes[b] = uint8(classes)
			classes++
		}
	}
	return classes
}

// plant makes the trie of sorted literals. Only along the path of the literal before can a new one branch off.
func (a *automaton) plant(literals []automatonLiteral) *trie {
	t := &trie{nodes: make([]trieNode, 1, 1+branchedOff(literals))}
	path := []uint32{0}
	youngest := []uint32{0} // of each node on the path, the child that came last
	before := ""
	for _, l := range literals {
		shared := sharedPrefix(before, l.text)
		path, youngest = path[:shared+1], youngest[:shared+1]
		for depth := shared; depth < len(l.text); depth++ {
			id := uint32(len(t.nodes))
			t.nodes = append(t.nodes, trieNode{class: a.classes[l.text[depth]], depth: uint32(depth) + 1})
			if last := youngest[depth]; last != 0 {
				t.nodes[last].sibling = id
			} else {
				t.nodes[path[depth]].child = id
			}
			youngest[depth] = id
			path, youngest = append(path, id), append(youngest, 0)
		}
		t.nodes[path[len(l.text)]].found = uint32(len(a.found))
		a.found = append(a.found, discovery{length: len(l.text), within: l.within, atStart: l.atStart, atEnd: l.atEnd})
		before = l.text
	}
	return t
}

// branchedOff is the number of nodes that sorted literals make.
func branchedOff(literals []automatonLiteral) int {
	nodes, before := 0, ""
	for _, l := range literals {
		nodes += len(l.text) - sharedPrefix(before, l.text)
		before = l.text
	}
	return nodes
}

func sharedPrefix(x, y string) int {
	shared := 0
	for shared < min(len(x), len(y)) && x[shared] == y[shared] {
		shared++
	}
	return shared
}

// connect gives every node its row and what is found there, and the order in which it went: shorter ones first.
func (t *trie) connect(found []discovery, classes int) []uint32 {
	t.fillPairs(classes)
	t.steps = make([]step, 0, 4*len(t.nodes))
	order := append(make([]uint32, 0, len(t.nodes)), 0)
	for i := 0; i < len(order); i++ {
		id := order[i]
		n := &t.nodes[id]
		t.fillRow(id)
		if suffix := t.nodes[n.fail].found; n.found == 0 {
			n.found = suffix
		} else if id != 0 {
			found[n.found].shorter = suffix
		}
		for child := n.child; child != 0; child = t.nodes[child].sibling {
			if id != 0 {
				t.nodes[child].fail = t.next(n.fail, t.nodes[child].class, classes)
			}
			order = append(order, child)
		}
	}
	return order
}

// fillPairs finds the nodes of one byte, which come into question after any byte, and those of two.
func (t *trie) fillPairs(classes int) {
	t.pairs = make([]uint32, classes*classes)
	for one := t.nodes[0].child; one != 0; one = t.nodes[one].sibling {
		for before := range classes {
			t.pairs[before*classes+int(t.nodes[one].class)] = one
		}
	}
	for one := t.nodes[0].child; one != 0; one = t.nodes[one].sibling {
		for two := t.nodes[one].child; two != 0; two = t.nodes[two].sibling {
			t.pairs[int(t.nodes[one].class)*classes+int(t.nodes[two].class)] = two
		}
	}
}

// fillRow writes the row of a node: the steps to its children, and those of the longest suffix for which there is no
// child. Steps to nodes of up to two bytes are in no row. Rows are sorted by class.
func (t *trie) fillRow(id uint32) {
	n := &t.nodes[id]
	n.row = uint32(len(t.steps))
	if n.depth >= 2 {
		fail := &t.nodes[n.fail]
		inherited := t.steps[fail.row:fail.rowEnd]
		for child := n.child; child != 0; child = t.nodes[child].sibling {
			class := t.nodes[child].class
			for len(inherited) > 0 && inherited[0].class <= class {
				if inherited[0].class < class {
					t.steps = append(t.steps, inherited[0])
				}
				inherited = inherited[1:]
			}
			t.steps = append(t.steps, step{class, child})
		}
		t.steps = append(t.steps, inherited...)
	}
	n.rowEnd = uint32(len(t.steps))
}

// next tells where a step leads.
func (t *trie) next(id uint32, class uint8, classes int) uint32 {
	n := &t.nodes[id]
	for _, s := range t.steps[n.row:n.rowEnd] {
		if s.class == class {
			return s.node
		}
	}
	before := uint8(classOther)
	if id != 0 {
		before = n.class
	}
	return t.pairs[int(before)*classes+int(class)]
}

// lay puts the rows into cells. Those of nodes that find something come last, so that they are told apart by their place.
func (a *automaton) lay(t *trie, order []uint32, classes int) {
	places := make([]state, len(t.nodes))
	l := layout{cells: make([]cell, 0, len(t.steps)+len(t.nodes)+classes), classes: classes}
	l.grow(classes)
	for _, finds := range []bool{false, true} {
		if finds {
			l.low = len(l.cells) - classes + 1 // beyond all places so far
			a.finds = state(l.low)
		}
		for _, id := range order {
			if n := &t.nodes[id]; (n.found != 0) == finds {
				places[id] = l.place(t.steps[n.row:n.rowEnd])
			}
		}
	}
	a.cells = slices.Clip(l.cells)
	for id := range t.nodes {
		n := &t.nodes[id]
		a.cells[places[id]] = cell{places[id], state(n.found)}
		for _, s := range t.steps[n.row:n.rowEnd] {
			a.cells[places[id]+state(s.class)] = cell{places[id], places[s.node]}
		}
	}
	a.pairs = make([]state, len(t.pairs))
	for pair, id := range t.pairs {
		a.pairs[pair] = places[id]
	}
}

// layout finds room for rows.
type layout struct {
	cells   []cell
	classes int
	low     int // below it no place is tried any more
}

// patience is the number of places tried for a row before it is put where all is free.
const patience = 16

// place reserves the cells of a row and gives its place. Behind every place are cells for all classes.
func (l *layout) place(row []step) state {
	tried := 0
	for at := l.low; ; at++ {
		l.grow(at + l.classes)
		if l.cells[at].owner != noCell {
			if at == l.low {
				l.low++
			}
			continue
		}
		if !l.fits(at, row) {
			if tried++; tried == patience {
				l.low = max(l.low, at-patience)
				at = max(at, len(l.cells)-l.classes) // a row fits soon after
			}
			continue
		}
		l.cells[at].owner = state(at)
		for _, s := range row {
			l.cells[at+int(s.class)].owner = state(at)
		}
		return state(at)
	}
}

func (l *layout) fits(at int, row []step) bool {
	for _, s := range row {
		if l.cells[at+int(s.class)].owner != noCell {
			return false
		}
	}
	return true
}

func (l *layout) grow(to int) {
	for len(l.cells) < to {
		l.cells = append(l.cells, cell{owner: noCell})
	}
}
