// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// resolved follows an alias to what it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// keys gives the keys of a map in order.
func keys(m *yaml.Node) []*yaml.Node {
	var all []*yaml.Node
	for i := 0; i+1 < len(m.Content); i += 2 {
		all = append(all, m.Content[i])
	}
	return all
}

// valueOf gives the value of a key in a map, nil if there is none.
func valueOf(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := m.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return resolved(m.Content[i+1])
		}
	}
	return nil
}

// kind names a node's type for messages.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return scalarKind(n)
	}
	return "something else"
}

func scalarKind(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the boolean " + n.Value
	case "!!timestamp":
		return "the date " + n.Value
	case "!!str":
		return "the text " + quote(n.Value)
	}
	return "the tag " + n.Tag
}

// quote shortens long text, so that a message stays one readable line.
func quote(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return "\"" + strings.ReplaceAll(s, "\"", `\"`) + "\""
}

// list gives the elements of a list.
func (p *parser) list(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		p.errorf(n, "%s: found %s, expected a list", what, kind(n))
		return nil
	}
	elements := make([]*yaml.Node, len(n.Content))
	for i, element := range n.Content {
		elements[i] = resolved(element)
	}
	return elements
}

// text gives the text of a scalar. Dates count as text; numbers do not, because their spelling may not be what was meant.
func (p *parser) text(n *yaml.Node, what string) string {
	if tag := n.ShortTag(); n.Kind == yaml.ScalarNode && (tag == "!!str" || tag == "!!timestamp") {
		return n.Value
	}
	p.errorf(n, "%s: found %s, expected text", what, kind(n))
	return ""
}

func (p *parser) texts(n *yaml.Node, what string) []string {
	var all []string
	for _, element := range p.list(n, what) {
		all = append(all, p.text(element, "an element of "+what))
	}
	return all
}

// textOrTexts also takes a single text for a list of one.
func (p *parser) textOrTexts(n *yaml.Node, what string) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{p.text(n, what)}
	}
	return p.texts(n, what)
}

// eachEntry calls f for each entry of a map with a usable key.
func (p *parser) eachEntry(n *yaml.Node, what string, f func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.errorf(n, "%s: found %s, expected a map", what, kind(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key := n.Content[i]; {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null":
			p.errorf(key, "%s: found %s as a key, expected text", what, kind(key))
		case key.ShortTag() == "!!merge":
			p.errorf(key, "%s: YAML merge keys (<<) are not supported, expected the entries themselves", what)
		default:
			f(key, resolved(n.Content[i+1]))
		}
	}
}
