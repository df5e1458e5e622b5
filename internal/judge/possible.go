// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"slices"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// viewsOf leaves out the kinds of events that a rule for audit records can never match, because it asks for
// a type of record or a call that these do not cause. Most ask for one, and there are many kinds.
func viewsOf(r *sigma.Rule, binding logsource.Binding) []string {
	if r.LogSource.Category != "" || !isAudit(binding) {
		return binding.Views
	}
	return slices.DeleteFunc(slices.Clone(binding.Views), func(view string) bool {
		known, ok := auditKinds[view]
		return ok && !known.possible(r)
	})
}

func isAudit(binding logsource.Binding) bool {
	return slices.Contains(binding.Views, logsource.LinesOf(logsource.Auditd))
}

// auditKinds are what is known of the audit records of each kind of event. All rules for them are compared with each.
var auditKinds = knownOfKinds()

func knownOfKinds() map[string]partial {
	kinds := map[string]partial{}
	for _, kind := range event.Kinds() {
		if record, ok := logsource.Audit(kind.Name, ""); ok {
			kinds[kind.Name] = newPartial(constants(kind.Name, record))
		}
	}
	return kinds
}

// constants are the fields of audit records that are the same for all events of a kind.
func constants(kind string, record logsource.AuditRecord) map[string]any {
	known := map[string]any{"type": record.Types}
	if kind == event.KindFileCreate || kind == event.KindFileAttributes {
		return known // their calls depend on what was made or changed
	}
	known["SYSCALL"] = record.Calls
	calls := make([]any, 0, len(record.Calls)+len(record.Numbers))
	for _, name := range record.Calls {
		calls = append(calls, name)
	}
	for _, number := range record.Numbers {
		calls = append(calls, number)
	}
	known["syscall"] = calls
	return known
}

// truth is what is known of a part of a rule while only some fields are.
type truth int

const (
	unknown truth = iota
	never
	always
)

// partial is an event of which only some values are known.
type partial struct {
	known map[string]any
	event sigma.Event
}

func newPartial(known map[string]any) partial { return partial{known, sigma.MapEvent(known)} }

// possible reports whether such an event, whatever else it has, may match the rule.
func (e partial) possible(r *sigma.Rule) bool {
	return slices.ContainsFunc(r.Conditions, func(c sigma.Condition) bool { return e.condition(c) != never })
}

func (e partial) condition(c sigma.Condition) truth {
	switch c := c.(type) {
	case sigma.And:
		return every(c.Terms, e.condition)
	case sigma.Or:
		return some(c.Terms, e.condition)
	case sigma.Not:
		switch e.condition(c.Term) {
		case always:
			return never
		case never:
			return always
		}
	case sigma.Ref:
		return e.selection(c.Selection)
	case sigma.Quantified:
		if c.All {
			return every(c.Selections, e.selection)
		}
		return some(c.Selections, e.selection)
	}
	return unknown
}

func (e partial) selection(s *sigma.Selection) truth {
	return some(s.Alternatives, func(a sigma.Alternative) truth { return every(a, e.item) })
}

// item judges an item by itself where everything it reads is known.
func (e partial) item(item *sigma.Item) truth {
	switch {
	case !e.knows(item):
		return unknown
	case item.Holds(e.event):
		return always
	}
	return never
}

func (e partial) knows(item *sigma.Item) bool {
	if e.known[item.Field] == nil {
		return false
	}
	for _, v := range item.Values {
		for _, m := range v.Matchers {
			if ref, ok := m.(sigma.FieldRef); ok && e.known[ref.Field] == nil {
				return false
			}
		}
	}
	return true
}

func every[T any](parts []T, of func(T) truth) truth {
	all := always
	for _, part := range parts {
		switch of(part) {
		case never:
			return never
		case unknown:
			all = unknown
		}
	}
	return all
}

func some[T any](parts []T, of func(T) truth) truth {
	any := never
	for _, part := range parts {
		switch of(part) {
		case always:
			return always
		case unknown:
			any = unknown
		}
	}
	return any
}
