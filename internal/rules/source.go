// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// document is the text of one document of a file.
type document struct {
	lines []string
	first int // the number of its first line
}

// texts reads files of rules, each once.
type texts map[string][]string

// of returns the text of a document, which is empty where its file cannot be read any more.
func (t texts) of(source string, h *sigma.Header) document {
	lines, known := t[h.File]
	if !known {
		content, err := ruleset.Text(source, h.File)
		if err == nil {
			for line := range bytes.Lines(content) {
				lines = append(lines, strings.TrimRight(string(line), "\r\n"))
			}
		}
		t[h.File] = lines
	}
	begin := max(h.Line-1, 0)
	if begin >= len(lines) {
		return document{first: h.Line}
	}
	rest := lines[begin:]
	if end := slices.IndexFunc(rest, func(l string) bool { return l == "---" || strings.HasPrefix(l, "--- ") }); end >= 0 {
		rest = rest[:end]
	}
	for len(rest) > 0 && strings.TrimSpace(rest[len(rest)-1]) == "" {
		rest = rest[:len(rest)-1]
	}
	return document{rest, h.Line}
}

// line finds the line below a key of the document where a text stands: that of the key where it stands on none, and that
// of the document where the key is none of its own, as in documents that others are merged into.
func (d document) line(key, text string) int {
	at := slices.IndexFunc(d.lines, func(l string) bool { return strings.HasPrefix(l, key+":") })
	if at < 0 {
		return d.first
	}
	for i := at; i < len(d.lines); i++ {
		if i > at && d.lines[i] != "" && !strings.ContainsAny(d.lines[i][:1], " \t-#") {
			break
		}
		if text != "" && strings.Contains(d.lines[i], text) {
			return d.first + i
		}
	}
	return d.first + at
}

// narrowing returns the filters that narrow a rule.
func narrowing(set *ruleset.Set, r *sigma.Rule) []*sigma.Filter {
	var all []*sigma.Filter
	for _, f := range set.Filters {
		if slices.ContainsFunc(f.Selections, func(s *sigma.Selection) bool { return slices.Contains(r.Selections, s) }) {
			all = append(all, f)
		}
	}
	return all
}

// ownSelections returns the selections that stand in the rule itself, without those of filters.
func ownSelections(set *ruleset.Set, r *sigma.Rule) []*sigma.Selection {
	own := slices.Clone(r.Selections)
	for _, f := range narrowing(set, r) {
		own = slices.DeleteFunc(own, func(s *sigma.Selection) bool { return slices.Contains(f.Selections, s) })
	}
	return own
}
