// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vedette-sec/vedette/internal/attack"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Listed is a rule or a correlation in a list.
type Listed struct {
	ID         string        `json:"id,omitempty"`
	Name       string        `json:"name,omitempty"`
	Title      string        `json:"title"`
	Kind       string        `json:"kind"` // rule or correlation
	State      ruleset.State `json:"state"`
	Silent     bool          `json:"silent,omitempty"` // it counts for correlations only
	Level      sigma.Level   `json:"level,omitempty"`
	Status     string        `json:"status,omitempty"`
	LogSource  string        `json:"logsource,omitempty"`
	Techniques []string      `json:"techniques,omitempty"`
	Tests      int           `json:"tests"`
	Source     string        `json:"source"`
	File       string        `json:"file"`
	Line       int           `json:"line"`
}

// List returns the rules and correlations in force, in the order of files and lines.
func List(set *ruleset.Set) []Listed {
	states := map[string]ruleset.State{}
	for _, e := range set.Report.Entries {
		states[fmt.Sprintf("%s:%d", e.File, e.Line)] = e.State
	}
	listed := func(kind, source string, silent bool, h *sigma.Header) Listed {
		return Listed{
			ID: h.ID, Name: h.Name, Title: h.Title, Kind: kind, Level: h.Level, Status: h.Status, Silent: silent,
			State:      states[fmt.Sprintf("%s:%d", h.File, h.Line)],
			Techniques: techniques(h.Tags), Source: source, File: h.File, Line: h.Line,
		}
	}
	all := []Listed{}
	for _, r := range set.Rules {
		one := listed("rule", r.Source, r.Silent, &r.Header)
		one.LogSource, one.Tests = cmp.Or(r.LogSource.Category, r.LogSource.Service, "any line"), len(r.Tests)
		all = append(all, one)
	}
	for _, c := range set.Correlations {
		one := listed("correlation", c.Source, c.Silent, &c.Header)
		one.LogSource, one.Tests = string(c.Type), len(c.Tests)
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return all
}

// techniques gives the ids that tags name, sub-techniques in place of their techniques.
func techniques(tags []string) []string {
	found := attack.FromTags(tags)
	var ids []string
	for _, t := range found.Techniques {
		sub := slices.ContainsFunc(found.Subtechniques, func(s attack.Technique) bool { return strings.HasPrefix(s.ID, t.ID+".") })
		if !sub {
			ids = append(ids, t.ID)
		}
	}
	for _, t := range found.Subtechniques {
		ids = append(ids, t.ID)
	}
	slices.Sort(ids)
	return ids
}

// WriteList writes a line for each rule.
func WriteList(w io.Writer, paint Paint, list []Listed) error {
	rows := make([][]string, len(list))
	for i, l := range list {
		note := ""
		switch {
		case l.Silent:
			note = "silent"
		case l.State != ruleset.Loaded:
			note = string(l.State)
		}
		rows[i] = []string{string(l.Level), l.Title, l.LogSource, strings.Join(l.Techniques, " "), l.ID, note}
	}
	widths := make([]int, 5)
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], utf8.RuneCountInString(orDash(row[i])))
		}
	}
	var b strings.Builder
	for i, row := range rows {
		line := paint.level(list[i].Level, widths[0])
		for column := 1; column < len(widths); column++ {
			line += "  " + padded(orDash(row[column]), widths[column])
		}
		if row[5] != "" {
			line += "  " + paint.in(yellow, row[5])
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprintf(&b, "%s\n", plural(len(list), "rule"))
	_, err := io.WriteString(w, b.String())
	return err
}

func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
}

// Coverage counts the rules and correlations that alert by the ATT&CK techniques they name.
func Coverage(set *ruleset.Set) *attack.Coverage {
	c := &attack.Coverage{}
	for _, r := range set.Rules {
		if !r.Silent {
			c.Add(r.Title, r.Tags)
		}
	}
	for _, r := range set.Correlations {
		if !r.Silent {
			c.Add(r.Title, r.Tags)
		}
	}
	return c
}

// CoveredTechnique is a technique of a coverage in JSON.
type CoveredTechnique struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Tactic string   `json:"tactic"`
	Rules  []string `json:"rules"` // titles
}

// Techniques lists the techniques of a coverage, each for each of its tactics; with gaps also those that no rule names.
func Techniques(c *attack.Coverage, gaps bool) []CoveredTechnique {
	all := []CoveredTechnique{}
	for _, column := range c.Matrix() {
		for _, cell := range column.Cells {
			if len(cell.Rules) > 0 || gaps {
				all = append(all, CoveredTechnique{cell.ID, cell.Name, column.Tactic.Name, append([]string{}, cell.Rules...)})
			}
		}
	}
	return all
}
