// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// Baseline is a template with all that it inherits, and with its values put in.
type Baseline struct {
	ID       string
	Title    Text
	Profiles []*Profile
	Values   []*Value // Default is what is in force
	Rules    []*Rule  // without references
	Disabled []*Disabled
	Roles    []string // what the host is for, which nobody knows but who runs it; for Applies.Role
}

// resolver puts a template together.
type resolver struct {
	set    *Set
	base   *Baseline
	values map[string]*Value
	rules  map[string]*Rule
	errs   Errors
}

// Resolve gives a template of the set ready for use. settings are other values by name; they are written as in a file, lists
// with commas. It fails with Errors where something in the template or in what it extends does not fit together.
func (s *Set) Resolve(id string, settings map[string]string) (*Baseline, error) {
	r := &resolver{set: s, base: &Baseline{ID: id}, values: map[string]*Value{}, rules: map[string]*Rule{}}
	t := s.Template(id)
	if t == nil {
		return nil, Errors{{Position{File: id}, "found no template with this id, expected one of " + strings.Join(s.ids(), ", ")}}
	}
	for _, layer := range r.layers(t) {
		r.apply(layer)
	}
	r.base.Title = t.Title
	for _, name := range sortedKeys(settings) {
		r.setText(name, settings[name])
	}
	for i, rule := range r.base.Rules {
		r.base.Rules[i] = r.bindRule(rule)
	}
	if err := r.errs.orNil(); err != nil {
		return nil, err
	}
	return r.base, nil
}

func (s *Set) ids() []string {
	ids := make([]string, len(s.Templates))
	for i, t := range s.Templates {
		ids[i] = t.ID
	}
	return ids
}

func (r *resolver) errorf(at Position, format string, args ...any) {
	r.errs = append(r.errs, &Error{at, yamltree.OneLine(fmt.Sprintf(format, args...))})
}

// layers are the template and what it extends, the innermost first.
func (r *resolver) layers(t *Template) []*Template {
	chain := []*Template{t}
	for t.Extends != "" {
		next := r.set.Template(t.Extends)
		switch {
		case next == nil:
			r.errorf(t.extendsAt, "extends: found %s, expected one of %s", yamltree.Quote(t.Extends), strings.Join(r.set.ids(), ", "))
			return chain
		case slices.Contains(chain, next):
			r.errorf(t.extendsAt, "extends: found %s, which extends this template, expected no circle", yamltree.Quote(t.Extends))
			return chain
		}
		chain = slices.Insert(chain, 0, next)
		t = next
	}
	return chain
}

// apply adds a layer to what is below it.
func (r *resolver) apply(t *Template) {
	r.base.Profiles = append(r.base.Profiles, t.Profiles...)
	for _, s := range t.Set {
		r.setValue(s.Name, s.To, s.Position)
	}
	for _, o := range t.Override {
		r.override(o)
	}
	for _, d := range t.Disable {
		r.disable(d)
	}
	for _, v := range t.Values {
		if known := r.values[v.Name]; known != nil {
			r.errorf(v.Position, "values: found %s, which is inherited from %s, expected a new name, or the value under set", yamltree.Quote(v.Name), known.Position)
			continue
		}
		value := *v
		r.values[v.Name] = &value
		r.base.Values = append(r.base.Values, &value)
	}
	for _, rule := range t.Rules {
		if known := r.rules[rule.ID]; known != nil {
			r.errorf(rule.Position, "rules: found the id %s, which is inherited from %s, expected a new one, or a change under override", yamltree.Quote(rule.ID), known.Position)
			continue
		}
		r.add(rule)
	}
}

func (r *resolver) add(rule *Rule) {
	r.knownProfiles("rules.profiles", rule.Profiles, rule.Position)
	own := *rule
	r.rules[rule.ID] = &own
	r.base.Rules = append(r.base.Rules, &own)
}

func (r *resolver) knownProfiles(what string, ids []string, at Position) {
	for _, id := range ids {
		if !slices.ContainsFunc(r.base.Profiles, func(p *Profile) bool { return p.ID == id }) {
			r.errorf(at, "%s: found %s, expected a profile of the template", what, yamltree.Quote(id))
		}
	}
}

func (r *resolver) setText(name, text string) {
	at := Position{File: "setting " + name}
	o := Operand{Items: []string{text}, Position: at}
	if v := r.values[name]; v != nil && v.Type == ListValue {
		o = Operand{Items: strings.Split(text, ","), IsList: true, Position: at}
	}
	r.setValue(name, o, at)
}

func (r *resolver) setValue(name string, to Operand, at Position) {
	v := r.values[name]
	if v == nil {
		r.errorf(at, "found %s, expected the name of a value: %s", yamltree.Quote(name), strings.Join(sortedKeys(r.values), ", "))
		return
	}
	if err := v.accepts(to); err != nil {
		r.errorf(at, "%s: %v", name, err)
		return
	}
	v.Default = to
}

// accepts says why a value cannot be what is given.
func (v *Value) accepts(o Operand) error {
	if o.IsList != (v.Type == ListValue) {
		return fmt.Errorf("found %q, expected a value of type %s", strings.Join(o.Items, ","), v.Type)
	}
	switch v.Type {
	case IntValue:
		n, err := strconv.ParseInt(o.Items[0], 10, 64)
		switch {
		case err != nil:
			return fmt.Errorf("found %q, expected a whole number", o.Items[0])
		case v.Min != nil && n < *v.Min:
			return fmt.Errorf("found %d, expected at least %d: what is looser needs a waiver", n, *v.Min)
		case v.Max != nil && n > *v.Max:
			return fmt.Errorf("found %d, expected at most %d: what is looser needs a waiver", n, *v.Max)
		}
	case ModeValue:
		if !octalForm.MatchString(o.Items[0]) {
			return fmt.Errorf("found %q, expected octal digits such as 0640", o.Items[0])
		}
	}
	return nil
}

func (r *resolver) override(o *Override) {
	rule := r.rules[o.Rule]
	if rule == nil {
		r.errorf(o.Position, "override: found %s, expected the id of an inherited rule", yamltree.Quote(o.Rule))
		return
	}
	if o.Severity != "" {
		rule.Severity = o.Severity
	}
	r.knownProfiles("override.profiles", o.Profiles, o.Position)
	if o.Profiles != nil {
		rule.Profiles = o.Profiles
	}
	if o.Maps != nil {
		all := maps.Clone(rule.Maps)
		if all == nil {
			all = map[string][]string{}
		}
		maps.Copy(all, o.Maps)
		rule.Maps = all
	}
}

func (r *resolver) disable(d *Disabled) {
	if r.rules[d.Rule] == nil {
		r.errorf(d.Position, "disable: found %s, expected the id of an inherited rule", yamltree.Quote(d.Rule))
		return
	}
	delete(r.rules, d.Rule)
	r.base.Rules = slices.DeleteFunc(r.base.Rules, func(rule *Rule) bool { return rule.ID == d.Rule })
	r.base.Disabled = append(r.base.Disabled, d)
}

func (r *resolver) bindRule(rule *Rule) *Rule {
	bound := *rule
	bound.Check = r.bindCheck(rule.Check)
	if rule.Applies != nil && rule.Applies.Check != nil {
		applies := *rule.Applies
		applies.Check = r.bindCheck(applies.Check)
		bound.Applies = &applies
	}
	bound.Fix = nil
	for _, step := range rule.Fix {
		bound.Fix = append(bound.Fix, r.bindStep(step))
	}
	return &bound
}

func (r *resolver) bindStep(s *Step) *Step {
	bound := *s
	kind := stepKinds[s.Kind]
	bound.Args = r.bindArguments(s.Args, kind.params, "fix."+s.Kind)
	bound.Where = r.bindConditions(accountTable, s.Where)
	bound.Keep = r.bindCondition(kindText, s.Keep)
	return &bound
}

func (r *resolver) bindArguments(args map[string]Operand, params map[string]param, what string) map[string]Operand {
	bound := map[string]Operand{}
	for name, o := range args {
		value := r.bind(o)
		if o.Ref != "" {
			r.checkArgument(params[name], what+"."+name, value, o.Position)
		}
		bound[name] = value
	}
	return bound
}

func (r *resolver) bindCheck(c *Check) *Check {
	if c == nil {
		return nil
	}
	bound := &Check{Not: r.bindCheck(c.Not), Position: c.Position}
	for _, part := range c.All {
		bound.All = append(bound.All, r.bindCheck(part))
	}
	for _, part := range c.Any {
		bound.Any = append(bound.Any, r.bindCheck(part))
	}
	if c.Leaf != nil {
		bound.Leaf = r.bindLeaf(c.Leaf)
	}
	return bound
}

func (r *resolver) bindLeaf(l *Leaf) *Leaf {
	bound := *l
	t := tables[l.Table]
	bound.Args = r.bindArguments(l.Args, t.params, l.Table)
	bound.Where = r.bindConditions(t, l.Where)
	bound.Expect = r.bindConditions(t, l.Expect)
	if l.Count != nil {
		count := r.bindCondition(kindNumber, *l.Count)
		bound.Count = &count
	}
	return &bound
}

func (r *resolver) checkArgument(p param, what string, value Operand, at Position) {
	if value.IsList && !p.list {
		r.errorf(at, "%s: found a list, expected one element", what)
	}
	if p.check == nil {
		return
	}
	for _, item := range value.Items {
		if err := p.check(item); err != nil {
			r.errorf(at, "%s: found %s, %v", what, yamltree.Quote(item), err)
		}
	}
}

func (r *resolver) bindConditions(t *table, conditions []FieldCondition) []FieldCondition {
	var bound []FieldCondition
	for _, c := range conditions {
		bound = append(bound, FieldCondition{c.Field, r.bindCondition(t.fields[c.Field], c.Condition)})
	}
	return bound
}

func (r *resolver) bindCondition(k kind, c Condition) Condition {
	bound := make(Condition, len(c))
	for i, t := range c {
		bound[i] = Test{t.Operator, r.bind(t.Operand)}
		if t.Operand.Ref == "" {
			continue
		}
		if msg := bound[i].problem(k); msg != "" && r.values[t.Operand.Ref] != nil {
			r.errorf(t.Operand.Position, "found the value %s for %s, expected %s", yamltree.Quote(t.Operand.Ref), t.Operator, msg)
		}
	}
	return bound
}

// bind gives what an operand stands for.
func (r *resolver) bind(o Operand) Operand {
	if o.Ref == "" {
		return o
	}
	v := r.values[o.Ref]
	if v == nil {
		r.errorf(o.Position, "found ${%s}, expected one of the values %s", o.Ref, strings.Join(sortedKeys(r.values), ", "))
		return Operand{Items: []string{""}, Position: o.Position}
	}
	return v.Default
}
