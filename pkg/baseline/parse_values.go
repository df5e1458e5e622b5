// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

func (p *parser) text(n *yaml.Node, what string) string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && strings.TrimSpace(n.Value) != "" {
		return n.Value
	}
	p.errorf(n, "%s: found %s, expected text", what, yamltree.Kind(n))
	return ""
}

func (p *parser) matching(n *yaml.Node, what string, form *regexp.Regexp, expected string) string {
	if n.Kind == yaml.ScalarNode && form.MatchString(n.Value) {
		return n.Value
	}
	p.errorf(n, "%s: found %s, expected %s", what, yamltree.Kind(n), expected)
	return ""
}

var idForm = regexp.MustCompile(`\A[a-z0-9][a-z0-9._-]{0,79}\z`)

func (p *parser) id(n *yaml.Node, what string) string {
	return p.matching(n, what, idForm, "an id of small letters, digits, dots, dashes and underscores, at most 80")
}

func (p *parser) ids(n *yaml.Node, what string) []string {
	var all []string
	for _, element := range p.list(n, what) {
		all = append(all, p.id(element, what))
	}
	return all
}

func (p *parser) strings(n *yaml.Node, what string) []string {
	var all []string
	for _, element := range p.list(n, what) {
		if element.Kind != yaml.ScalarNode || element.ShortTag() == "!!null" {
			p.errorf(element, "%s: found %s, expected text", what, yamltree.Kind(element))
			continue
		}
		all = append(all, element.Value)
	}
	return all
}

func (p *parser) list(n *yaml.Node, what string) []*yaml.Node {
	switch {
	case n.Kind != yaml.SequenceNode:
		p.errorf(n, "%s: found %s, expected a list", what, yamltree.Kind(n))
		return nil
	case len(n.Content) == 0:
		p.errorf(n, "%s: found an empty list, expected at least one element", what)
	}
	return yamltree.Elements(n)
}

func oneOf[T ~string](p *parser, n *yaml.Node, what string, known []T) T {
	if n.Kind == yaml.ScalarNode && slices.Contains(known, T(n.Value)) {
		return T(n.Value)
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	p.errorf(n, "%s: found %s, expected one of %s", what, yamltree.Kind(n), strings.Join(names, ", "))
	return ""
}

func (p *parser) boolean(n *yaml.Node, what string) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		p.errorf(n, "%s: found %s, expected true or false", what, yamltree.Kind(n))
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

func (p *parser) integer(n *yaml.Node, what string) *int64 {
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil {
		p.errorf(n, "%s: found %s, expected a whole number", what, yamltree.Kind(n))
		return nil
	}
	return &i
}

var textFields = fields[Text]{
	"en": func(p *parser, v *Text, n *yaml.Node) { v.EN = p.text(n, "en") },
	"zh": func(p *parser, v *Text, n *yaml.Node) { v.ZH = p.text(n, "zh") },
}

// bilingual reads a map of languages, or English alone.
func (p *parser) bilingual(n *yaml.Node, what string) Text {
	var t Text
	if n.Kind == yaml.ScalarNode {
		t.EN = p.text(n, what)
		return t
	}
	p.require(n, what, "en")
	textFields.read(p, &t, n, what)
	return t
}

func (p *parser) maps(n *yaml.Node) map[string][]string {
	all := map[string][]string{}
	p.entries(n, "maps", func(key, value *yaml.Node) { all[p.id(key, "maps")] = p.strings(value, "maps") })
	return all
}

var reference = regexp.MustCompile(`\A\$\{([a-z][a-z0-9_]*)\}\z`)

// operand reads a scalar, a list of scalars or "${name}".
func (p *parser) operand(n *yaml.Node, what string) Operand {
	o := Operand{Position: p.at(n)}
	if m := reference.FindStringSubmatch(n.Value); n.Kind == yaml.ScalarNode && m != nil {
		o.Ref = m[1]
		return o
	}
	switch {
	case n.Kind == yaml.SequenceNode:
		o.IsList, o.Items = true, p.strings(n, what)
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null":
		o.Items = []string{n.Value}
	default:
		p.errorf(n, "%s: found %s, expected text, a number, a list or ${value}", what, yamltree.Kind(n))
	}
	return o
}

// literal reads an operand that stands for itself.
func (p *parser) literal(n *yaml.Node, what string) Operand {
	o := p.operand(n, what)
	if o.Ref != "" {
		p.errorf(n, "%s: found %s, expected no reference here", what, yamltree.Kind(n))
	}
	return o
}

const waiverDay = "2006-01-02"

var waiverFields = fields[Waiver]{
	"rule":     func(p *parser, v *Waiver, n *yaml.Node) { v.Rule = p.id(n, "waivers.rule") },
	"template": func(p *parser, v *Waiver, n *yaml.Node) { v.Template = p.id(n, "waivers.template") },
	"owner":    func(p *parser, v *Waiver, n *yaml.Node) { v.Owner = p.text(n, "waivers.owner") },
	"approver": func(p *parser, v *Waiver, n *yaml.Node) { v.Approver = p.text(n, "waivers.approver") },
	"reason":   func(p *parser, v *Waiver, n *yaml.Node) { v.Reason = p.text(n, "waivers.reason") },
	"expires":  func(p *parser, v *Waiver, n *yaml.Node) { v.Expires = p.lastDay(n) },
}

// lastDay gives the end of the day that is written.
func (p *parser) lastDay(n *yaml.Node) time.Time {
	day, err := time.Parse(waiverDay, n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		p.errorf(n, "waivers.expires: found %s, expected the last day of the waiver such as 2026-12-31", yamltree.Kind(n))
		return time.Time{}
	}
	return day.AddDate(0, 0, 1)
}

func (p *parser) waivers(doc *yaml.Node) []*Waiver {
	var all []*Waiver
	p.entries(doc, "the waivers", func(key, value *yaml.Node) {
		if key.Value != "waivers" {
			p.errorf(key, "the waivers: found %s as a key, expected waivers alone", yamltree.Kind(key))
			return
		}
		for _, element := range p.list(value, "waivers") {
			w := &Waiver{Position: p.at(element)}
			p.require(element, "waivers", "rule", "owner", "approver", "reason", "expires")
			waiverFields.read(p, w, element, "waivers")
			all = append(all, w)
		}
	})
	return all
}
