// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// reportVersion is of the JSON's shape.
const reportVersion = 1

// Report is a scan as JSON has it.
type Report struct {
	Version  int                      `json:"version"`
	Template string                   `json:"template"`
	Title    baseline.Text            `json:"title"`
	Started  time.Time                `json:"started"`
	Seconds  float64                  `json:"seconds"`
	Summary  map[baseline.Verdict]int `json:"summary"`
	Results  []Result                 `json:"results"`
	Stale    []*baseline.Waiver       `json:"stale_waivers,omitempty"`
}

// Result is a rule with what became of it.
type Result struct {
	Rule     string              `json:"rule"`
	Title    baseline.Text       `json:"title"`
	Severity baseline.Severity   `json:"severity"`
	Maps     map[string][]string `json:"maps,omitempty"`
	Verdict  baseline.Verdict    `json:"verdict"`
	Reason   string              `json:"reason,omitempty"`
	Evidence []baseline.Evidence `json:"evidence,omitempty"`
	Omitted  int                 `json:"evidence_omitted,omitempty"`
	Waiver   *baseline.Waiver    `json:"waiver,omitempty"`
}

// NewReport gives a scan's findings for people and programs.
func NewReport(scan *baseline.Report) *Report {
	r := &Report{Version: reportVersion, Template: scan.Baseline.ID, Title: scan.Baseline.Title, Started: scan.Started, Seconds: scan.Took.Seconds(),
		Summary: map[baseline.Verdict]int{}, Results: []Result{}, Stale: scan.Stale}
	for _, v := range baseline.Verdicts {
		r.Summary[v] = scan.Count(v)
	}
	for _, result := range scan.Results {
		rule := result.Rule
		r.Results = append(r.Results, Result{rule.ID, rule.Title, rule.Severity, rule.Maps, result.Verdict, result.Reason, result.Evidence, result.Omitted, result.Waiver})
	}
	return r
}

// Failed reports whether something is not as it should be, or nobody knows.
func (r *Report) Failed() bool {
	return r.Summary[baseline.Fail] > 0 || r.Summary[baseline.Failure] > 0 || len(r.Stale) > 0
}

// weights are what rules count for in the score.
var weights = map[baseline.Severity]int{baseline.Low: 1, baseline.Medium: 2, baseline.High: 4, baseline.Critical: 8}

// Score gives the rules that passed in percent of those that passed or failed, by their weight; false where there are none.
func Score(results []*baseline.Result) (percent int, ok bool) {
	passed, all := 0, 0
	for _, r := range results {
		weight := weights[r.Rule.Severity]
		switch r.Verdict {
		case baseline.Pass:
			passed, all = passed+weight, all+weight
		case baseline.Fail:
			all += weight
		}
	}
	if all == 0 {
		return 0, false
	}
	return passed * 100 / all, true
}

// View says how a report is written for people.
type View struct {
	Language string
	All      bool // also what passed or is not applicable
	Evidence int  // pieces of evidence for each rule
}

// marks are the verdicts as they stand before the rules.
var marks = map[baseline.Verdict]string{
	baseline.Fail: "FAIL", baseline.Failure: "ERROR", baseline.Waived: "waived", baseline.Manual: "manual", baseline.Pass: "pass", baseline.NotApplicable: "n/a",
}

// WriteText writes the rules, the worst first, with what was found where, and the sums.
func (r *Report) WriteText(w io.Writer, v View) error {
	results := slices.Clone(r.Results)
	slices.SortStableFunc(results, func(a, b Result) int {
		return cmp.Or(cmp.Compare(slices.Index(baseline.Verdicts, a.Verdict), slices.Index(baseline.Verdicts, b.Verdict)), cmp.Compare(rank(b.Severity), rank(a.Severity)))
	})
	for _, result := range results {
		if !v.All && (result.Verdict == baseline.Pass || result.Verdict == baseline.NotApplicable) {
			continue
		}
		fmt.Fprintf(w, "%-6s  %-8s  %s: %s%s\n", marks[result.Verdict], result.Severity, result.Rule, result.Title.In(v.Language), bracketed(clauses(result.Maps)))
		result.writeDetails(w, v)
	}
	for _, waiver := range r.Stale {
		fmt.Fprintf(w, "STALE   %s: the waiver for %s has expired or is about no rule\n", waiver.Position, waiver.Rule)
	}
	var sums []string
	for _, verdict := range baseline.Verdicts {
		sums = append(sums, fmt.Sprintf("%d %s", r.Summary[verdict], strings.ReplaceAll(string(verdict), "_", " ")))
	}
	_, err := fmt.Fprintf(w, "%s: %d rules in %.2f s: %s\n", r.Template, len(r.Results), r.Seconds, strings.Join(sums, ", "))
	return err
}

func rank(s baseline.Severity) int {
	return slices.Index([]baseline.Severity{baseline.Low, baseline.Medium, baseline.High, baseline.Critical}, s)
}

// clauses writes "standard clause clause; standard clause".
func clauses(maps map[string][]string) string {
	var parts []string
	for standard, ids := range maps {
		parts = append(parts, standard+" "+strings.Join(ids, " "))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

func bracketed(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func (r Result) writeDetails(w io.Writer, v View) {
	if r.Reason != "" {
		fmt.Fprintf(w, "          %s\n", r.Reason)
	}
	if r.Waiver != nil {
		fmt.Fprintf(w, "          waived until %s by %s: %s\n", r.Waiver.Expires.AddDate(0, 0, -1).Format(time.DateOnly), r.Waiver.Approver, r.Waiver.Reason)
	}
	shown := 0
	for _, e := range r.Evidence {
		if e.OK && r.Verdict != baseline.Manual {
			continue
		}
		if shown == v.Evidence {
			fmt.Fprintf(w, "          … and %d more\n", len(r.Evidence)-shown+r.Omitted)
			break
		}
		shown++
		fmt.Fprintf(w, "          %s\n", Describe(e))
	}
}

// Describe writes "place: subject field: found this, expected that".
func Describe(e baseline.Evidence) string {
	var b strings.Builder
	switch {
	case e.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	case e.File != "" && e.File != e.Subject:
		fmt.Fprintf(&b, "%s: ", e.File)
	}
	b.WriteString(e.Subject)
	if e.Field != "" {
		b.WriteString(" " + e.Field)
	}
	b.WriteString(": " + e.Actual)
	if e.Expected != "" {
		b.WriteString(", expected: " + e.Expected)
	}
	return b.String()
}
