// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

var (
	levels    = []string{string(Informational), string(Low), string(Medium), string(High), string(Critical)}
	statuses  = []string{"stable", "test", "experimental", "deprecated", "unsupported"}
	relations = []string{"derived", "obsolete", "obsoletes", "merged", "renamed", "similar"}
)

// rule reads a rule document, and gives nil if there is anything wrong with it.
func (p *parser) rule(doc *yaml.Node) *Rule {
	before := len(p.errs)
	r := &Rule{Header: p.headerAt(doc)}
	p.require(doc, "the rule", "title", "logsource", "detection")
	p.eachEntry(doc, "the rule", func(key, value *yaml.Node) { p.attribute(r, key.Value, value) })
	r.setDefaults()
	if len(p.errs) > before {
		return nil
	}
	return r
}

// require reports the keys a map lacks.
func (p *parser) require(m *yaml.Node, what string, names ...string) {
	for _, name := range names {
		if m.Kind == yaml.MappingNode && yamltree.ValueOf(m, name) == nil {
			p.errorf(m, "%s: the key %q is missing", what, name)
		}
	}
}

// headerAt begins the header of a document.
func (p *parser) headerAt(doc *yaml.Node) Header {
	return Header{File: p.file, Line: doc.Line}
}

// attribute reads one top-level entry. Unknown ones are custom fields, which Sigma allows.
func (p *parser) attribute(r *Rule, key string, n *yaml.Node) {
	switch key {
	case "logsource":
		r.LogSource = p.logSource(n)
	case "detection":
		r.Selections, r.Conditions = p.searches(n, key)
	case "tests":
		for _, element := range p.list(n, key) {
			r.Tests = append(r.Tests, p.test(element))
		}
	default:
		p.header(&r.Header, key, n)
	}
}

// header reads an entry that any kind of document may have.
func (p *parser) header(h *Header, key string, n *yaml.Node) {
	switch key {
	case "title":
		h.Title = p.title(n)
	case "id":
		h.ID = p.text(n, key)
	case "name":
		h.Name = p.text(n, key)
	case "description":
		h.Description = p.text(n, key)
	case "author":
		h.Author = p.text(n, key)
	case "license":
		h.License = p.text(n, key)
	case "taxonomy":
		h.Taxonomy = p.text(n, key)
	case "status":
		h.Status = p.oneOf(n, key, statuses)
	case "level":
		h.Level = Level(p.oneOf(n, key, levels))
	case "date":
		h.Date = p.date(n, key)
	case "modified":
		h.Modified = p.date(n, key)
	case "references":
		h.References = p.texts(n, key)
	case "tags":
		h.Tags = p.texts(n, key)
	case "falsepositives":
		h.FalsePositives = p.textOrTexts(n, key)
	case "fields":
		h.Fields = p.texts(n, key)
	case "scope":
		h.Scope = p.texts(n, key)
	case "related":
		for _, element := range p.list(n, key) {
			h.Related = append(h.Related, p.related(element))
		}
	default:
		p.extension(h, key, n)
	}
}

// related also takes the type obsoletes, which rules written before Sigma 2 have.
func (p *parser) related(n *yaml.Node) Related {
	var r Related
	p.require(n, "related", "id", "type")
	p.eachEntry(n, "related", func(key, value *yaml.Node) {
		switch key.Value {
		case "id":
			r.ID = p.text(value, "related.id")
		case "type":
			r.Type = strings.Replace(p.oneOf(value, "related.type", relations), "obsoletes", "obsolete", 1)
		}
	})
	return r
}

const maxTitle = 256

func (p *parser) title(n *yaml.Node) string {
	title := p.text(n, "title")
	switch length := utf8.RuneCountInString(title); {
	case n.ShortTag() == "!!str" && strings.TrimSpace(title) == "":
		p.errorf(n, "title: found no text, expected what the rule detects")
	case length > maxTitle:
		p.errorf(n, "title: found %d characters, expected at most %d", length, maxTitle)
	}
	return title
}

func (p *parser) oneOf(n *yaml.Node, what string, known []string) string {
	before := len(p.errs)
	value := p.text(n, what)
	if len(p.errs) == before && !slices.Contains(known, value) {
		p.errorf(n, "%s: found %s, expected one of %s", what, yamltree.Quote(value), strings.Join(known, ", "))
	}
	return value
}

// date also takes the form with slashes, which rules written before Sigma 2 have.
func (p *parser) date(n *yaml.Node, what string) string {
	before := len(p.errs)
	value := p.text(n, what)
	_, err := time.Parse("2006-1-2", strings.ReplaceAll(value, "/", "-"))
	if len(p.errs) == before && err != nil {
		p.errorf(n, "%s: found %s, expected a date such as 2024-12-31", what, yamltree.Quote(value))
	}
	return value
}

func (p *parser) logSource(n *yaml.Node) LogSource {
	var source LogSource
	p.eachEntry(n, "logsource", func(key, value *yaml.Node) {
		switch key.Value {
		case "product":
			source.Product = p.text(value, "logsource.product")
		case "category":
			source.Category = p.text(value, "logsource.category")
		case "service":
			source.Service = p.text(value, "logsource.service")
		}
	})
	if n.Kind == yaml.MappingNode && yamltree.ValueOf(n, "product") == nil && yamltree.ValueOf(n, "category") == nil && yamltree.ValueOf(n, "service") == nil {
		p.errorf(n, "logsource: found none of product, category and service, expected at least one")
	}
	return source
}
