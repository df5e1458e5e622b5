// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vedette-sec/vedette/internal/visible"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// formats write a report for programs, auditors and people, by the name of the format.
var formats = map[string]func(w io.Writer, r *Report, v View) error{
	"text":  func(w io.Writer, r *Report, v View) error { return r.WriteText(w, v) },
	"json":  func(w io.Writer, r *Report, _ View) error { return writeJSON(w, r) },
	"csv":   writeCSV,
	"sarif": func(w io.Writer, r *Report, v View) error { return writeJSON(w, sarifOf(r, v)) },
	"ocsf":  writeOCSF,
	"xccdf": writeXCCDF,
	"html":  writeHTML,
}

// Formats are the names of the formats.
func Formats() []string { return slices.Sorted(maps.Keys(formats)) }

// Write writes a report in a format.
func (r *Report) Write(w io.Writer, format string, v View) error {
	write, ok := formats[format]
	if !ok {
		return fmt.Errorf("found the format %q, expected one of %s", format, strings.Join(Formats(), ", "))
	}
	return write(w, r, v)
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// writeCSV writes a line for each rule, with the clauses of the standards in columns of their own.
func writeCSV(w io.Writer, r *Report, v View) error {
	standards := r.standards()
	lines := [][]string{append([]string{"rule", "title", "severity", "verdict", "reason", "subject", "actual", "expected", "file", "line", "waived_until"}, standards...)}
	for _, result := range r.Results {
		wrong, _ := result.first()
		number := ""
		if wrong.Line > 0 {
			number = strconv.Itoa(wrong.Line)
		}
		until := ""
		if result.Waiver != nil {
			until = lastDay(result.Waiver)
		}
		line := []string{result.Rule, result.Title.In(v.Language), string(result.Severity), string(result.Verdict), result.reason().In(v.Language),
			strings.TrimSpace(wrong.Subject + " " + wrong.Field), wrong.ActualIn(v.Language), wrong.ExpectedIn(v.Language), wrong.File, number, until}
		for _, standard := range standards {
			line = append(line, strings.Join(result.Maps[standard], " "))
		}
		lines = append(lines, line)
	}
	// Spreadsheets take a file for text of their country unless this sign comes first.
	if v.Language == "zh" {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return err
		}
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true // as RFC 4180 has it
	for _, line := range lines {
		for i, cell := range line {
			line[i] = harmless(cell)
		}
	}
	return out.WriteAll(lines)
}

// harmless keeps spreadsheets from taking what the host says for a formula.
func harmless(cell string) string {
	cell = visible.Text(cell)
	if first, _ := utf8.DecodeRuneInString(cell); strings.ContainsRune("=+-@＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}

// standards are those that the rules name, in order.
func (r *Report) standards() []string {
	all := map[string]bool{}
	for _, result := range r.Results {
		for standard := range result.Maps {
			all[standard] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// first is what was found to be wrong first, or for a person to judge; false where there is nothing to show.
func (r Result) first() (baseline.Evidence, bool) {
	if len(r.Evidence) == 0 || r.Evidence[0].OK && r.Verdict != baseline.Manual {
		return baseline.Evidence{}, false
	}
	return r.Evidence[0], true
}
