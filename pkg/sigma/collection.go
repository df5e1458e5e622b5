// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// collection carries out the action documents of a file and gives the rule documents that result. Content of global documents
// is put over that of every following rule until a reset; repeat puts its content over the rule before it.
func (p *parser) collection(docs []*yaml.Node) []*yaml.Node {
	var rules []*yaml.Node
	var global, previous *yaml.Node
	for _, doc := range docs {
		if !p.isRuleDocument(doc) {
			continue
		}
		action, doc := takeAction(doc)
		switch {
		case action == nil && isMeta(doc):
			rules = append(rules, doc)
		case action == nil:
			previous = merge(doc, global)
			rules = append(rules, previous)
		case action.Value == "global":
			global = merge(doc, global)
		case action.Value == "reset":
			global = nil
		case action.Value == "repeat" && previous == nil:
			p.errorf(action, "found a repeat action with no rule before it, expected a rule to repeat")
		case action.Value == "repeat":
			previous = merge(previous, doc)
			rules = append(rules, previous)
		default:
			p.errorf(action, "unknown action %q, expected global, reset or repeat", action.Value)
		}
	}
	return rules
}

// isRuleDocument refuses what is neither a rule, a correlation, a filter nor an action.
func (p *parser) isRuleDocument(doc *yaml.Node) bool {
	if doc.Kind != yaml.MappingNode {
		p.errorf(doc, "found %s, expected a rule: a map with title, logsource and detection", yamltree.Kind(doc))
		return false
	}
	return true
}

// isMeta reports whether a document is about rules. Actions leave such documents as they are.
func isMeta(doc *yaml.Node) bool {
	return yamltree.ValueOf(doc, "correlation") != nil || yamltree.ValueOf(doc, "filter") != nil
}

// takeAction gives the value of the key action, nil if there is none, and the document without it.
func takeAction(doc *yaml.Node) (action, rest *yaml.Node) {
	action = yamltree.ValueOf(doc, "action")
	if action == nil {
		return nil, doc
	}
	at := 2 * slices.IndexFunc(yamltree.Keys(doc), func(k *yaml.Node) bool { return k.Value == "action" })
	stripped := *doc
	stripped.Content = slices.Delete(slices.Clone(doc.Content), at, at+2)
	return action, &stripped
}

// merge gives base with the content of over put over it, maps into maps. Neither is changed; the place is that of the later one.
func merge(base, over *yaml.Node) *yaml.Node {
	if over == nil {
		return base
	}
	if base == nil || base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	merged := *base
	if over.Line > base.Line {
		merged.Line, merged.Column = over.Line, over.Column
	}
	merged.Content = slices.Clone(base.Content)
	for i, key := range yamltree.Keys(over) {
		value := over.Content[2*i+1]
		at := slices.IndexFunc(yamltree.Keys(base), func(k *yaml.Node) bool { return k.Value == key.Value })
		if at < 0 {
			merged.Content = append(merged.Content, key, value)
			continue
		}
		merged.Content[2*at+1] = merge(base.Content[2*at+1], value)
	}
	return &merged
}
