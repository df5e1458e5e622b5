// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// reportVersion is of the JSON's shape.
const reportVersion = 1

// Report is a scan as JSON has it.
type Report struct {
	Version  int                      `json:"version"`
	Template string                   `json:"template"`
	Profile  string                   `json:"profile,omitempty"`
	Title    baseline.Text            `json:"title"`
	Host     Host                     `json:"host"`
	Score    *int                     `json:"score,omitempty"` // see Score; nil where nothing passed or failed
	Started  time.Time                `json:"started"`
	Seconds  float64                  `json:"seconds"`
	Summary  map[baseline.Verdict]int `json:"summary"`
	Results  []Result                 `json:"results"`
	Stale    []*baseline.Waiver       `json:"stale_waivers,omitempty"`
}

// Host is the one that was judged.
type Host struct {
	Name   string `json:"name"`
	System string `json:"system,omitempty"` // id and version of the distribution
}

// HostBelow tells of the host whose root directory this is what can be told.
func HostBelow(root string) Host {
	below := hostconf.New(root)
	h := Host{Name: root}
	if name, err := os.Hostname(); root == "/" && err == nil {
		h.Name = name
	} else if data, err := below.Read("/etc/hostname"); err == nil {
		h.Name = strings.TrimSpace(string(data))
	}
	if release, err := below.Release(); err == nil {
		h.System = strings.TrimSpace(release.ID + " " + release.VersionID)
	}
	return h
}

// Result is a rule with what became of it.
type Result struct {
	Rule     string              `json:"rule"`
	Title    baseline.Text       `json:"title"`
	About    baseline.Text       `json:"rationale"`
	Severity baseline.Severity   `json:"severity"`
	Maps     map[string][]string `json:"maps,omitempty"`
	Verdict  baseline.Verdict    `json:"verdict"`
	Reason   string              `json:"reason,omitempty"`
	Evidence []baseline.Evidence `json:"evidence,omitempty"`
	Omitted  int                 `json:"evidence_omitted,omitempty"`
	Waiver   *baseline.Waiver    `json:"waiver,omitempty"`
}

// NewReport gives a scan's findings for people and programs.
func NewReport(scan *baseline.Report, profile string, host Host) *Report {
	r := &Report{Version: reportVersion, Template: scan.Baseline.ID, Profile: profile, Title: scan.Baseline.Title, Host: host, Started: scan.Started,
		Seconds: scan.Took.Seconds(), Summary: map[baseline.Verdict]int{}, Results: []Result{}, Stale: scan.Stale}
	if percent, ok := Score(scan.Results); ok {
		r.Score = &percent
	}
	for _, v := range baseline.Verdicts {
		r.Summary[v] = scan.Count(v)
	}
	for _, result := range scan.Results {
		rule := result.Rule
		r.Results = append(r.Results, Result{rule.ID, rule.Title, rule.Rationale, rule.Severity, rule.Maps, result.Verdict, result.Reason, result.Evidence, result.Omitted, result.Waiver})
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
	Colour   bool
}

// marks are the verdicts as they stand before the rules.
var marks = map[baseline.Verdict]string{
	baseline.Fail: "FAIL", baseline.Failure: "ERROR", baseline.Waived: "waived", baseline.Manual: "manual", baseline.Pass: "pass", baseline.NotApplicable: "n/a",
}

// colours are the codes of terminals.
var colours = map[baseline.Verdict]string{
	baseline.Fail: "31", baseline.Failure: "35", baseline.Waived: "33", baseline.Manual: "36", baseline.Pass: "32", baseline.NotApplicable: "90",
}

// mark gives a verdict so that verdicts stand below each other.
func (v View) mark(verdict baseline.Verdict) string {
	text := fmt.Sprintf("%-6s", marks[verdict])
	if v.Colour {
		return "\x1b[" + colours[verdict] + "m" + text + "\x1b[0m"
	}
	return text
}

// WriteText writes the rules by the clauses that they are about, in each the worst first, with what was found where, and the sums.
func (r *Report) WriteText(w io.Writer, v View) error {
	for _, clause := range onceEach(r.Clauses()) {
		r.writeClause(w, clause, v)
	}
	for _, waiver := range r.Stale {
		fmt.Fprintf(w, "STALE   %s: the waiver for %s has expired or is about no rule\n", waiver.Position, waiver.Rule)
	}
	var sums []string
	for _, verdict := range baseline.Verdicts {
		sums = append(sums, fmt.Sprintf("%d %s", r.Summary[verdict], strings.ReplaceAll(string(verdict), "_", " ")))
	}
	score := ""
	if r.Score != nil {
		score = fmt.Sprintf(", score %d %%", *r.Score)
	}
	_, err := fmt.Fprintf(w, "%s: %d rules in %.2f s%s: %s\n", r.Template, len(r.Results), r.Seconds, score, strings.Join(sums, ", "))
	return err
}

func (r *Report) writeClause(w io.Writer, clause Clause, v View) {
	results := slices.DeleteFunc(slices.Clone(clause.Results), func(result Result) bool {
		return !v.All && (result.Verdict == baseline.Pass || result.Verdict == baseline.NotApplicable)
	})
	if len(results) == 0 {
		return
	}
	slices.SortStableFunc(results, func(a, b Result) int {
		return cmp.Or(cmp.Compare(slices.Index(baseline.Verdicts, a.Verdict), slices.Index(baseline.Verdicts, b.Verdict)), cmp.Compare(rank(b.Severity), rank(a.Severity)))
	})
	switch {
	case clause.ID != "":
		fmt.Fprintln(w, strings.TrimSpace(r.Standard()+" "+clause.ID+" "+clause.Point.In(v.Language)))
	case r.Standard() != "":
		fmt.Fprintln(w, words["other"].In(v.Language))
	}
	for _, result := range results {
		fmt.Fprintf(w, "%s  %-8s  %s: %s%s\n", v.mark(result.Verdict), result.Severity, result.Rule, result.Title.In(v.Language), bracketed(clauses(result.Maps)))
		result.writeDetails(w, v)
	}
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
		fmt.Fprintf(w, "          waived until %s by %s: %s\n", lastDay(r.Waiver), r.Waiver.Approver, r.Waiver.Reason)
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

// lastDay is the last one on which a waiver holds.
func lastDay(w *baseline.Waiver) string { return w.Expires.AddDate(0, 0, -1).Format(time.DateOnly) }

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
