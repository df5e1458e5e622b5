// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Slot is a source of values of an event, such as an attribute of a log record.
type Slot uint32

// keywords is the slot of the texts that keyword selections search.
const keywords Slot = 0

// Route is a kind of event, or a way to see it.
type Route uint32

// Builder gathers rules for an Engine. It is not safe for concurrent use.
type Builder struct {
	slots, routes         map[string]uint32
	slotNames, routeNames []string
	predicates            predicates
	nodes                 nodes
	reasons               []term
	expressions           map[string]requirement // by source
	rules                 []builtRule
	common                map[Slot]float64
}

type builtRule struct {
	rule     *sigma.Rule
	root     term
	cause    cause
	bindings []binding // of all the fields a view of the event has
	judged   []Slot    // sorted
	routes   []Route   // sorted
}

// NewBuilder returns a Builder without rules.
func NewBuilder() *Builder {
	return &Builder{
		slots:       map[string]uint32{},
		routes:      map[string]uint32{},
		slotNames:   []string{""},
		predicates:  newPredicates(),
		nodes:       nodes{list: make([]node, 1)},
		expressions: map[string]requirement{},
		common:      map[Slot]float64{},
	}
}

// Slot returns the slot of the name, the same one each time.
func (b *Builder) Slot(name string) Slot {
	return Slot(intern(b.slots, &b.slotNames, name))
}

// Common says that the slot has one of a few values in most events, such as a kind or a state, and in about what share of the
// events that have the slot it has any one of them. To ask for one tells little, so rules are found by what else they ask
// for. It makes no difference to what matches.
func (b *Builder) Common(slot Slot, share float64) { b.common[slot] = share }

// Route returns the route of the name, the same one each time.
func (b *Builder) Route(name string) Route {
	return Route(intern(b.routes, &b.routeNames, name))
}

func intern(known map[string]uint32, names *[]string, name string) uint32 {
	id, ok := known[name]
	if !ok {
		id = uint32(len(*names))
		known[name] = id
		*names = append(*names, name)
	}
	return id
}

// Add takes a rule that was parsed and returns its id: 0 for the first, then one more each time. bind says which slots a
// field of the rule means; it is asked for the fields that the rule reads and for those given to Show, during these calls
// only. On other routes than the given ones the rule never matches.
func (b *Builder) Add(rule *sigma.Rule, bind func(field string) []Slot, routes ...Route) int {
	c := &compilation{Builder: b, bind: bind, selections: map[*sigma.Selection]compiled{}}
	made := c.rule(rule)
	var judged []Slot
	for _, bound := range c.bindings {
		judged = append(judged, bound.slots...)
	}
	for _, field := range rule.FieldNames() {
		c.slots(field) // also of selections that no condition mentions
	}
	b.rules = append(b.rules, builtRule{rule, made.term, made.cause, c.bindings, sorted(judged), sorted(routes)})
	return len(b.rules) - 1
}

// Show lets the views of a rule have more fields than the rule reads, for messages about matches. They have no part in judging.
func (b *Builder) Show(id int, bind func(field string) []Slot, fields ...string) {
	c := &compilation{Builder: b, bind: bind, bindings: b.rules[id].bindings}
	for _, field := range fields {
		if field != "" {
			c.slots(field)
		}
	}
	b.rules[id].bindings = c.bindings
}

func sorted[T ~uint32](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
