// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// Collection is what files of rules hold, in the order of the files.
type Collection struct {
	Rules        []*Rule
	Correlations []*Correlation
	Filters      []*Filter
}

// Add puts the documents of another collection behind those of this one.
func (c *Collection) Add(other *Collection) {
	c.Rules = append(c.Rules, other.Rules...)
	c.Correlations = append(c.Correlations, other.Correlations...)
	c.Filters = append(c.Filters, other.Filters...)
}

// Unique drops all but the first of the documents with the same id, and reports the others. Rules go before correlations, and
// these before filters. Documents without an id are all kept.
func (c *Collection) Unique() []*Error {
	u := &uniqueness{first: map[string]*Header{}}
	c.Rules = slices.DeleteFunc(c.Rules, func(r *Rule) bool { return u.repeats(&r.Header) })
	c.Correlations = slices.DeleteFunc(c.Correlations, func(r *Correlation) bool { return u.repeats(&r.Header) })
	c.Filters = slices.DeleteFunc(c.Filters, func(f *Filter) bool { return u.repeats(&f.Header) })
	return u.errs
}

type uniqueness struct {
	first map[string]*Header
	errs  []*Error
}

func (u *uniqueness) repeats(h *Header) bool {
	if h.ID == "" {
		return false
	}
	other, ok := u.first[h.ID]
	if !ok {
		u.first[h.ID] = h
		return false
	}
	u.errs = append(u.errs, h.errorf(0, 0, "id %s is already used by the document at %s:%d; expected an id of its own", h.ID, other.File, other.Line))
	return true
}

// errorf is an error at a place in the document's file; where the line is 0, at the document. A message is one line.
func (h *Header) errorf(line, column int, format string, args ...any) *Error {
	if line == 0 {
		line, column = h.Line, 0
	}
	return &Error{File: h.File, Line: line, Column: column, Msg: yamltree.OneLine(fmt.Sprintf(format, args...))}
}

// Resolve gives the collection that events are judged by. Rules are narrowed by the filters that name them, correlations know
// what they refer to, and each correlation comes after those it refers to. What has something wrong with it is left out and reported;
// so is a correlation that refers to one that is left out. A filter goes on to narrow the rules it names
// rightly. The collection itself and its documents are not changed.
func (c *Collection) Resolve() (*Collection, []*Error) {
	r := &resolver{
		byID: map[string]*target{}, byName: map[string][]*target{},
		rules: map[*Rule]*target{}, correlations: map[*Correlation]*target{},
	}
	for _, rule := range c.Rules {
		r.index(&rule.Header, &target{rule: rule})
	}
	for _, correlation := range c.Correlations {
		r.index(&correlation.Header, &target{correlation: correlation})
	}
	out := &Collection{Filters: r.filters(c)}
	for _, rule := range c.Rules {
		out.Rules = append(out.Rules, r.rules[rule].rule)
	}
	for _, correlation := range c.Correlations {
		r.resolve(r.correlations[correlation], nil)
	}
	out.Correlations = r.ordered
	return out, r.errs
}

// Silent gives the rules and correlations that do not alert by themselves, because a correlation that does not say generate refers to them.
// It is meant for a resolved collection.
func (c *Collection) Silent() (map[*Rule]bool, map[*Correlation]bool) {
	rules, correlations := map[*Rule]bool{}, map[*Correlation]bool{}
	for _, correlation := range c.Correlations {
		for _, r := range correlation.Rules {
			switch {
			case correlation.Generate:
			case r.Rule != nil:
				rules[r.Rule] = true
			case r.Correlation != nil:
				correlations[r.Correlation] = true
			}
		}
	}
	return rules, correlations
}

// target is a document that others can refer to.
type target struct {
	rule        *Rule
	correlation *Correlation
	state       resolution // of a correlation
}

type resolution int

const (
	untouched resolution = iota
	underway
	done
	refused
)

type resolver struct {
	byID         map[string]*target
	byName       map[string][]*target
	rules        map[*Rule]*target
	correlations map[*Correlation]*target
	ordered      []*Correlation
	errs         []*Error
}

func (r *resolver) index(h *Header, t *target) {
	if t.rule != nil {
		r.rules[t.rule] = t
	} else {
		r.correlations[t.correlation] = t
	}
	if h.ID != "" && r.byID[h.ID] == nil {
		r.byID[h.ID] = t
	}
	if h.Name != "" {
		r.byName[h.Name] = append(r.byName[h.Name], t)
	}
}

// find gives what a reference means, or what is wrong with it.
func (r *resolver) find(text string) (*target, string) {
	if t := r.byID[text]; t != nil {
		return t, ""
	}
	switch named := r.byName[text]; len(named) {
	case 0:
		return nil, fmt.Sprintf("found %s, expected the id or name of a rule or correlation", yamltree.Quote(text))
	case 1:
		return named[0], ""
	default:
		return nil, fmt.Sprintf("found %s, which is the name of %d documents (%s, %s), expected the id of one of them",
			yamltree.Quote(text), len(named), named[0].place(), named[1].place())
	}
}

func (t *target) header() *Header {
	if t.rule != nil {
		return &t.rule.Header
	}
	return &t.correlation.Header
}

func (t *target) place() string { return fmt.Sprintf("%s:%d", t.header().File, t.header().Line) }

// filters narrows the rules and gives the filters that narrow at least one.
func (r *resolver) filters(c *Collection) []*Filter {
	taken := map[string]bool{}
	for _, rule := range c.Rules {
		for _, s := range rule.Selections {
			taken[s.Name] = true
		}
	}
	var effective []*Filter
	for _, f := range c.Filters {
		rules := r.narrowedBy(f, c.Rules)
		if len(rules) == 0 {
			continue
		}
		renamed := f.prefixed(taken)
		for _, rule := range rules {
			r.rules[rule].rule = renamed.narrow(r.rules[rule].rule)
		}
		effective = append(effective, renamed)
	}
	return effective
}

// narrowedBy gives the rules that a filter means, each once.
func (r *resolver) narrowedBy(f *Filter, all []*Rule) []*Rule {
	if f.Any {
		fitting := slices.DeleteFunc(slices.Clone(all), func(rule *Rule) bool { return !f.LogSource.fits(rule.LogSource) })
		if len(fitting) == 0 {
			r.errs = append(r.errs, f.errorf(0, 0, "filter.rules: found no rule for the filter's log source, expected at least one"))
		}
		return fitting
	}
	named := map[*target]bool{}
	for _, reference := range f.Rules {
		t, fault := r.find(reference.Text)
		switch {
		case fault != "":
		case t.rule == nil:
			fault = fmt.Sprintf("found %s, which is a correlation, expected the rules it correlates", yamltree.Quote(reference.Text))
		case !f.LogSource.fits(t.rule.LogSource):
			fault = fmt.Sprintf("found %s, whose log source (%s) is not in that of the filter (%s), expected a rule for it",
				yamltree.Quote(reference.Text), t.rule.LogSource, f.LogSource)
		default:
			named[t] = true
		}
		if fault != "" {
			r.errs = append(r.errs, f.errorf(reference.Line, reference.Column, "filter.rules: %s", fault))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(rule *Rule) bool { return !named[r.rules[rule]] })
}

// String names the parts that are given.
func (s LogSource) String() string {
	var parts []string
	for _, part := range [][2]string{{"product", s.Product}, {"category", s.Category}, {"service", s.Service}} {
		if part[1] != "" {
			parts = append(parts, part[0]+" "+part[1])
		}
	}
	return strings.Join(parts, ", ")
}

// resolve sets the references of a correlation, after those of the correlations it refers to. path is the way to it.
func (r *resolver) resolve(t *target, path []*target) {
	if t.state != untouched {
		return
	}
	t.state = underway
	before := len(r.errs)
	resolved := *t.correlation
	resolved.Rules = slices.Clone(t.correlation.Rules)
	path = append(path, t)
	targets := make([]*target, len(resolved.Rules))
	for i := range resolved.Rules {
		found := r.reference(&resolved, &resolved.Rules[i], path)
		if at := slices.Index(targets[:i], found); found != nil && at >= 0 {
			r.errs = append(r.errs, resolved.errorf(resolved.Rules[i].Line, resolved.Rules[i].Column, "correlation.rules: found %s, which is the same as %s, expected it once",
				yamltree.Quote(resolved.Rules[i].Text), yamltree.Quote(resolved.Rules[at].Text)))
		}
		targets[i] = found
	}
	if len(r.errs) == before {
		r.aliases(&resolved, targets)
	}
	if len(r.errs) > before {
		t.state = refused
		return
	}
	t.state, t.correlation = done, &resolved
	r.ordered = append(r.ordered, &resolved)
}

// reference resolves one reference of a correlation; it gives nil and reports where that cannot be.
func (r *resolver) reference(c *Correlation, reference *Reference, path []*target) *target {
	refuse := func(format string, args ...any) *target {
		r.errs = append(r.errs, c.errorf(reference.Line, reference.Column, "correlation.rules: "+format, args...))
		return nil
	}
	t, fault := r.find(reference.Text)
	switch {
	case fault != "":
		return refuse("%s", fault)
	case t.rule != nil:
		reference.Rule = t.rule
		return t
	}
	r.resolve(t, path)
	switch t.state {
	case underway:
		return refuse("found a circle: %s, expected correlations that do not depend on themselves", circle(path, t))
	case refused:
		return refuse("found %s, which is refused itself, expected a correlation without faults", yamltree.Quote(reference.Text))
	}
	reference.Correlation = t.correlation
	return t
}

// circle writes the way from a correlation back to itself.
func circle(path []*target, t *target) string {
	var names []string
	for _, step := range append(slices.Clone(path[slices.Index(path, t):]), t) {
		h := step.header()
		name := h.Name
		for _, other := range []string{h.ID, h.Title} {
			if name == "" {
				name = other
			}
		}
		names = append(names, yamltree.Quote(name))
	}
	return strings.Join(names, " → ")
}

// aliases gives each reference the fields that the aliases stand for.
func (r *resolver) aliases(c *Correlation, targets []*target) {
	for _, alias := range c.Aliases {
		at := -1
		t, fault := r.find(alias.Rule.Text)
		if fault == "" {
			at = slices.Index(targets, t)
		}
		if at < 0 {
			r.errs = append(r.errs, c.errorf(alias.Rule.Line, alias.Rule.Column, "correlation.aliases.%s: found %s, expected a rule that the correlation lists",
				alias.Name, yamltree.Quote(alias.Rule.Text)))
			continue
		}
		if c.Rules[at].Fields == nil {
			c.Rules[at].Fields = map[string]string{}
		}
		c.Rules[at].Fields[alias.Name] = alias.Field
	}
}
