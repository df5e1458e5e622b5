// SPDX-License-Identifier: Apache-2.0

package engine

import "slices"

// nodeID numbers nodes; 0 is no node.
type nodeID uint32

// node is a conjunction of terms, or a disjunction.
type node struct {
	or     bool
	lo, hi uint32 // in nodes.terms
}

// term is a predicate or a node, negated or not.
type term uint32

const (
	negated  term = 1 << 31
	nodeTerm term = 1 << 30
	termID   term = nodeTerm - 1
)

func predicateTerm(p predicateID) term { return term(p) }

func (t term) not() term              { return t ^ negated }
func (t term) isNode() bool           { return t&nodeTerm != 0 }
func (t term) isNegated() bool        { return t&negated != 0 }
func (t term) node() nodeID           { return nodeID(t & termID) }
func (t term) predicate() predicateID { return predicateID(t & termID) }

// nodes holds the nodes of all rules.
type nodes struct {
	list  []node // number 0 is not used
	terms []term
}

// add makes a node.
func (n *nodes) add(or bool, terms []term) nodeID {
	lo := uint32(len(n.terms))
	for _, t := range terms {
		n.terms = push(n.terms, t)
	}
	n.list = push(n.list, node{or, lo, uint32(len(n.terms))})
	return nodeID(len(n.list) - 1)
}

// term makes a node where there is not just one term, which then stands for itself. Terms that are given twice count once.
func (n *nodes) term(or bool, terms []term) term {
	slices.Sort(terms)
	terms = slices.Compact(terms)
	if len(terms) == 1 {
		return terms[0]
	}
	return nodeTerm | term(n.add(or, terms))
}

// push appends to a list that becomes long. It makes room for twice as many each time; append, which makes room for a quarter
// more, would allocate a multiple of what is needed in the end.
func push[T any](list []T, v T) []T {
	if len(list) == cap(list) {
		list = slices.Grow(list, max(len(list), 16))
	}
	return append(list, v)
}

func (n *nodes) of(id nodeID) []term { return n.terms[n.list[id].lo:n.list[id].hi] }
