// SPDX-License-Identifier: Apache-2.0

package pysigma

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// ours reads a file and judges the events by each of its rules.
func ours(f file) judgement {
	c, errs := sigma.Parse("rule.yml", []byte(f.Source))
	var j judgement
	for _, r := range c.Rules {
		j.Rules = append(j.Rules, described(r, f.Events))
	}
	for _, err := range errs {
		j.Error += err.Error() + "\n"
	}
	return j
}

func described(r *sigma.Rule, events []event) readRule {
	d := readRule{Title: r.Title, Selections: map[string][]alternative{}}
	for _, s := range r.Selections {
		for _, a := range s.Alternatives {
			d.Selections[s.Name] = append(d.Selections[s.Name], describedItems(a))
		}
	}
	for _, c := range r.Conditions {
		d.Conditions = append(d.Conditions, describedCondition(c))
	}
	for _, e := range events {
		_, matched := r.Evaluate(sigmaEvent(e))
		d.Verdicts = append(d.Verdicts, matched)
	}
	return d
}

// sigmaEvent puts the byte order mark of UTF-16 back, which travels as a character because JSON holds no bytes.
func sigmaEvent(e event) sigma.Event {
	fields := map[string]any{}
	for name, values := range e.Fields {
		own := slices.Clone(values)
		for i, v := range own {
			if s, ok := v.(string); ok {
				own[i] = strings.ReplaceAll(s, charMark, byteMark)
			}
		}
		fields[name] = own
	}
	return sigma.MapEvent(fields, e.Keywords...)
}

// The byte order mark as the bytes that stand in an event, and as the character that pySigma makes of it.
const (
	byteMark = "\xff\xfe"
	charMark = "\ufeff"
)

func describedItems(items sigma.Alternative) alternative {
	var a alternative
	for _, i := range items {
		d := item{Field: i.Field, All: i.All, Negate: i.Negate}
		for _, v := range i.Values {
			var values []value
			for _, m := range v.Matchers {
				values = append(values, describedValue(m))
			}
			d.Values = append(d.Values, values)
		}
		a = append(a, d)
	}
	return a
}

func describedValue(m sigma.Matcher) value {
	switch m := m.(type) {
	case sigma.Pattern:
		return value{Kind: "text", Text: strings.ReplaceAll(m.String(), byteMark, charMark), Cased: m.Cased}
	case sigma.Number:
		return value{Kind: "number", Number: number(m.Value)}
	case sigma.Bool:
		return value{Kind: "bool", Bool: m.Value}
	case sigma.Null:
		return value{Kind: "null"}
	case sigma.Regexp:
		flags := []byte(m.Flags)
		slices.Sort(flags)
		return value{Kind: "re", Text: m.Source, Flags: string(flags), Anchor: string(m.Anchor)}
	case sigma.CIDR:
		return value{Kind: "cidr", Text: m.Prefix.String()}
	case sigma.Exists:
		return value{Kind: "exists", Bool: m.Want}
	case sigma.FieldRef:
		return value{Kind: "fieldref", Text: m.Field, Anchor: string(m.Anchor), Cased: m.Cased}
	case sigma.Compare:
		return value{Kind: "compare", Op: m.Op, Number: number(m.Value)}
	case sigma.TimePart:
		return value{Kind: "time", Unit: m.Unit, Op: m.Op, Number: number(m.Value)}
	}
	panic(fmt.Sprintf("unknown matcher %T", m))
}

func number(v any) json.Number {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(err) // a rule has finite numbers only
	}
	return json.Number(encoded)
}

func describedCondition(c sigma.Condition) condition {
	switch c := c.(type) {
	case sigma.And:
		return condition{Op: "and", Terms: describedTerms(c.Terms)}
	case sigma.Or:
		return condition{Op: "or", Terms: describedTerms(c.Terms)}
	case sigma.Not:
		return condition{Op: "not", Terms: describedTerms([]sigma.Condition{c.Term})}
	case sigma.Ref:
		return condition{Op: "ref", Selections: []string{c.Selection.Name}}
	case sigma.Quantified:
		d := condition{Op: "any"}
		if c.All {
			d.Op = "all"
		}
		for _, s := range c.Selections {
			d.Selections = append(d.Selections, s.Name)
		}
		return d
	}
	panic(fmt.Sprintf("unknown condition %T", c))
}

func describedTerms(terms []sigma.Condition) []condition {
	var all []condition
	for _, t := range terms {
		all = append(all, describedCondition(t))
	}
	return all
}

// normalised removes what the two sides may write differently without meaning anything else by it.
func normalised(r readRule) readRule {
	selections := map[string][]alternative{}
	for name, alternatives := range r.Selections {
		var all []alternative
		for _, a := range alternatives {
			all = append(all, splitKeywords(a)...)
		}
		for _, a := range all {
			for _, i := range a {
				for _, values := range i.Values {
					normaliseValues(values)
				}
			}
		}
		slices.SortFunc(all, byJSON)
		selections[name] = all
	}
	r.Selections = selections
	for _, c := range r.Conditions {
		sortSelections(c)
	}
	return r
}

// splitKeywords makes an alternative of each keyword of a list: pySigma does so where the list also has maps.
func splitKeywords(a alternative) []alternative {
	if len(a) != 1 || a[0].Field != "" || a[0].All || a[0].Negate {
		return []alternative{a}
	}
	var all []alternative
	for _, v := range a[0].Values {
		all = append(all, alternative{{Values: [][]value{v}}})
	}
	return all
}

// normaliseValues sorts the forms of one value, whose order does not matter, and spells numbers alike.
func normaliseValues(values []value) {
	for i, v := range values {
		if f, err := v.Number.Float64(); err == nil && strings.ContainsAny(string(v.Number), ".eE") {
			values[i].Number = json.Number(strconv.FormatFloat(f, 'f', -1, 64))
		}
	}
	slices.SortFunc(values, byJSON)
}

func sortSelections(c condition) {
	slices.Sort(c.Selections)
	for _, t := range c.Terms {
		sortSelections(t)
	}
}

func byJSON[T any](a, b T) int { return cmp.Compare(compact(a), compact(b)) }

func compact(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(err) // only the types above are encoded
	}
	return string(encoded)
}
