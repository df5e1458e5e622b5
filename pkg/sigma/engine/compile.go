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
	selections map[*sigma.Selection]compiled
}

// compiled is a condition as a term, and as a cause of matches.
type compiled struct {
	term  term
	cause cause
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

func (c *compilation) rule(r *sigma.Rule) compiled {
	return c.conditions(true, r.Conditions)
}

func (c *compilation) conditions(or bool, conditions []sigma.Condition) compiled {
	parts := make([]compiled, len(conditions))
	for i, condition := range conditions {
		parts[i] = c.condition(condition)
	}
	return c.joined(or, parts)
}

func (c *compilation) joined(or bool, parts []compiled) compiled {
	terms, causes := make([]term, len(parts)), make([]cause, len(parts))
	for i, part := range parts {
		terms[i], causes[i] = part.term, part.cause
	}
	t := c.nodes.term(or, terms)
	return compiled{t, cause{holds: c.reason(t), causes: causes}}
}

func (c *compilation) condition(condition sigma.Condition) compiled {
	switch condition := condition.(type) {
	case sigma.And:
		return c.conditions(false, condition.Terms)
	case sigma.Or:
		return c.conditions(true, condition.Terms)
	case sigma.Not:
		t := c.condition(condition.Term).term.not()
		return compiled{t, cause{holds: c.reason(t)}}
	case sigma.Ref:
		return c.selection(condition.Selection)
	case sigma.Quantified:
		parts := make([]compiled, len(condition.Selections))
		for i, s := range condition.Selections {
			parts[i] = c.selection(s)
		}
		return c.joined(!condition.All, parts)
	}
	panic(fmt.Sprintf("engine: unknown kind of condition %T", condition))
}

func (c *compilation) selection(s *sigma.Selection) compiled {
	if known, ok := c.selections[s]; ok {
		return known
	}
	terms, alternatives := make([]term, len(s.Alternatives)), make([]alternative, len(s.Alternatives))
	for i, items := range s.Alternatives {
		terms[i], alternatives[i] = c.alternative(items)
	}
	t := c.nodes.term(true, terms)
	made := compiled{t, cause{holds: c.reason(t), selection: &selection{s.Name, alternatives}}}
	c.selections[s] = made
	return made
}

func (c *compilation) alternative(items sigma.Alternative) (term, alternative) {
	terms, told := make([]term, len(items)), make([]item, len(items))
	for i, one := range items {
		terms[i], told[i] = c.item(one)
	}
	t := c.nodes.term(false, terms)
	return t, alternative{c.reason(t), told}
}

func (c *compilation) item(of *sigma.Item) (term, item) {
	slots := c.slots(of.Field)
	terms := make([]term, len(of.Values))
	for i, value := range of.Values {
		var accepted []term
		for _, m := range value.Matchers {
			accepted = append(accepted, c.matcher(slots, m)...)
		}
		terms[i] = c.nodes.term(true, accepted)
	}
	told := item{of, slots, reason(len(c.reasons))}
	c.reasons = append(c.reasons, terms...)
	t := c.nodes.term(!of.All, terms)
	if of.Negate {
		t = t.not()
	}
	return t, told
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
