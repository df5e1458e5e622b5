// SPDX-License-Identifier: Apache-2.0

// Package rules is what people write, test and tune detection rules with: it checks rules, runs their tests, shows what
// is known of them, explains verdicts, measures cost, and judges recorded events. The command line shows what it finds.
package rules

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Paint colours text for people; false leaves it as it is.
type Paint bool

const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

func (p Paint) in(colour, text string) string {
	if !p || text == "" {
		return text
	}
	return colour + text + reset
}

// mark is a tick or a cross.
func (p Paint) mark(ok bool) string {
	if ok {
		return p.in(green, "✓")
	}
	return p.in(red, "✗")
}

// level colours a level by how severe it is.
func (p Paint) level(l sigma.Level, width int) string {
	text := fmt.Sprintf("%-*s", width, orDash(string(l)))
	switch l {
	case sigma.Critical, sigma.High:
		return p.in(red, text)
	case sigma.Medium:
		return p.in(yellow, text)
	}
	return text
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// plural gives a count with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// WriteJSON writes a value as one JSON document for other programs.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Scope tells which documents a command is about: those of the given directories, or all where none are given.
type Scope []string

// has reports whether a document from the source is in the scope.
func (s Scope) has(source string) bool {
	if len(s) == 0 {
		return true
	}
	for _, dir := range s {
		if dir == source {
			return true
		}
	}
	return false
}

// names gives the ways to name a document, the most exact first.
func names(h *sigma.Header) []string { return []string{h.ID, h.Name, h.Title} }

// Find returns the rule or the correlation that an id, a name, a title or the unique beginning of a title means.
func Find(set *ruleset.Set, text string) (*ruleset.Rule, *ruleset.Correlation, error) {
	for way := range 3 {
		for _, r := range set.Rules {
			if name := names(&r.Header)[way]; name != "" && strings.EqualFold(name, text) {
				return r, nil, nil
			}
		}
		for _, c := range set.Correlations {
			if name := names(&c.Header)[way]; name != "" && strings.EqualFold(name, text) {
				return nil, c, nil
			}
		}
	}
	return findByPrefix(set, text)
}

func findByPrefix(set *ruleset.Set, text string) (rule *ruleset.Rule, correlation *ruleset.Correlation, err error) {
	var titles []string
	begins := func(h *sigma.Header) bool {
		if len(h.Title) < len(text) || !strings.EqualFold(h.Title[:len(text)], text) || text == "" {
			return false
		}
		titles = append(titles, fmt.Sprintf("%q", h.Title))
		return true
	}
	for _, r := range set.Rules {
		if begins(&r.Header) {
			rule = r
		}
	}
	for _, c := range set.Correlations {
		if begins(&c.Header) {
			correlation = c
		}
	}
	switch len(titles) {
	case 0:
		return nil, nil, notFound(set, text)
	case 1:
		return rule, correlation, nil
	}
	const shown = 5
	more := ""
	if len(titles) > shown {
		more = fmt.Sprintf(" and %d more", len(titles)-shown)
		titles = titles[:shown]
	}
	return nil, nil, fmt.Errorf("%q begins several titles: %s%s; expected one that only one rule has", text, strings.Join(titles, ", "), more)
}

// notFound says why there is no such rule in force, where the report knows.
func notFound(set *ruleset.Set, text string) error {
	for _, e := range set.Report.Entries {
		known := e.ID != "" && strings.EqualFold(e.ID, text) || e.Title != "" && strings.EqualFold(e.Title, text)
		if known && (e.State == ruleset.Refused || e.State == ruleset.Disabled) {
			return fmt.Errorf("%s:%d: %q is %s: %s", e.File, e.Line, e.Title, e.State, strings.Join(e.Reasons, "; "))
		}
	}
	return fmt.Errorf("no rule has the id, the name or a title that begins with %q (`vedette rules list` shows them)", text)
}
