// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// extension reads the keys that are not part of Sigma but mean something here.
func (p *parser) extension(h *Header, key string, n *yaml.Node) {
	switch key {
	case "output":
		h.Output = p.text(n, key)
	case "response":
		h.Response = p.texts(n, key)
	case "risk":
		h.Risk = p.risk(n)
	case "dedup":
		h.Dedup = p.dedup(n)
	}
}

func (p *parser) risk(n *yaml.Node) int {
	risk, err := strconv.Atoi(n.Value)
	if n.ShortTag() != "!!int" || err != nil || risk < 0 || risk > 100 {
		p.errorf(n, "risk: found %s, expected a whole number from 0 to 100", yamltree.Kind(n))
	}
	return risk
}

func (p *parser) dedup(n *yaml.Node) *Dedup {
	var d Dedup
	p.require(n, "dedup", "key", "window")
	p.eachEntry(n, "dedup", func(key, value *yaml.Node) {
		switch key.Value {
		case "group":
			d.Group = p.text(value, "dedup.group")
		case "key":
			d.Key = p.texts(value, "dedup.key")
		case "window":
			d.Window = p.duration(value, "dedup.window")
		default:
			p.errorf(key, "dedup: found the key %q, expected group, key or window", key.Value)
		}
	})
	return &d
}

func (p *parser) duration(n *yaml.Node, what string) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if n.ShortTag() != "!!str" || err != nil || d <= 0 {
		p.errorf(n, "%s: found %s, expected a time span such as 30s or 10m", what, yamltree.Kind(n))
	}
	return d
}

// setDefaults fills what the keys of dedup leave to the rest of the document.
func (h *Header) setDefaults() {
	switch {
	case h.Dedup == nil || h.Dedup.Group != "":
	case h.ID != "":
		h.Dedup.Group = h.ID
	default:
		h.Dedup.Group = h.Title
	}
}

// setDefaults fills what a rule's own keys leave to the rest of the rule.
func (r *Rule) setDefaults() {
	r.Header.setDefaults()
	for i := range r.Tests {
		if r.Tests[i].Category == "" {
			r.Tests[i].Category = r.LogSource.Category
		}
	}
}

func (p *parser) test(n *yaml.Node) TestEvent {
	t := TestEvent{Line: n.Line}
	p.require(n, "tests", "name", "match", "event")
	p.eachEntry(n, "tests", func(key, value *yaml.Node) {
		switch key.Value {
		case "name":
			t.Name = p.text(value, "tests.name")
		case "category":
			t.Category = p.text(value, "tests.category")
		case "keywords":
			t.Keywords = p.texts(value, "tests.keywords")
		case "match":
			t.Match = p.boolean(value, "tests.match")
		case "event":
			t.Event = p.event(value)
		default:
			p.errorf(key, "tests: found the key %q, expected name, category, event, keywords or match", key.Value)
		}
	})
	return t
}

func (p *parser) boolean(n *yaml.Node, what string) bool {
	var b bool
	if n.ShortTag() != "!!bool" || n.Decode(&b) != nil {
		p.errorf(n, "%s: found %s, expected true or false", what, yamltree.Kind(n))
	}
	return b
}

func (p *parser) event(n *yaml.Node) map[string]any {
	event := map[string]any{}
	p.eachEntry(n, "tests.event", func(key, value *yaml.Node) {
		what := "tests.event." + key.Value
		if value.Kind != yaml.SequenceNode {
			event[key.Value] = p.eventValue(value, what)
			return
		}
		values := []any{}
		for _, element := range p.list(value, what) {
			values = append(values, p.eventValue(element, what))
		}
		event[key.Value] = values
	})
	return event
}

func (p *parser) eventValue(n *yaml.Node, what string) any {
	m, ok := p.plainMatcher(n, what)
	if !ok {
		return nil
	}
	switch m := m.(type) {
	case Number:
		return m.Value
	case Bool:
		return m.Value
	case Null:
		return nil
	}
	return n.Value
}
