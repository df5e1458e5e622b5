// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// searches reads the selections first and then the condition over them. Keys in own are read elsewhere.
func (p *parser) searches(n *yaml.Node, what string, own ...string) ([]*Selection, []Condition) {
	before := len(p.errs)
	var selections []*Selection
	p.require(n, what, "condition")
	p.eachEntry(n, what, func(key, value *yaml.Node) {
		switch {
		case key.Value == "condition" || slices.Contains(own, key.Value):
		case key.Value == "timeframe":
			// It belonged to aggregations, which are refused; without one it never had a meaning.
		case reserved(key.Value) || strings.ContainsAny(key.Value, " \t\r\n()|*") || key.Value == "":
			p.errorf(key, "selection %s: a condition could not name it, expected a name without spaces, parentheses, \"*\" and \"|\" that is no operator", yamltree.Quote(key.Value))
		default:
			selections = append(selections, p.selection(key, value))
		}
	})
	if len(p.errs) > before {
		return nil, nil
	}
	if len(selections) == 0 {
		p.errorf(n, "%s: found no selection, expected at least one beside the condition", what)
		return nil, nil
	}
	return selections, p.conditions(yamltree.ValueOf(n, "condition"), selections)
}

func (p *parser) selection(key, n *yaml.Node) *Selection {
	s := &Selection{Name: key.Value, Line: key.Line, Column: key.Column}
	what := "selection " + key.Value
	switch n.Kind {
	case yaml.MappingNode:
		s.Alternatives = []Alternative{p.alternative(n, what)}
	case yaml.SequenceNode:
		s.Alternatives = p.alternatives(n, what)
	default:
		s.Alternatives = []Alternative{{p.keywords(n, []*yaml.Node{n})}}
	}
	return s
}

// alternatives reads a list of maps and keywords. The keywords together are one alternative.
func (p *parser) alternatives(n *yaml.Node, what string) []Alternative {
	var all []Alternative
	var keywords []*yaml.Node
	elements := p.list(n, what)
	if len(elements) == 0 {
		p.errorf(n, "%s: found an empty list, expected fields or keywords", what)
	}
	for _, element := range elements {
		switch element.Kind {
		case yaml.MappingNode:
			all = append(all, p.alternative(element, what))
		case yaml.ScalarNode:
			keywords = append(keywords, element)
		default:
			p.errorf(element, "%s: found a list in a list, expected a map or a keyword", what)
		}
	}
	if len(keywords) > 0 {
		all = append(all, Alternative{p.keywords(n, keywords)})
	}
	return all
}

func (p *parser) keywords(at *yaml.Node, nodes []*yaml.Node) *Item {
	item := &Item{Line: at.Line, Column: at.Column, Values: make([]Value, 0, len(nodes))}
	for _, n := range nodes {
		p.addValue(item, "keyword", n)
	}
	return item
}

func (p *parser) alternative(n *yaml.Node, what string) Alternative {
	var items Alternative
	p.eachEntry(n, what, func(key, value *yaml.Node) { items = append(items, p.item(key, value)) })
	if len(n.Content) == 0 {
		p.errorf(n, "%s: found an empty map, expected fields or keywords", what)
	}
	return items
}

func (p *parser) item(key, n *yaml.Node) *Item {
	field, rest, modified := strings.Cut(key.Value, "|")
	item := &Item{Field: field, Line: key.Line, Column: key.Column}
	if modified {
		item.Modifiers = strings.Split(rest, "|")
	}
	if field == "" && !modified {
		p.errorf(key, "found an empty key, expected the name of a field")
		return item
	}
	if err := checkModifiers(item.Modifiers); err != nil {
		p.errorf(key, "%s: %v", key.Value, err)
		return item
	}
	item.All = slices.Contains(item.Modifiers, modifierAll)
	item.Negate = slices.Contains(item.Modifiers, modifierNeq)
	p.values(item, key, n)
	return item
}

func (p *parser) values(item *Item, key, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		p.addValue(item, key.Value, n)
		return
	}
	if len(n.Content) == 0 {
		p.errorf(n, "%s: found an empty list, expected at least one value", key.Value)
	}
	if slices.Contains(item.Modifiers, "exists") {
		p.errorf(n, "%s: found a list, expected true or false", key.Value)
		return
	}
	item.Values = make([]Value, 0, len(n.Content))
	for _, element := range p.list(n, key.Value) {
		if element.ShortTag() == "!!null" {
			p.errorf(element, "%s: found null in a list, expected it in a selection of its own", key.Value)
			continue
		}
		p.addValue(item, key.Value, element)
	}
}

// addValue reads one value of an item and applies the item's modifiers to it. what is the item as written.
func (p *parser) addValue(item *Item, what string, n *yaml.Node) {
	m, ok := p.plainMatcher(n, what)
	if !ok {
		return
	}
	names := item.Modifiers
	if item.Field == "" {
		if !p.fitForKeyword(item, what, m, n) {
			return
		}
		if !slices.ContainsFunc(names, isAnchor) && !slices.Contains(names, "re") {
			names = append(slices.Clone(names), string(Contains))
		}
	}
	matchers, err := applyModifiers(m, n.Value, names, p.placeholders)
	if err != nil {
		p.errorf(n, "%s: %v", what, err)
		return
	}
	item.Values = append(item.Values, Value{Text: n.Value, Matchers: matchers, Line: n.Line, Column: n.Column})
}

// fieldModifiers compare with what only a field can have.
var fieldModifiers = []string{"cidr", "exists", "fieldref", "gt", "gte", "lt", "lte", "minute", "hour", "day", "week", "month", "year"}

func (p *parser) fitForKeyword(item *Item, what string, m Matcher, n *yaml.Node) bool {
	for _, name := range item.Modifiers {
		if slices.Contains(fieldModifiers, name) {
			p.errorf(n, "%s: modifier %q needs a field, expected its name before the first \"|\"", what, name)
			return false
		}
	}
	if _, null := m.(Null); null || n.Value == "" {
		p.errorf(n, "%s: found %s, expected text to search for", what, yamltree.Kind(n))
		return false
	}
	return true
}

// plainMatcher reads a scalar without regard to modifiers.
func (p *parser) plainMatcher(n *yaml.Node, what string) (m Matcher, ok bool) {
	if n.Kind != yaml.ScalarNode {
		p.errorf(n, "%s: found %s, expected a single value", what, yamltree.Kind(n))
		return nil, false
	}
	switch n.ShortTag() {
	case "!!null":
		return Null{}, true
	case "!!bool":
		return Bool{p.boolean(n, what), n.Value}, true
	case "!!int", "!!float":
		return p.number(n, what)
	case "!!str", "!!timestamp", "!!merge":
		return parsePattern(n.Value), true
	}
	p.errorf(n, "%s: found %s, expected a plain value", what, yamltree.Kind(n))
	return nil, false
}

func (p *parser) number(n *yaml.Node, what string) (Matcher, bool) {
	var i int64
	if n.ShortTag() == "!!int" && n.Decode(&i) == nil {
		return Number{i, n.Value}, true
	}
	// YAML takes a whole number that is too great for 64 bits for a fraction and rounds it.
	var f float64
	if n.ShortTag() == "!!float" && strings.ContainsAny(n.Value, ".eE") && n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return Number{f, n.Value}, true
	}
	p.errorf(n, "%s: found %s, expected one that fits 64 bits; with quotes it is compared as text", what, yamltree.Kind(n))
	return nil, false
}

// conditions reads one condition or a list of them.
func (p *parser) conditions(n *yaml.Node, selections []*Selection) []Condition {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = p.list(n, "condition")
		if len(nodes) == 0 {
			p.errorf(n, "condition: found an empty list, expected at least one condition")
		}
	}
	var all []Condition
	for _, n := range nodes {
		if c := p.condition(n, selections, "selection"); c != nil {
			all = append(all, c)
		}
	}
	return all
}

// condition reads one condition, and gives nil if there is anything wrong with it.
func (p *parser) condition(n *yaml.Node, selections []*Selection, noun string) Condition {
	before := len(p.errs)
	tokens := conditionTokens(p.text(n, "condition"))
	if len(p.errs) > before {
		return nil
	}
	c, err := parseCondition(tokens, selections, noun)
	if err != nil {
		line, column := p.locate(n, tokens, err.token)
		p.errorAt(line, column, "condition: %s", err.msg)
		return nil
	}
	return c
}

// locate finds the place of a token of a condition in the file, which the YAML reader has folded away. Between tokens there is
// only white space, and quotes and escapes at line ends. Where that is not so, the place is that of the whole condition.
func (p *parser) locate(n *yaml.Node, tokens []string, token int) (line, column int) {
	rest := p.src
	line, column = n.Line, 1
	for range n.Line - 1 {
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
	}
	skip := func(size int) {
		for _, r := range string(rest[:size]) {
			column++
			if r == '\n' {
				line, column = line+1, 1
			}
		}
		rest = rest[size:]
	}
	for column < n.Column && len(rest) > 0 {
		_, size := utf8.DecodeRune(rest)
		skip(size)
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		skip(bytes.IndexByte(rest, '\n') + 1)
	}
	for i, t := range tokens {
		at := bytes.Index(rest, []byte(t))
		if at < 0 || strings.Trim(string(rest[:at]), " \t\r\n'\"\\") != "" {
			return n.Line, n.Column
		}
		skip(at)
		if i == token {
			return line, column
		}
		skip(len(t))
	}
	return line, column
}
