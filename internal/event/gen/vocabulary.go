// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// noECS is the ECS name of an attribute that has no field in ECS.
const noECS = "-"

// anyCategory stands for every Sigma logsource category.
const anyCategory = "*"

// goTypes maps the types of the vocabulary to the constants of package event.
var goTypes = map[string]string{
	"string": "String", "int": "Int", "bool": "Bool", "time": "Time",
	"string[]": "Strings", "int[]": "Ints", "map": "Map",
}

// attributeName is the shape of attribute, kind and ECS names.
var attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$`)

// name is a string that remembers the line it stands on.
type name struct {
	text string
	line int
}

// UnmarshalYAML reads a scalar.
func (n *name) UnmarshalYAML(node *yaml.Node) error {
	n.line = node.Line
	if err := node.Decode(&n.text); err != nil {
		return err
	}
	if n.text == "" {
		return fmt.Errorf("line %d: empty name", node.Line)
	}
	return nil
}

// vocabulary is fields.yaml.
type vocabulary struct {
	Kinds    []kind           `yaml:"kinds"`
	Groups   map[string]group `yaml:"groups"`
	Fields   []field          `yaml:"fields"`
	Resource []field          `yaml:"resource"`
	Scope    []field          `yaml:"scope"`
}

type kind struct {
	Name    name   `yaml:"name"`
	Class   string `yaml:"class"`
	Meaning string `yaml:"meaning"`
	ECS     struct {
		Category []string `yaml:"category"`
		Type     []string `yaml:"type"`
		Action   string   `yaml:"action"`
	} `yaml:"ecs"`
	Sigma  []string `yaml:"sigma"`
	Groups []name   `yaml:"groups"`
	Fields []name   `yaml:"fields"`
}

type group struct {
	Meaning string  `yaml:"meaning"`
	Fields  []field `yaml:"fields"`
}

type field struct {
	Attribute name              `yaml:"attribute"`
	Type      string            `yaml:"type"`
	ECS       string            `yaml:"ecs"`
	Sigma     map[string][]name `yaml:"sigma"`
	Meaning   string            `yaml:"meaning"`
}

// load reads and checks fields.yaml. Errors name the line, what was found and what was expected.
func load(text []byte) (*vocabulary, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var v vocabulary
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("found more than one YAML document, expected one")
	}
	if err := v.check(); err != nil {
		return nil, err
	}
	return &v, nil
}

func (v *vocabulary) check() error {
	categories := map[string]bool{anyCategory: true}
	for _, k := range v.Kinds {
		for _, c := range k.Sigma {
			categories[c] = true
		}
	}
	var errs []error
	for _, f := range v.declared() {
		errs = append(errs, f.check(categories))
	}
	errs = append(errs, v.checkRepeats(), v.checkConstants(), v.checkECS())
	seen := map[string]int{}
	for _, k := range v.Kinds {
		if line, ok := seen[k.Name.text]; ok {
			errs = append(errs, fmt.Errorf("line %d: kind %s is declared on line %d already", k.Name.line, k.Name.text, line))
		}
		seen[k.Name.text] = k.Name.line
		errs = append(errs, v.checkKind(k))
	}
	return errors.Join(errs...)
}

// declared returns every field as often as it is declared, groups in the order of their names.
func (v *vocabulary) declared() []field {
	var all []field
	for _, g := range slices.Sorted(maps.Keys(v.Groups)) {
		all = append(all, v.Groups[g].Fields...)
	}
	all = append(all, v.Fields...)
	all = append(all, v.Resource...)
	all = append(all, v.Scope...)
	slices.SortStableFunc(all, func(a, b field) int { return a.Attribute.line - b.Attribute.line })
	return all
}

// distinct returns every field once, in the order of the file.
func (v *vocabulary) distinct() []field {
	var all []field
	seen := map[string]bool{}
	for _, f := range v.declared() {
		if !seen[f.Attribute.text] {
			seen[f.Attribute.text] = true
			all = append(all, f)
		}
	}
	return all
}

func (f field) check(categories map[string]bool) error {
	at := func(format string, args ...any) error {
		return fmt.Errorf("line %d: attribute %s: %w", f.Attribute.line, f.Attribute.text, fmt.Errorf(format, args...))
	}
	switch {
	case f.Attribute.text == "":
		return fmt.Errorf("a field without attribute (meaning %q), expected one", f.Meaning)
	case !attributeName.MatchString(f.Attribute.text):
		return at("expected letters, digits and underscores in segments joined by dots")
	case goTypes[f.Type] == "":
		return at("found type %q, expected one of %s", f.Type, strings.Join(slices.Sorted(maps.Keys(goTypes)), ", "))
	case f.ECS != noECS && !attributeName.MatchString(f.ECS):
		return at("found ecs %q, expected an ECS field or %q", f.ECS, noECS)
	case f.Meaning == "":
		return at("has no meaning, expected a sentence")
	}
	for sigma, in := range f.Sigma {
		if len(in) == 0 {
			return at("Sigma field %s has no categories, expected names or %q", sigma, anyCategory)
		}
		for _, c := range in {
			if !categories[c.text] {
				return fmt.Errorf("line %d: attribute %s: Sigma field %s: unknown category %q, expected one that a kind serves or %q",
					c.line, f.Attribute.text, sigma, c.text, anyCategory)
			}
		}
	}
	return nil
}

// checkRepeats refuses two declarations of one attribute that differ.
func (v *vocabulary) checkRepeats() error {
	first := map[string]field{}
	for _, f := range v.declared() {
		was, ok := first[f.Attribute.text]
		if !ok {
			first[f.Attribute.text] = f
			continue
		}
		if was.Type != f.Type || was.ECS != f.ECS || was.Meaning != f.Meaning || was.sigmaText() != f.sigmaText() {
			return fmt.Errorf("line %d: attribute %s differs from its declaration on line %d",
				f.Attribute.line, f.Attribute.text, was.Attribute.line)
		}
	}
	return nil
}

// checkConstants refuses two attributes that would share a Go constant.
func (v *vocabulary) checkConstants() error {
	seen := map[string]string{}
	for _, f := range v.distinct() {
		c := goName(f.Attribute.text)
		if other, ok := seen[c]; ok {
			return fmt.Errorf("line %d: attributes %s and %s make the same Go name %s", f.Attribute.line, other, f.Attribute.text, c)
		}
		seen[c] = f.Attribute.text
	}
	return nil
}

// checkECS refuses two attributes in one ECS field, and a field that is an object elsewhere.
func (v *vocabulary) checkECS() error {
	plan := v.ecsPlan()
	for i := 1; i < len(plan); i++ {
		a, b := plan[i-1], plan[i]
		if a.ECS == b.ECS {
			return fmt.Errorf("line %d: ECS field %s is taken by attribute %s", b.Attribute.line, b.ECS, a.Attribute.text)
		}
		if strings.HasPrefix(b.ECS, a.ECS+".") {
			return fmt.Errorf("line %d: ECS field %s needs an object where attribute %s puts a value", b.Attribute.line, b.ECS, a.Attribute.text)
		}
	}
	return nil
}

func (v *vocabulary) checkKind(k kind) error {
	at := func(line int, format string, args ...any) error {
		return fmt.Errorf("line %d: kind %s: %w", line, k.Name.text, fmt.Errorf(format, args...))
	}
	switch {
	case k.Name.text == "":
		return fmt.Errorf("a kind without name (meaning %q), expected one", k.Meaning)
	case !attributeName.MatchString(k.Name.text):
		return at(k.Name.line, "expected letters, digits and underscores in segments joined by dots")
	case !slices.Contains([]string{"process", "file", "network", "kernel", "alert", "enforcement", "baseline"}, k.Class):
		return at(k.Name.line, "found class %q, expected process, file, network, kernel, alert, enforcement or baseline", k.Class)
	case k.Meaning == "":
		return at(k.Name.line, "has no meaning, expected a sentence")
	case len(k.ECS.Category) == 0 || len(k.ECS.Type) == 0 || k.ECS.Action == "":
		return at(k.Name.line, "expected ecs with category, type and action")
	}
	for _, g := range k.Groups {
		if _, ok := v.Groups[g.text]; !ok {
			return at(g.line, "unknown group %q, expected one of %s", g.text, strings.Join(slices.Sorted(maps.Keys(v.Groups)), ", "))
		}
	}
	for _, f := range k.Fields {
		if !slices.ContainsFunc(v.Fields, func(d field) bool { return d.Attribute.text == f.text }) {
			return at(f.line, "unknown field %q, expected an attribute declared under fields", f.text)
		}
	}
	return nil
}

// attributes returns the attributes of a kind without repeats: its groups', then its own.
func (v *vocabulary) attributes(k kind) []string {
	var names []string
	add := func(n string) {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	for _, g := range k.Groups {
		for _, f := range v.Groups[g.text].Fields {
			add(f.Attribute.text)
		}
	}
	for _, f := range k.Fields {
		add(f.text)
	}
	return names
}

// ecsPlan returns the fields that have a place in ECS, ordered by the segments of that place.
func (v *vocabulary) ecsPlan() []field {
	plan := slices.DeleteFunc(v.distinct(), func(f field) bool { return f.ECS == noECS })
	slices.SortStableFunc(plan, func(a, b field) int {
		return slices.Compare(strings.Split(a.ECS, "."), strings.Split(b.ECS, "."))
	})
	return plan
}

// sigmaText returns the Sigma names of a field in a fixed order, with their categories unless
// they are all.
func (f field) sigmaText() string {
	var parts []string
	for _, sigma := range slices.Sorted(maps.Keys(f.Sigma)) {
		in := texts(f.Sigma[sigma])
		if slices.Contains(in, anyCategory) {
			parts = append(parts, sigma)
			continue
		}
		parts = append(parts, sigma+" ("+strings.Join(in, ", ")+")")
	}
	return strings.Join(parts, ", ")
}

func texts(names []name) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = n.text
	}
	return list
}
