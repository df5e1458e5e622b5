// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// list gives the elements of a list.
func (p *parser) list(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		p.errorf(n, "%s: found %s, expected a list", what, yamltree.Kind(n))
		return nil
	}
	return yamltree.Elements(n)
}

// text gives the text of a scalar. Dates count as text; numbers do not, because their spelling may not be what was meant.
func (p *parser) text(n *yaml.Node, what string) string {
	if tag := n.ShortTag(); n.Kind == yaml.ScalarNode && (tag == "!!str" || tag == "!!timestamp") {
		return n.Value
	}
	p.errorf(n, "%s: found %s, expected text", what, yamltree.Kind(n))
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
		p.errorf(n, "%s: found %s, expected a map", what, yamltree.Kind(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key := n.Content[i]; {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null":
			p.errorf(key, "%s: found %s as a key, expected text", what, yamltree.Kind(key))
		case key.ShortTag() == "!!merge":
			p.errorf(key, "%s: YAML merge keys (<<) are not supported, expected the entries themselves", what)
		default:
			f(key, yamltree.Resolved(n.Content[i+1]))
		}
	}
}
