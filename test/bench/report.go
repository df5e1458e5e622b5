// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// report is the JSON file.
type report struct {
	Time       string   `json:"time"`
	Kernel     string   `json:"kernel"`
	CPUs       int      `json:"cpus"`
	Go         string   `json:"go"`
	LoadBefore string   `json:"load_before"` // of 1, 5 and 15 minutes
	LoadAfter  string   `json:"load_after"`
	Seconds    float64  `json:"seconds"`
	Figures    []figure `json:"figures"`
}

func (r *report) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the report's directory: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

var header = []string{"what", "figure", "lowest–highest", "unit", "goal", "met"}

func (r *report) writeTable(w io.Writer) {
	rows := [][]string{header}
	for _, f := range r.Figures {
		rows = append(rows, f.row())
	}
	widths := make([]int, len(header))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		fmt.Fprintln(w, strings.TrimRight(line(row, widths), " "))
	}
	r.writeNotes(w)
	fmt.Fprintf(w, "\n%d CPUs, Linux %s, %s; load %s before, %s after; %.0f s\n",
		r.CPUs, r.Kernel, r.Go, r.LoadBefore, r.LoadAfter, r.Seconds)
}

func (r *report) writeNotes(w io.Writer) {
	title := "\nnotes\n"
	for _, f := range r.Figures {
		if f.Note != "" {
			fmt.Fprintf(w, "%s  %s: %s\n", title, f.Name, f.Note)
			title = ""
		}
	}
}

func (f *figure) row() []string {
	if f.Figure == nil {
		return []string{f.What, "–", "", f.Unit, f.Goal.String(), "–"}
	}
	met := "–"
	switch {
	case f.Met == nil:
	case *f.Met:
		met = "yes"
	default:
		met = "no"
	}
	return []string{f.What, number(*f.Figure), number(*f.Low) + "–" + number(*f.High), f.Unit, f.Goal.String(), met}
}

// line sets the cells of a row: numbers to the right, the others to the left.
func line(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if i == 1 || i == 2 {
			cell = gap + cell
		} else {
			cell += gap
		}
		b.WriteString(cell + "  ")
	}
	return b.String()
}

// number writes a number as people read it: 1.034, 12.5, 412,000.
func number(n float64) string {
	switch size := math.Abs(n); {
	case size >= 1000:
		return thousands(int64(math.Round(significant(n, digits))))
	case size >= 100:
		return strconv.FormatFloat(n, 'f', 0, 64)
	case n == math.Trunc(n):
		return strconv.FormatFloat(n, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(n, 'f', 1, 64)
	default:
		return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(n, 'f', 3, 64), "0"), ".")
	}
}

func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
