// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// Filter narrows rules: one that it names matches only where the filter's condition holds too.
type Filter struct {
	Header
	LogSource  LogSource
	Any        bool        // every rule for the log source is meant
	Rules      []Reference // the rules that are meant otherwise
	Selections []*Selection
	Condition  Condition
}

// filter reads a filter document, and gives nil if there is anything wrong with it.
func (p *parser) filter(doc *yaml.Node) *Filter {
	before := len(p.errs)
	f := &Filter{Header: p.headerAt(doc)}
	p.require(doc, "the filter", "title", "logsource")
	p.eachEntry(doc, "the filter", func(key, value *yaml.Node) {
		switch key.Value {
		case "logsource":
			f.LogSource = p.logSource(value)
		case "filter":
			p.filterBody(f, value)
		case "detection":
			p.errorf(key, "found the key %q beside filter, expected it in a document of its own", key.Value)
		default:
			p.header(&f.Header, key.Value, value)
		}
	})
	f.setDefaults()
	if len(p.errs) > before {
		return nil
	}
	return f
}

func (p *parser) filterBody(f *Filter, n *yaml.Node) {
	p.require(n, "filter", "rules")
	if n.Kind == yaml.MappingNode {
		p.filterRules(f, n)
	}
	if condition := yamltree.ValueOf(n, "condition"); condition != nil && condition.Kind != yaml.ScalarNode {
		p.errorf(condition, "filter.condition: found %s, expected text", yamltree.Kind(condition))
		return
	}
	selections, conditions := p.searches(n, "filter", "rules")
	if len(conditions) == 1 {
		f.Selections, f.Condition = selections, conditions[0]
	}
}

func (p *parser) filterRules(f *Filter, n *yaml.Node) {
	rules := yamltree.ValueOf(n, "rules")
	switch {
	case rules == nil:
	case rules.Kind == yaml.ScalarNode && strings.EqualFold(rules.Value, "any"):
		f.Any = true
	default:
		f.Rules = p.references(rules, "filter.rules")
	}
}

// fits reports whether events for the other log source are events for this one, which may say less.
func (s LogSource) fits(other LogSource) bool {
	return (s.Product == "" || s.Product == other.Product) &&
		(s.Category == "" || s.Category == other.Category) &&
		(s.Service == "" || s.Service == other.Service)
}

// narrow gives the rule with the filter's condition added to its own.
func (f *Filter) narrow(r *Rule) *Rule {
	narrowed := *r
	narrowed.Selections = slices.Concat(r.Selections, f.Selections)
	narrowed.Conditions = make([]Condition, len(r.Conditions))
	for i, c := range r.Conditions {
		narrowed.Conditions[i] = And{[]Condition{c, f.Condition}}
	}
	return &narrowed
}

// prefixed gives the filter with names of selections that no rule has, so that a match that mentions one says where it is from.
func (f *Filter) prefixed(taken map[string]bool) *Filter {
	prefix := f.Name
	if prefix == "" {
		prefix = slug(f.Title)
	}
	for f.collides(prefix, taken) {
		prefix += "_"
	}
	renamed := *f
	renamed.Selections = make([]*Selection, len(f.Selections))
	for i, s := range f.Selections {
		copied := *s
		copied.Name = prefix + "." + s.Name
		renamed.Selections[i] = &copied
		taken[copied.Name] = true
	}
	renamed.Condition = replaced(f.Condition, prefix, func(s *Selection) *Selection {
		return renamed.Selections[slices.Index(f.Selections, s)]
	})
	return &renamed
}

func (f *Filter) collides(prefix string, taken map[string]bool) bool {
	return slices.ContainsFunc(f.Selections, func(s *Selection) bool { return taken[prefix+"."+s.Name] })
}

// slug makes of a title what the name of a selection can be.
func slug(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	if len(words) == 0 {
		return "filter"
	}
	return strings.Join(words, "_")
}

// replaced gives the condition over other selections. The patterns in it get the prefix of their names.
func replaced(c Condition, prefix string, by func(*Selection) *Selection) Condition {
	each := func(terms []Condition) []Condition {
		all := make([]Condition, len(terms))
		for i, t := range terms {
			all[i] = replaced(t, prefix, by)
		}
		return all
	}
	switch c := c.(type) {
	case And:
		return And{each(c.Terms)}
	case Or:
		return Or{each(c.Terms)}
	case Not:
		return Not{replaced(c.Term, prefix, by)}
	case Ref:
		return Ref{by(c.Selection)}
	case Quantified:
		q := Quantified{All: c.All, Pattern: prefix + "." + c.Pattern, Selections: make([]*Selection, len(c.Selections))}
		if strings.EqualFold(c.Pattern, "them") {
			q.Pattern = prefix + ".*"
		}
		for i, s := range c.Selections {
			q.Selections[i] = by(s)
		}
		return q
	}
	return c
}
