// SPDX-License-Identifier: Apache-2.0

// Package engine judges events by many Sigma rules at once. For every event and rule it comes to the same verdict as
// sigma.Rule.Evaluate, which is slow and obviously right; it is built so that an event costs little more with thousands
// of rules than with a few.
//
// A Builder takes rules together with the slots they read and the routes they serve. A slot is a source of values of an
// event, such as a log attribute; a field of a rule is bound to one or several slots and has the values of all of them. A
// route is a kind of event, or a way to see it. Build makes an Engine, which does not change and may be used by several
// goroutines; each of them has a Scanner of its own.
//
// # How it works
//
// What rules ask of a value becomes predicates, which are shared between rules. Those about a piece of text are literals:
// all literals of a slot are found in one pass by an Aho-Corasick automaton, whole values by a hash table, numbers by a
// map. What else there is (regular expressions, wildcards, networks, comparisons, other fields) is asked last, only when
// a rule depends on it, and once for an event. Where text is necessary for it, that text is a literal that is looked at first.
//
// Of each rule the engine knows a set of literals of which one must be there for the rule to match, the rarest that the
// rule has. Only rules of which such a literal was found are judged at all, and rules that have none.
//
// Why a rule matches is told from the same predicates: of each value of a rule the engine knows which stands for it.
//
// A Scanner remembers what it found in values that it meets again and again, such as the paths of programs. Values that a kind
// of event always has are scanned once and then added as they are: see Fixed.
package engine
