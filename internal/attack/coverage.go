// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// matrixOrder is the order in which ATT&CK shows the tactics, by their names in Sigma tags.
var matrixOrder = []string{
	"reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation",
	"stealth", "defense-impairment", "credential-access", "discovery", "lateral-movement", "collection",
	"command-and-control", "exfiltration", "impact",
}

// Coverage tells which techniques rules name. The zero value names none.
type Coverage struct {
	rules map[string][]string // technique id to the titles of the rules that name it
	count int                 // rules that were added
	bare  int                 // of these, rules that name no technique
}

// Add counts a rule by its Sigma tags. A sub-technique counts for itself and not for its technique.
func (c *Coverage) Add(title string, tags []string) {
	if c.rules == nil {
		c.rules = map[string][]string{}
	}
	c.count++
	found := FromTags(tags)
	named := found.Subtechniques
	for _, t := range found.Techniques {
		if !slices.ContainsFunc(found.Subtechniques, func(sub Technique) bool { return parentOf(sub.ID) == t.ID }) {
			named = append(named, t)
		}
	}
	if len(named) == 0 {
		c.bare++
	}
	for _, t := range named {
		c.rules[t.ID] = append(c.rules[t.ID], title)
	}
}

// parentOf gives the technique of a sub-technique, and of a technique itself.
func parentOf(id string) string {
	parent, _, _ := strings.Cut(id, ".")
	return parent
}

// Column is one tactic of the matrix with its techniques in the order of their names, each followed by
// its sub-techniques.
type Column struct {
	Tactic Tactic
	Cells  []Cell
	slug   string
}

// Cell is a technique or sub-technique of a tactic with the titles of the rules that name it.
type Cell struct {
	Technique
	Rules []string
}

// Sub reports whether the cell is a sub-technique.
func (c Cell) Sub() bool { return strings.Contains(c.ID, ".") }

// Covered counts the cells that a rule names.
func (c Column) Covered() int {
	n := 0
	for _, cell := range c.Cells {
		if len(cell.Rules) > 0 {
			n++
		}
	}
	return n
}

// Matrix returns the tactics that have techniques for Linux, in ATT&CK's order. Techniques that the table does not know, such as those for
// other platforms, are left out; Unknown has them.
func (c *Coverage) Matrix() []Column {
	var columns []Column
	for _, slug := range matrixOrder {
		if cells := c.cells(slug); len(cells) > 0 {
			columns = append(columns, Column{Tactic: tactics[slug], Cells: cells, slug: slug})
		}
	}
	return columns
}

func (c *Coverage) cells(slug string) []Cell {
	var cells []Cell
	for id, row := range techniques {
		if slices.Contains(row.tactics, slug) {
			t, _ := Lookup(id)
			cells = append(cells, Cell{t, c.rules[id]})
		}
	}
	slices.SortFunc(cells, func(a, b Cell) int {
		return strings.Compare(sortKey(a.ID), sortKey(b.ID))
	})
	return cells
}

// sortKey puts a sub-technique behind its technique.
func sortKey(id string) string {
	parent := parentOf(id)
	return techniques[parent].name + "\x00" + parent + "\x00" + id
}

// Unknown returns the ids that rules name and the table does not know, sorted.
func (c *Coverage) Unknown() []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(c.rules)) {
		if _, ok := techniques[id]; !ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// Totals returns how many of the techniques and sub-techniques for Linux a rule names, and how many
// there are.
func (c *Coverage) Totals() (covered, all int) {
	for id := range techniques {
		if len(c.rules[id]) > 0 {
			covered++
		}
	}
	return covered, len(techniques)
}

// WriteTable writes the matrix for reading: a line for each tactic, below it the techniques that rules
// name and how many rules do. With gaps the others are listed too.
func (c *Coverage) WriteTable(w io.Writer, gaps bool) error {
	var b strings.Builder
	covered, all := c.Totals()
	fmt.Fprintf(&b, "%d rules name %d of the %d techniques and sub-techniques for Linux", c.count, covered, all)
	if c.bare > 0 {
		fmt.Fprintf(&b, "; %d rules name none", c.bare)
	}
	b.WriteString("\n")
	for _, column := range c.Matrix() {
		fmt.Fprintf(&b, "\n%-22s %3d of %3d\n", column.Tactic.Name, column.Covered(), len(column.Cells))
		for _, cell := range column.Cells {
			switch {
			case len(cell.Rules) > 0:
				fmt.Fprintf(&b, "  %-9s %-46s %3d\n", cell.ID, cell.Name, len(cell.Rules))
			case gaps:
				fmt.Fprintf(&b, "  %-9s %-46s   –\n", cell.ID, cell.Name)
			}
		}
	}
	if unknown := c.Unknown(); len(unknown) > 0 {
		fmt.Fprintf(&b, "\nNot among the techniques for Linux: %s\n", strings.Join(unknown, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// layer is a layer of the ATT&CK Navigator, format 4.5.
type layer struct {
	Name        string           `json:"name"`
	Versions    layerVersions    `json:"versions"`
	Domain      string           `json:"domain"`
	Description string           `json:"description"`
	Filters     layerFilters     `json:"filters"`
	Techniques  []layerTechnique `json:"techniques"`
	Gradient    layerGradient    `json:"gradient"`
}

type layerVersions struct {
	Attack    string `json:"attack"`
	Navigator string `json:"navigator"`
	Layer     string `json:"layer"`
}

type layerFilters struct {
	Platforms []string `json:"platforms"`
}

type layerTechnique struct {
	ID      string `json:"techniqueID"`
	Tactic  string `json:"tactic"`
	Score   int    `json:"score"`
	Comment string `json:"comment"`
	Enabled bool   `json:"enabled"`
}

type layerGradient struct {
	Colors []string `json:"colors"`
	Min    int      `json:"minValue"`
	Max    int      `json:"maxValue"`
}

// WriteNavigator writes a layer for the ATT&CK Navigator. The score of a technique is the number of rules
// that name it, its comment their titles.
func (c *Coverage) WriteNavigator(w io.Writer, name string) error {
	l := layer{
		Name:        name,
		Versions:    layerVersions{Attack: "19", Navigator: "5.1.0", Layer: "4.5"},
		Domain:      "enterprise-attack",
		Description: "Techniques that detection rules name; the score is how many rules do.",
		Filters:     layerFilters{Platforms: []string{"Linux"}},
		Techniques:  []layerTechnique{},
		Gradient:    layerGradient{Colors: []string{"#dbeafe", "#1d4ed8"}, Min: 1, Max: 1},
	}
	for _, column := range c.Matrix() {
		for _, cell := range column.Cells {
			if len(cell.Rules) == 0 {
				continue
			}
			l.Gradient.Max = max(l.Gradient.Max, len(cell.Rules))
			l.Techniques = append(l.Techniques, layerTechnique{cell.ID, column.slug, len(cell.Rules), strings.Join(cell.Rules, "\n"), true})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(l)
}
