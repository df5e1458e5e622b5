// SPDX-License-Identifier: Apache-2.0

package yamltree

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Resolved follows an alias to what it stands for.
func Resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// Keys gives the keys of a map in order.
func Keys(m *yaml.Node) []*yaml.Node {
	var all []*yaml.Node
	for i := 0; i+1 < len(m.Content); i += 2 {
		all = append(all, m.Content[i])
	}
	return all
}

// ValueOf gives the value of a key in a map, nil if there is none.
func ValueOf(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := m.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return Resolved(m.Content[i+1])
		}
	}
	return nil
}

// Elements gives the elements of a list.
func Elements(n *yaml.Node) []*yaml.Node {
	elements := make([]*yaml.Node, len(n.Content))
	for i, element := range n.Content {
		elements[i] = Resolved(element)
	}
	return elements
}

// Kind names a node's type for messages.
func Kind(n *yaml.Node) string {
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
		return "the text " + Quote(n.Value)
	}
	return "the tag " + n.Tag
}

// Quote shortens long text, so that a message stays one readable line.
func Quote(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return "\"" + strings.ReplaceAll(s, "\"", `\"`) + "\""
}
