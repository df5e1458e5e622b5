// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/width"

	"github.com/vedette-sec/vedette/internal/visible"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// View says how a report is written for people.
type View struct {
	Language string
	All      bool // also what passed or is not applicable
	Evidence int  // pieces of evidence for each rule
	Colour   bool
	Version  string // of this program
}

// marks are the verdicts as they stand before the rules.
var marks = map[baseline.Verdict]baseline.Text{
	baseline.Fail: {EN: "FAIL", ZH: "不符合"}, baseline.Failure: {EN: "ERROR", ZH: "出错"}, baseline.Waived: {EN: "waived", ZH: "豁免"},
	baseline.Manual: {EN: "manual", ZH: "人工"}, baseline.Pass: {EN: "pass", ZH: "符合"}, baseline.NotApplicable: {EN: "n/a", ZH: "不适用"},
}

// colours are the codes of terminals.
var colours = map[baseline.Verdict]string{
	baseline.Fail: "31", baseline.Failure: "35", baseline.Waived: "33", baseline.Manual: "36", baseline.Pass: "32", baseline.NotApplicable: "90",
}

// The columns before a rule, and what stands before its details.
const (
	markWidth     = 6
	severityWidth = 8
	indent        = "          "
)

// padded fills a text up to a number of columns, of which wide signs take two.
func padded(text string, columns int) string {
	for _, r := range text {
		columns--
		if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
			columns--
		}
	}
	return text + strings.Repeat(" ", max(0, columns))
}

// mark gives a verdict so that verdicts stand below each other.
func (v View) mark(verdict baseline.Verdict) string {
	text := padded(marks[verdict].In(v.Language), markWidth)
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
		fmt.Fprintf(w, v.say("STALE   %s: the waiver for %s has expired or is about no rule\n", "失效    %s：规则 %s 的豁免已过期或无对应规则\n"), waiver.Position, waiver.Rule)
	}
	var sums []string
	for _, verdict := range baseline.Verdicts {
		sums = append(sums, fmt.Sprintf("%d %s", r.Summary[verdict], v.say(strings.ReplaceAll(string(verdict), "_", " "), words[string(verdict)].ZH)))
	}
	score := ""
	if r.Score != nil {
		score = fmt.Sprintf(v.say(", score %d %%", "，得分 %d %%"), *r.Score)
	}
	_, err := fmt.Fprintf(w, v.say("%s: %d rules in %.2f s%s: %s\n", "%s：%d 条规则，%.2f 秒%s：%s\n"), r.Template, len(r.Results), r.Seconds, score,
		strings.Join(sums, v.say(", ", "，")))
	return err
}

// say chooses a text by the language.
func (v View) say(en, zh string) string { return baseline.Text{EN: en, ZH: zh}.In(v.Language) }

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
		severity := padded(v.say(string(result.Severity), words[string(result.Severity)].ZH), severityWidth)
		fmt.Fprintf(w, "%s  %s  %s: %s%s\n", v.mark(result.Verdict), severity, result.Rule, visible.Text(result.Title.In(v.Language)), bracketed(clauses(result.Maps)))
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
	if reason := r.reason().In(v.Language); reason != "" {
		fmt.Fprintf(w, indent+"%s\n", visible.Text(reason))
	}
	if r.Waiver != nil {
		fmt.Fprintf(w, indent+v.say("waived until %s by %s: %s\n", "豁免至 %s，批准人 %s：%s\n"), lastDay(r.Waiver), visible.Text(r.Waiver.Approver), visible.Text(r.Waiver.Reason))
	}
	shown := slices.DeleteFunc(slices.Clone(r.Evidence), func(e baseline.Evidence) bool { return e.OK && r.Verdict != baseline.Manual })
	most := min(max(v.Evidence, 0), len(shown))
	for _, e := range shown[:most] {
		fmt.Fprintf(w, indent+"%s\n", Describe(e, v.Language))
	}
	if rest := len(shown) - most + r.Omitted; rest > 0 {
		fmt.Fprintf(w, indent+v.say("… and %d more\n", "…… 另有 %d 条\n"), rest)
	}
}

// lastDay is the last one on which a waiver holds.
func lastDay(w *baseline.Waiver) string { return w.Expires.AddDate(0, 0, -1).Format(time.DateOnly) }

// Describe writes "place: subject field: found this, expected that" in a language, in one line that no terminal takes for commands.
func Describe(e baseline.Evidence, language string) string {
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
	b.WriteString(": " + e.ActualIn(language))
	if e.Expected != "" {
		b.WriteString(baseline.Text{EN: ", expected: ", ZH: "，期望："}.In(language) + e.ExpectedIn(language))
	}
	return visible.Text(b.String())
}
