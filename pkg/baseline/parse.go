// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// File is what a file holds.
type File struct {
	Templates []*Template
	Waivers   []*Waiver
}

// Parse reads the documents of one file: templates and lists of waivers. name is the file in positions and errors. It gives
// what is good, and as error, of type Errors, everything that is wrong with the rest.
func Parse(name string, data []byte) (*File, error) {
	p := &parser{file: name}
	docs, problems := yamltree.Documents(data)
	for _, problem := range problems {
		p.errs = append(p.errs, &Error{Position{name, problem.Line, problem.Column}, problem.Msg})
	}
	file := &File{}
	for _, doc := range docs {
		before := len(p.errs)
		if doc.Kind == yaml.MappingNode && yamltree.ValueOf(doc, "waivers") != nil {
			list := p.waivers(doc)
			if len(p.errs) == before {
				file.Waivers = append(file.Waivers, list...)
			}
			continue
		}
		if isWazuh(doc) {
			// A check that cannot be read is told and left out; the others are good without it.
			if template := p.wazuh(doc); template != nil {
				file.Templates = append(file.Templates, template)
			}
			continue
		}
		if template := p.template(doc); len(p.errs) == before {
			file.Templates = append(file.Templates, template)
		}
	}
	return file, p.errs.orNil()
}

// parser reads one file and gathers its problems.
type parser struct {
	file string
	errs Errors
}

func (p *parser) errorf(n *yaml.Node, format string, args ...any) {
	p.errs = append(p.errs, &Error{p.at(n), yamltree.NewProblem(n, format, args...).Msg})
}

func (p *parser) at(n *yaml.Node) Position { return Position{p.file, n.Line, n.Column} }

// fields are the keys that a map may have, and what each sets.
type fields[T any] map[string]func(*parser, *T, *yaml.Node)

func (f fields[T]) names() []string { return sortedKeys(f) }

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// read sets what the entries of a map say; what names the map in messages.
func (f fields[T]) read(p *parser, into *T, n *yaml.Node, what string) {
	p.entries(n, what, func(key, value *yaml.Node) {
		set, known := f[key.Value]
		if !known {
			p.errorf(key, "%s: found %s as a key, expected one of %s", what, yamltree.Kind(key), strings.Join(f.names(), ", "))
			return
		}
		set(p, into, value)
	})
}

// entries gives the entries of a map whose keys are scalars.
func (p *parser) entries(n *yaml.Node, what string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.errorf(n, "%s: found %s, expected a map", what, yamltree.Kind(n))
		return
	}
	for i, key := range yamltree.Keys(n) {
		switch {
		case key.ShortTag() == "!!merge":
			p.errorf(key, "%s: YAML merge keys (<<) are not supported, expected the entries themselves", what)
		case key.Kind != yaml.ScalarNode:
			p.errorf(key, "%s: found %s as a key, expected text", what, yamltree.Kind(key))
		default:
			each(key, yamltree.Resolved(n.Content[2*i+1]))
		}
	}
}

// require reports the keys a map lacks.
func (p *parser) require(m *yaml.Node, what string, names ...string) {
	for _, name := range names {
		if m.Kind == yaml.MappingNode && yamltree.ValueOf(m, name) == nil {
			p.errorf(m, "%s: the key %q is missing", what, name)
		}
	}
}

var templateFields = fields[Template]{
	"template": func(p *parser, v *Template, n *yaml.Node) { v.ID = p.id(n, "template") },
	"title":    func(p *parser, v *Template, n *yaml.Node) { v.Title = p.bilingual(n, "title") },
	"extends": func(p *parser, v *Template, n *yaml.Node) {
		v.Extends, v.extendsAt = p.id(n, "extends"), p.at(n)
	},
	"profiles": func(p *parser, v *Template, n *yaml.Node) {
		p.entries(n, "profiles", func(key, value *yaml.Node) {
			v.Profiles = append(v.Profiles, &Profile{p.id(key, "profiles"), p.bilingual(value, "profiles"), p.at(key)})
		})
	},
	"values": func(p *parser, v *Template, n *yaml.Node) {
		p.entries(n, "values", func(key, value *yaml.Node) { v.Values = append(v.Values, p.value(key, value)) })
	},
	"set": func(p *parser, v *Template, n *yaml.Node) {
		p.entries(n, "set", func(key, value *yaml.Node) {
			v.Set = append(v.Set, &Setting{key.Value, p.literal(value, "set"), p.at(key)})
		})
	},
	"override": func(p *parser, v *Template, n *yaml.Node) {
		p.entries(n, "override", func(key, value *yaml.Node) {
			o := &Override{Rule: p.id(key, "override"), Position: p.at(key)}
			overrideFields.read(p, o, value, "override")
			v.Override = append(v.Override, o)
		})
	},
	"disable": func(p *parser, v *Template, n *yaml.Node) {
		p.entries(n, "disable", func(key, value *yaml.Node) {
			v.Disable = append(v.Disable, &Disabled{p.id(key, "disable"), p.text(value, "disable"), p.at(key)})
		})
	},
	"rules": func(p *parser, v *Template, n *yaml.Node) {
		for _, element := range p.list(n, "rules") {
			v.Rules = append(v.Rules, p.rule(element))
		}
	},
}

var overrideFields = fields[Override]{
	"severity": func(p *parser, v *Override, n *yaml.Node) { v.Severity = oneOf(p, n, "override.severity", severities) },
	"profiles": func(p *parser, v *Override, n *yaml.Node) { v.Profiles = p.ids(n, "override.profiles") },
	"maps":     func(p *parser, v *Override, n *yaml.Node) { v.Maps = p.maps(n) },
}

func (p *parser) template(doc *yaml.Node) *Template {
	t := &Template{Position: p.at(doc)}
	p.require(doc, "the template", "template", "title")
	templateFields.read(p, t, doc, "the template")
	firstValue, firstRule := map[string]Position{}, map[string]Position{}
	for _, v := range t.Values {
		p.distinct(firstValue, "values", v.Name, v.Position)
	}
	for _, r := range t.Rules {
		p.distinct(firstRule, "rules", r.ID, r.Position)
	}
	return t
}

func (p *parser) distinct(first map[string]Position, what, name string, at Position) {
	if known, ok := first[name]; ok && name != "" {
		p.errs = append(p.errs, &Error{at, what + ": found " + yamltree.Quote(name) + " twice, first in " + known.String() +
			", expected a name that no other has"})
		return
	}
	first[name] = at
}

var valueFields = fields[Value]{
	"type":    func(p *parser, v *Value, n *yaml.Node) { v.Type = oneOf(p, n, "values.type", valueTypes) },
	"default": func(p *parser, v *Value, n *yaml.Node) { v.Default = p.literal(n, "values.default") },
	"min":     func(p *parser, v *Value, n *yaml.Node) { v.Min = p.integer(n, "values.min") },
	"max":     func(p *parser, v *Value, n *yaml.Node) { v.Max = p.integer(n, "values.max") },
	"title":   func(p *parser, v *Value, n *yaml.Node) { v.Title = p.bilingual(n, "values.title") },
}

var valueName = regexp.MustCompile(`\A[a-z][a-z0-9_]{0,62}\z`)

func (p *parser) value(key, n *yaml.Node) *Value {
	v := &Value{Name: p.matching(key, "values", valueName, "a name of small letters, digits and underscores"), Type: IntValue, Position: p.at(key)}
	p.require(n, "values."+v.Name, "default", "title")
	before := len(p.errs)
	valueFields.read(p, v, n, "values."+v.Name)
	if (v.Min != nil || v.Max != nil) && v.Type != IntValue {
		p.errorf(n, "values.%s: found min or max for type %s, expected them for int only", v.Name, v.Type)
	}
	if len(p.errs) == before && n.Kind == yaml.MappingNode && yamltree.ValueOf(n, "default") != nil {
		if err := v.accepts(v.Default); err != nil {
			p.errorf(yamltree.ValueOf(n, "default"), "values.%s: %v", v.Name, err)
		}
	}
	return v
}

var ruleFields = fields[Rule]{
	"id":        func(p *parser, v *Rule, n *yaml.Node) { v.ID = p.id(n, "rules.id") },
	"title":     func(p *parser, v *Rule, n *yaml.Node) { v.Title = p.bilingual(n, "rules.title") },
	"rationale": func(p *parser, v *Rule, n *yaml.Node) { v.Rationale = p.bilingual(n, "rules.rationale") },
	"severity":  func(p *parser, v *Rule, n *yaml.Node) { v.Severity = oneOf(p, n, "rules.severity", severities) },
	"profiles":  func(p *parser, v *Rule, n *yaml.Node) { v.Profiles = p.ids(n, "rules.profiles") },
	"maps":      func(p *parser, v *Rule, n *yaml.Node) { v.Maps = p.maps(n) },
	"applies":   func(p *parser, v *Rule, n *yaml.Node) { v.Applies = p.applies(n) },
	"check":     func(p *parser, v *Rule, n *yaml.Node) { v.Check = p.check(n) },
	"fix":       func(p *parser, v *Rule, n *yaml.Node) { v.Fix = p.fix(n) },
	"undo":      func(p *parser, v *Rule, n *yaml.Node) { v.Undo = oneOf(p, n, "rules.undo", undoClasses) },
	"manual": func(p *parser, v *Rule, n *yaml.Node) {
		text := p.bilingual(n, "rules.manual")
		v.Manual = &text
	},
}

func (p *parser) rule(n *yaml.Node) *Rule {
	r := &Rule{Severity: Medium, Position: p.at(n)}
	p.require(n, "rules", "id", "title")
	before := len(p.errs)
	ruleFields.read(p, r, n, "rules")
	if len(p.errs) == before {
		p.checkFix(r, n)
	}
	if n.Kind == yaml.MappingNode && yamltree.ValueOf(n, "check") == nil && r.Manual == nil {
		p.errorf(n, "rules: found neither of the keys check, manual, expected at least one")
	}
	return r
}

var appliesFields = fields[Applies]{
	"os":      func(p *parser, v *Applies, n *yaml.Node) { v.OS = p.ids(n, "applies.os") },
	"version": func(p *parser, v *Applies, n *yaml.Node) { v.Version = p.strings(n, "applies.version") },
	"container": func(p *parser, v *Applies, n *yaml.Node) {
		b := p.boolean(n, "applies.container")
		v.Container = &b
	},
	"role":  func(p *parser, v *Applies, n *yaml.Node) { v.Role = p.ids(n, "applies.role") },
	"check": func(p *parser, v *Applies, n *yaml.Node) { v.Check = p.check(n) },
}

func (p *parser) applies(n *yaml.Node) *Applies {
	a := &Applies{Position: p.at(n)}
	appliesFields.read(p, a, n, "applies")
	return a
}
