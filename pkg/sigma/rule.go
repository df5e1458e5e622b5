// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"time"
)

// LogSource names the events a rule is meant for. An empty part means any.
type LogSource struct{ Product, Category, Service string }

// Level is the severity of a rule: informational, low, medium, high or critical; "" where the rule gives none.
type Level string

// Levels a rule may have.
const (
	Informational Level = "informational"
	Low           Level = "low"
	Medium        Level = "medium"
	High          Level = "high"
	Critical      Level = "critical"
)

// Dedup says which matches are one alert. It is read from the key dedup.
type Dedup struct {
	Group  string        // rules of one group are counted together; the rule's id (or else its title) when the key is not given
	Key    []string      // Sigma field names whose values tell alerts apart
	Window time.Duration // how long a match silences its equals
}

// Related is a link to another rule. Type is derived, obsolete, merged, renamed or similar.
type Related struct{ ID, Type string }

// Header is what rules, correlations and filters have in common.
type Header struct {
	ID, Title, Name, Description, Status, Author, License, Date, Modified string

	Taxonomy                                        string // whose field names are used; "" for Sigma's own
	Level                                           Level
	References, Tags, FalsePositives, Fields, Scope []string
	Related                                         []Related

	Output   string // message template with {Field} placeholders
	Dedup    *Dedup
	Response []string
	Risk     int // 0 to 100

	File string
	Line int // where the document begins
}

// TestEvent is an event the rule carries as its own test. It is read from the key tests.
type TestEvent struct {
	Name     string
	Category string         // the log source category of the event; the rule's own when not given
	Event    map[string]any // Sigma field name to string, int64, float64, bool, nil or []any of these
	Keywords []string       // the texts keyword selections search
	Match    bool           // whether the rule must match
	Line     int
}

// Rule is one detection rule. It is not changed after it was read, so several goroutines may evaluate it at once.
type Rule struct {
	Header
	LogSource LogSource
	Tests     []TestEvent

	Selections []*Selection // in the order of the file
	Conditions []Condition  // the rule matches where one of them holds
}

// Selection is a named search. It holds where one of its alternatives holds.
type Selection struct {
	Name         string
	Alternatives []Alternative
	Line, Column int
}

// Alternative holds where all its items hold.
type Alternative []*Item

// Item compares one field with values. It holds where one of the values does (all of them with All), turned round by Negate.
type Item struct {
	Field        string   // "" for keywords
	Modifiers    []string // as written
	Values       []Value
	All          bool // the modifier all
	Negate       bool // the modifier neq
	Line, Column int
}

// Value is one value as written, and what it became: it holds where one of the matchers does.
type Value struct {
	Text         string
	Matchers     []Matcher
	Line, Column int
}

// FieldNames gives the names of the fields the rule reads, sorted, each once.
func (r *Rule) FieldNames() []string {
	var names []string
	for _, item := range r.items() {
		if item.Field != "" {
			names = append(names, item.Field)
		}
		for _, value := range item.Values {
			for _, m := range value.Matchers {
				if ref, ok := m.(FieldRef); ok {
					names = append(names, ref.Field)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Unused gives the names of the selections that no condition mentions.
func (r *Rule) Unused() []string {
	used := map[*Selection]bool{}
	for _, c := range r.Conditions {
		for _, s := range c.mentioned() {
			used[s] = true
		}
	}
	var names []string
	for _, s := range r.Selections {
		if !used[s] {
			names = append(names, s.Name)
		}
	}
	return names
}

func (r *Rule) items() []*Item {
	var items []*Item
	for _, s := range r.Selections {
		for _, alternative := range s.Alternatives {
			items = append(items, alternative...)
		}
	}
	return items
}
