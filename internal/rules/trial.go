// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/judge"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// Trial is one test and what came of it.
type Trial struct {
	File   string   `json:"file"`
	Line   int      `json:"line"`
	Rule   string   `json:"rule,omitempty"` // its title
	Name   string   `json:"name,omitempty"`
	OK     bool     `json:"ok"`
	Faults []string `json:"faults,omitempty"` // how verdicts differ from what was expected
}

// Tried is a rule or a correlation with its tests; or an event of a file with what it was expected to match.
type Tried struct {
	File   string  `json:"file"`
	Line   int     `json:"line"`
	Title  string  `json:"title,omitempty"`
	Trials []Trial `json:"trials"`
}

// TestReport is what tests came to, in the order in which rules were loaded.
type TestReport struct {
	Passed   int     `json:"passed"`
	Failed   int     `json:"failed"`
	Untested int     `json:"untested"` // rules and correlations without tests
	Refused  int     `json:"refused"`  // documents that could not be tested
	Tried    []Tried `json:"tried"`
}

// OK reports whether every test passed and nothing was refused.
func (r *TestReport) OK() bool { return r.Failed == 0 && r.Refused == 0 }

// tester judges tests by the rules of a set.
type tester struct {
	set        *ruleset.Set
	judge      *judge.Judge
	record     *judge.Record
	number     map[*sigma.Rule]int
	correlator *correlation.Correlator // of all correlations, which says what they read
	report     *TestReport
}

func newTester(set *ruleset.Set) *tester {
	t := &tester{set: set, number: map[*sigma.Rule]int{}, report: &TestReport{Tried: []Tried{}}}
	var all []*sigma.Correlation
	for _, c := range set.Correlations {
		all = append(all, c.Correlation)
	}
	t.correlator, _ = correlation.New(all, correlation.Limits{}, nil)
	t.judge = judge.New(set.Rules, func(r *ruleset.Rule) []string { return t.correlator.Fields(r.Rule) })
	t.record = t.judge.Acquire()
	for i, r := range set.Rules {
		t.number[r.Rule] = i
	}
	return t
}

// Test runs the tests that rules and correlations carry. The events of each are judged by the rule alone as it is written, and
// by all rules at once as log records of each kind that they may come as.
func Test(set *ruleset.Set, scope Scope) *TestReport {
	t := newTester(set)
	defer t.record.Release()
	for _, e := range set.Report.Entries {
		if e.State == ruleset.Refused && scope.has(e.Source) {
			t.report.Refused++
			t.report.Tried = append(t.report.Tried, Tried{File: e.File, Line: e.Line, Title: e.Title,
				Trials: []Trial{{File: e.File, Line: e.Line, Rule: e.Title, Name: "is refused", Faults: e.Reasons}}})
		}
	}
	for _, r := range set.Rules {
		if scope.has(r.Source) {
			t.rule(r.Rule)
		}
	}
	for _, c := range set.Correlations {
		if scope.has(c.Source) {
			t.correlation(c.Correlation)
		}
	}
	return t.report
}

// add counts the tests of a document.
func (t *tester) add(h *sigma.Header, trials []Trial) {
	for i := range trials {
		trial := &trials[i]
		trial.File, trial.Rule, trial.OK = h.File, h.Title, len(trial.Faults) == 0
		if trial.OK {
			t.report.Passed++
		} else {
			t.report.Failed++
		}
	}
	if len(trials) == 0 {
		t.report.Untested++
	}
	t.report.Tried = append(t.report.Tried, Tried{h.File, h.Line, h.Title, trials})
}

func (t *tester) rule(r *sigma.Rule) {
	var trials []Trial
	for _, test := range r.Tests {
		e := sigmaEvent{source: r.LogSource, fields: test.Event, keywords: test.Keywords}
		fits := strings.EqualFold(test.Category, r.LogSource.Category)
		if !fits {
			e.source = sigma.LogSource{Product: r.LogSource.Product, Category: test.Category}
		}
		trial := Trial{Line: test.Line, Name: test.Name}
		_, matched := r.Evaluate(sigma.MapEvent(test.Event, test.Keywords...))
		if matched = matched && fits; matched != test.Match {
			trial.Faults = append(trial.Faults, "by itself: "+differs(matched))
		}
		for _, f := range e.forms() {
			if matched := matches(t.record, f.log, t.number[r]); matched != test.Match {
				trial.Faults = append(trial.Faults, "as "+f.name+": "+differs(matched))
			}
		}
		trials = append(trials, trial)
	}
	t.add(&r.Header, trials)
}

func differs(matched bool) string {
	if matched {
		return "matched, expected no match"
	}
	return "no match, expected one"
}

func (t *tester) correlation(c *sigma.Correlation) {
	var trials []Trial
	for _, test := range c.Tests {
		trial := Trial{Line: test.Line, Name: test.Name}
		if err := correlation.Check(c, test); err != nil {
			trial.Faults = append(trial.Faults, "by itself: "+err.Error())
		}
		if err := correlation.CheckBy(c, test, t.comes); err != nil {
			trial.Faults = append(trial.Faults, "as log records: "+err.Error())
		}
		trials = append(trials, trial)
	}
	t.add(&c.Header, trials)
}

// comes reports whether the rule matches the event of a sequence as the first kind of log record that serves its log source.
func (t *tester) comes(r *sigma.Rule, e sigma.SequenceEvent) (correlation.Event, bool) {
	source := r.LogSource
	if e.Category != "" {
		source.Category = e.Category
	}
	forms := sigmaEvent{source: source, fields: e.Event, keywords: e.Keywords}.forms()
	if len(forms) == 0 || !matches(t.record, forms[0].log, t.number[r]) {
		return nil, false
	}
	return t.record.Event(t.number[r]), true
}

// WriteText writes a line for each rule, below it what failed, and the sums. When verbose, each test has a line.
func (r *TestReport) WriteText(w io.Writer, paint Paint, verbose bool) error {
	var b strings.Builder
	for _, tried := range r.Tried {
		tried.write(&b, paint, verbose)
	}
	if len(r.Tried) > 0 {
		verdict := paint.in(green, "ok")
		if !r.OK() {
			verdict = paint.in(red, "FAIL")
		}
		fmt.Fprintf(&b, "%s  %d passed, %d failed", verdict, r.Passed, r.Failed)
		if r.Untested > 0 {
			fmt.Fprintf(&b, ", %s without tests", plural(r.Untested, "rule"))
		}
		if r.Refused > 0 {
			fmt.Fprintf(&b, ", %d refused", r.Refused)
		}
		b.WriteString("\n")
	} else {
		b.WriteString("no rules to test\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t Tried) write(b *strings.Builder, paint Paint, verbose bool) {
	failed := slices.ContainsFunc(t.Trials, func(trial Trial) bool { return !trial.OK })
	state := paint.in(green, "ok  ")
	switch {
	case len(t.Trials) == 0:
		state = paint.in(yellow, "?   ")
	case failed:
		state = paint.in(red, "FAIL")
	}
	summary := plural(len(t.Trials), "test")
	if len(t.Trials) == 0 {
		summary = "no tests"
	}
	fmt.Fprintf(b, "%s  %s:%d  %s  %s\n", state, t.File, t.Line, t.Title, paint.in(dim, summary))
	for _, trial := range t.Trials {
		if trial.OK && !verbose {
			continue
		}
		fmt.Fprintf(b, "      %s %s:%d: %s\n", paint.mark(trial.OK), trial.File, trial.Line, trial.Name)
		for _, fault := range trial.Faults {
			fmt.Fprintf(b, "          %s\n", fault)
		}
	}
}
