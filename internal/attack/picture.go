// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// Measures of the picture, in pixels.
const (
	columnWidth = 172
	cellHeight  = 22
	headHeight  = 84
	gap         = 4
	margin      = 16
	subIndent   = 12
	legendSpace = 30
	longestName = 27
)

// shades colour a cell by how many rules name it: none, one, two, three or four, more.
var shades = []struct {
	least int
	fill  string
	text  string
}{
	{5, "#1e3a8a", "#ffffff"},
	{3, "#2563eb", "#ffffff"},
	{2, "#60a5fa", "#0b1220"},
	{1, "#bfdbfe", "#0b1220"},
	{0, "#f1f5f9", "#64748b"},
}

func shade(rules int) (fill, text string) {
	for _, s := range shades {
		if rules >= s.least {
			return s.fill, s.text
		}
	}
	return "", ""
}

// WriteSVG draws the matrix: a column for each tactic, a cell for each technique, the darker the more rules
// name it. Pointing at a cell shows the rules.
func (c *Coverage) WriteSVG(w io.Writer, title string) error {
	columns := c.Matrix()
	rows := 0
	for _, column := range columns {
		rows = max(rows, len(column.Cells))
	}
	width := 2*margin + len(columns)*(columnWidth+gap) - gap
	height := headHeight + rows*(cellHeight+gap) + legendSpace + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="11">`+"\n",
		width, height, width, height)
	covered, all := c.Totals()
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/><text x="%d" y="28" font-size="17" font-weight="600" fill="#0b1220">%s</text>`+"\n",
		margin, html.EscapeString(title))
	fmt.Fprintf(&b, `<text x="%d" y="47" fill="#475569">%d rules; %d of %d techniques and sub-techniques for Linux (ATT&amp;CK v19)</text>`+"\n",
		margin, c.count, covered, all)
	for i, column := range columns {
		drawColumn(&b, column, margin+i*(columnWidth+gap))
	}
	drawLegend(&b, height-margin)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func drawColumn(b *strings.Builder, column Column, x int) {
	fmt.Fprintf(b, `<text x="%d" y="72" font-weight="600" fill="#0b1220">%s<tspan dx="6" fill="#64748b" font-weight="400">%d/%d</tspan></text>`+"\n",
		x, html.EscapeString(column.Tactic.Name), column.Covered(), len(column.Cells))
	for row, cell := range column.Cells {
		left := x
		if cell.Sub() {
			left += subIndent
		}
		y := headHeight + row*(cellHeight+gap)
		fill, text := shade(len(cell.Rules))
		fmt.Fprintf(b, `<g><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="3" fill="%s"/><text x="%d" y="%d" fill="%s">%s</text></g>`+"\n",
			html.EscapeString(strings.Join(append([]string{cell.ID + " " + cell.Name}, cell.Rules...), "\n")),
			left, y, x+columnWidth-left, cellHeight, fill, left+6, y+15, text, html.EscapeString(shorten(cell)))
	}
}

func shorten(cell Cell) string {
	most := longestName
	if cell.Sub() {
		most -= 2
	}
	name := []rune(cell.Name)
	if len(name) > most {
		name = append(name[:most-1], '…')
	}
	return string(name)
}

func drawLegend(b *strings.Builder, y int) {
	x := margin
	for _, entry := range []struct {
		rules int
		label string
	}{{0, "no rule"}, {1, "1 rule"}, {2, "2 rules"}, {3, "3 or 4"}, {5, "5 and more"}} {
		fill, _ := shade(entry.rules)
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="14" height="14" rx="2" fill="%s"/><text x="%d" y="%d" fill="#475569">%s</text>`+"\n",
			x, y-12, fill, x+19, y, entry.label)
		x += 96
	}
}
