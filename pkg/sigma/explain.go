// SPDX-License-Identifier: Apache-2.0

package sigma

// Explanation tells what a rule makes of an event, in all its parts and also where the verdict does not depend on them.
type Explanation struct {
	Matched    bool // as Evaluate has it
	Conditions []ConditionExplanation
	Selections []SelectionExplanation // in the order of the rule, those of filters last
}

// ConditionExplanation tells whether one of the rule's conditions holds.
type ConditionExplanation struct {
	Condition Condition
	Holds     bool
}

// SelectionExplanation tells whether a selection holds.
type SelectionExplanation struct {
	Selection    *Selection
	Holds        bool
	Alternatives []AlternativeExplanation
}

// AlternativeExplanation tells whether all items of an alternative hold.
type AlternativeExplanation struct {
	Holds bool
	Items []ItemExplanation
}

// ItemExplanation tells whether an item holds for what the event has.
type ItemExplanation struct {
	Item    *Item
	Holds   bool
	Present bool   // the event has the field; always for keywords
	Found   []any  // the event's values, or the texts that keywords are looked for in
	Held    []bool // for each of the item's values whether it is satisfied, before neq turns the verdict round
}

// Explain judges an event as Evaluate does, and tells of every part of the rule whether it holds.
func (r *Rule) Explain(ev Event) Explanation {
	e := &evaluation{event: ev, done: map[*Selection]selectionResult{}}
	var x Explanation
	for _, c := range r.Conditions {
		holds := c.holds(e)
		x.Matched = x.Matched || holds
		x.Conditions = append(x.Conditions, ConditionExplanation{c, holds})
	}
	for _, s := range r.Selections {
		x.Selections = append(x.Selections, e.explain(s))
	}
	return x
}

func (e *evaluation) explain(s *Selection) SelectionExplanation {
	x := SelectionExplanation{Selection: s, Holds: e.selection(s).holds}
	for _, alternative := range s.Alternatives {
		_, holds := e.alternative(alternative)
		a := AlternativeExplanation{Holds: holds}
		for _, item := range alternative {
			a.Items = append(a.Items, e.explainItem(item))
		}
		x.Alternatives = append(x.Alternatives, a)
	}
	return x
}

func (e *evaluation) explainItem(item *Item) ItemExplanation {
	x := ItemExplanation{Item: item}
	values, c := e.values(item.Field)
	x.Present = c.present
	if found, _ := e.event.Lookup(item.Field); item.Field == "" || c.present && len(found) > 0 {
		x.Found = values
	}
	_, x.Holds = e.item(item)
	for _, want := range item.Values {
		x.Held = append(x.Held, len(want.satisfiedBy(values, c)) > 0)
	}
	return x
}
