// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// compilation turns one rule into terms.
type compilation struct {
	*Builder
	bind       func(field string) []Slot
	bindings   []binding // of the fields that were asked for
	selections map[*sigma.Selection]term
}

// binding says what a field means.
type binding struct {
	field string
	slots []Slot
}

func (c *compilation) slots(field string) []Slot {
	for _, b := range c.bindings {
		if b.field == field {
			return b.slots
		}
	}
	slots := []Slot{keywords}
	if field != "" {
		slots = slices.Clone(c.bind(field))
	}
	c.bindings = append(c.bindings, binding{field, slots})
	return slots
}

func (c *compilation) rule(r *sigma.Rule) term {
	return c.conditions(true, r.Conditions)
}

func (c *compilation) conditions(or bool, conditions []sigma.Condition) term {
	terms := make([]term, len(conditions))
	for i, condition := range conditions {
		terms[i] = c.condition(condition)
	}
	return c.nodes.term(or, terms)
}

func (c *compilation) condition(condition sigma.Condition) term {
	switch condition := condition.(type) {
	case sigma.And:
		return c.conditions(false, condition.Terms)
	case sigma.Or:
		return c.conditions(true, condition.Terms)
	case sigma.Not:
		return c.condition(condition.Term).not()
	case sigma.Ref:
		return c.selection(condition.Selection)
	case sigma.Quantified:
		terms := make([]term, len(condition.Selections))
		for i, s := range condition.Selections {
			terms[i] = c.selection(s)
		}
		return c.nodes.term(!condition.All, terms)
	}
	panic(fmt.Sprintf("engine: unknown kind of condition %T", condition))
}

func (c *compilation) selection(s *sigma.Selection) term {
	if t, ok := c.selections[s]; ok {
		return t
	}
	alternatives := make([]term, len(s.Alternatives))
	for i, items := range s.Alternatives {
		terms := make([]term, len(items))
		for k, item := range items {
			terms[k] = c.item(item)
		}
		alternatives[i] = c.nodes.term(false, terms)
	}
	t := c.nodes.term(true, alternatives)
	c.selections[s] = t
	return t
}

func (c *compilation) item(item *sigma.Item) term {
	slots := c.slots(item.Field)
	var terms []term
	for _, value := range item.Values {
		var accepted []term
		for _, m := range value.Matchers {
			accepted = append(accepted, c.matcher(slots, m)...)
		}
		if item.All {
			accepted = []term{c.nodes.term(true, accepted)}
		}
		terms = append(terms, accepted...)
	}
	t := c.nodes.term(!item.All, terms)
	if item.Negate {
		t = t.not()
	}
	return t
}

// matcher gives terms of which one must hold. Most matchers look at one value, so that each slot may be asked on its own.
func (c *compilation) matcher(slots []Slot, m sigma.Matcher) []term {
	switch m := m.(type) {
	case sigma.Null:
		return c.ask(fmt.Sprintf("null %v", slots), nullQuestion{slots})
	case sigma.Exists:
		t := c.ask(fmt.Sprintf("exists %v", slots), existsQuestion{slots})
		if !m.Want {
			t[0] = t[0].not()
		}
		return t
	case sigma.FieldRef:
		other := c.slots(m.Field)
		return c.ask(fmt.Sprintf("ref %v %v %v %v", slots, other, m.Anchor, m.Cased), refQuestion{slots, other, m})
	}
	terms := make([]term, len(slots))
	for i, slot := range slots {
		terms[i] = c.valueMatcher(slot, m)
	}
	return terms
}

func (c *compilation) ask(key string, q question) []term {
	return []term{predicateTerm(c.predicates.question(key, q, guard{}))}
}

func (c *compilation) valueMatcher(slot Slot, m sigma.Matcher) term {
	switch m := m.(type) {
	case sigma.Pattern:
		return predicateTerm(c.pattern(slot, m))
	case sigma.Number:
		return predicateTerm(c.predicates.number(slot, m))
	case sigma.Bool:
		return predicateTerm(c.predicates.scalar(scalar{slot, m.Value, folded(string(appendScalar(nil, m.Value)))}))
	case sigma.Regexp:
		return c.expression(slot, m)
	case sigma.CIDR:
		return c.ask(fmt.Sprintf("cidr %d %s", slot, m.Prefix), cidrQuestion{slot, m})[0]
	case sigma.Compare:
		return c.ask(fmt.Sprintf("compare %d %#v", slot, m), newCompareQuestion(slot, m))[0]
	}
	return c.ask(fmt.Sprintf("other %d %#v", slot, m), matcherQuestion{slot, m})[0]
}
