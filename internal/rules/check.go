// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/ruleset"
)

// Severity is how bad a finding is.
type Severity string

// The severities of findings.
const (
	Error    Severity = "error"    // the document is not in force
	Degraded Severity = "degraded" // something in it can never match here
	Warning  Severity = "warning"  // it is not as a good rule should be
)

// Finding is something wrong at a place in a file.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Severity Severity `json:"severity"`
	Title    string   `json:"title,omitempty"` // of the rule, where it is known
	Message  string   `json:"message"`
}

// CheckReport is what checking rules found, in the order of files and lines.
type CheckReport struct {
	Rules    int       `json:"rules"` // and correlations, refused ones too
	Refused  int       `json:"refused"`
	Degraded int       `json:"degraded"`
	Warnings int       `json:"warnings"`
	Findings []Finding `json:"findings"`
}

// Check looks for what is wrong with rules and correlations, and with what the user wrote about them.
func Check(set *ruleset.Set, scope Scope) *CheckReport {
	l := &linter{set: set, scope: scope, texts: texts{}, report: &CheckReport{Findings: []Finding{}}}
	l.refused()
	l.titles()
	for _, r := range set.Rules {
		if scope.has(r.Source) {
			l.report.Rules++
			l.rule(r)
		}
	}
	for _, c := range set.Correlations {
		if scope.has(c.Source) {
			l.report.Rules++
			l.correlation(c)
		}
	}
	slices.SortStableFunc(l.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return l.report
}

// linter gathers findings.
type linter struct {
	set    *ruleset.Set
	scope  Scope
	texts  texts
	report *CheckReport
}

func (l *linter) add(f Finding) {
	if f.Severity == Warning {
		l.report.Warnings++
	}
	l.report.Findings = append(l.report.Findings, f)
}

// refused tells what the loader refused, fault by fault, and what it says of degraded rules.
func (l *linter) refused() {
	sources := map[string]string{}
	titles := map[string]string{}
	for _, e := range l.set.Report.Entries {
		sources[e.File] = e.Source
		if !l.scope.has(e.Source) {
			continue
		}
		switch e.State {
		case ruleset.Refused:
			l.report.Refused++
			l.report.Rules++
			for _, reason := range e.Reasons {
				titles[reason] = e.Title
			}
		case ruleset.Degraded:
			l.report.Degraded++
			for _, reason := range e.Reasons {
				l.add(Finding{File: e.File, Line: e.Line, Severity: Degraded, Title: e.Title, Message: reason})
			}
		}
	}
	for _, fault := range l.set.Report.Faults {
		// A file that holds nothing but faults of its own has no other entry; then the scope cannot tell, and it is shown.
		if source, known := sources[fault.File]; !known || l.scope.has(source) {
			l.add(Finding{File: fault.File, Line: fault.Line, Column: fault.Column, Severity: Error, Title: titles[fault.Error()], Message: fault.Msg})
		}
	}
}

// titles finds titles that several rules share, so that alerts cannot be told apart by reading.
func (l *linter) titles() {
	first := map[string]string{}
	for _, e := range l.set.Report.Entries {
		if e.Kind == "filter" || e.State == ruleset.Refused || e.Title == "" {
			continue
		}
		key := strings.ToLower(e.Title)
		if other, taken := first[key]; !taken {
			first[key] = fmt.Sprintf("%s:%d", e.File, e.Line)
		} else if l.scope.has(e.Source) {
			l.add(Finding{File: e.File, Line: e.Line, Severity: Warning, Title: e.Title, Message: "the title is also that of " + other})
		}
	}
}

// Failed reports whether something is wrong: a document that was refused, or when strict anything at all.
func (r *CheckReport) Failed(strict bool) bool {
	return r.Refused > 0 || slices.ContainsFunc(r.Findings, func(f Finding) bool { return strict || f.Severity == Error })
}

// WriteText writes a line for each finding and the sums.
func (r *CheckReport) WriteText(w io.Writer, paint Paint) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s: %s: %s\n", paint.in(bold, f.place()), paint.severity(f.Severity), f.Message)
	}
	fmt.Fprintf(&b, "%s checked: %d refused, %d degraded, %s\n", plural(r.Rules, "rule"), r.Refused, r.Degraded, plural(r.Warnings, "warning"))
	_, err := io.WriteString(w, b.String())
	return err
}

func (f Finding) place() string {
	place := f.File
	for _, n := range []int{f.Line, f.Column} {
		if n == 0 {
			break
		}
		place += fmt.Sprintf(":%d", n)
	}
	return place
}

func (p Paint) severity(s Severity) string {
	if s == Error {
		return p.in(red, string(s))
	}
	return p.in(yellow, string(s))
}
