// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/ring/report"
)

// prefixWriter puts a prefix before every line.
type prefixWriter struct {
	w      io.Writer
	prefix string
}

func (p *prefixWriter) Write(b []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.Lines(b) {
		fmt.Fprintf(&out, "%s%s\n", p.prefix, bytes.TrimRight(line, "\r\n"))
	}
	_, err := p.w.Write(out.Bytes())
	return len(b), err
}

var outcomeWord = map[report.Outcome]string{report.Pass: "ok", report.Skip: "skip", report.Fail: "FAIL"}

// newRecorder prints each test of a guest as it ends, and what it printed when
// it failed.
func (s *session) newRecorder(line string) *report.Recorder {
	rec := &report.Recorder{}
	rec.OnTest = func(t report.Test) {
		var out bytes.Buffer
		fmt.Fprintf(&out, "%-5s %-4s %s.%s", line, outcomeWord[t.Outcome], report.ShortName(t.Package, s.module.path), t.Name)
		switch t.Outcome {
		case report.Skip:
			fmt.Fprintf(&out, " (%s)\n", t.Reason)
		default:
			fmt.Fprintf(&out, " %.2fs\n", t.Seconds)
		}
		if t.Outcome == report.Fail {
			report.WriteFailure(&out, "      | ", t)
		}
		s.out.Write(out.Bytes())
	}
	rec.OnPackage = func(p report.Package) {
		if p.Outcome == report.Fail {
			// What no test printed: a panic outside of tests, a leak check.
			(&prefixWriter{w: s.out, prefix: line + " | "}).Write([]byte(strings.Join(p.Output, "")))
		}
	}
	return rec
}

// findProblems says what went wrong with the guest, beyond failed tests.
// A guest that was asked for no tests need not have run any.
func (g *guestReport) findProblems(noTests bool) []string {
	var problems []string
	c := g.outcome.console
	if len(c.crash) > 0 {
		problems = append(problems, "the guest crashed:\n      "+strings.Join(c.crash, "\n      "))
	}
	if g.outcome.hung > 0 {
		problems = append(problems, fmt.Sprintf("the guest hung: nothing new was heard for %.0fs, and it was killed", g.outcome.hung.Seconds()))
	}
	if g.results.ready && g.results.release != g.kernel.Release {
		problems = append(problems, fmt.Sprintf("the guest runs kernel %s, expected %s", g.results.release, g.kernel.Release))
	}
	problems = append(problems, g.results.problems...)
	for _, name := range g.summary.FailedPackages {
		problems = append(problems, name+" failed")
	}
	for _, step := range g.results.failed {
		if !slices.Contains(g.summary.FailedPackages, step.name) {
			problems = append(problems, fmt.Sprintf("%s passed its tests and ended with status %s", step.name, step.status))
		}
	}
	if g.summary.Passed+g.summary.Failed == 0 && !noTests {
		problems = append(problems, "no test ran")
	}
	complete := g.results.done && len(c.crash) == 0
	if !complete && len(c.crash) == 0 && len(c.tail) > 0 {
		problems = append(problems, "its console ended with:\n      "+strings.Join(c.tail, "\n      "))
	}
	return problems
}

func (g *guestReport) ok() bool { return len(g.problems) == 0 && g.summary.OK() }

// summarize prints one line per kernel. Its error names what failed, in one line.
func (s *session) summarize(w io.Writer, reports []*guestReport) error {
	var failed []string
	for _, g := range reports {
		if !g.ok() {
			failed = append(failed, g.kernel.Line+": "+strings.Join(g.failures(), ", "))
		}
		for _, problem := range g.problems {
			fmt.Fprintf(w, "%-5s FAIL %s\n", g.kernel.Line, problem)
		}
	}
	fmt.Fprintln(w)
	for _, g := range reports {
		g.write(w)
	}
	if len(failed) > 0 {
		return errors.New(strings.Join(failed, "; "))
	}
	return nil
}

// failures are the tests that failed, and of what else went wrong the first line.
func (g *guestReport) failures() []string {
	var all []string
	for _, test := range g.summary.FailedTests {
		all = append(all, test+" failed")
	}
	for _, problem := range g.problems {
		first, _, _ := strings.Cut(problem, "\n")
		all = append(all, strings.TrimSuffix(first, ":"))
	}
	return all
}

func (g *guestReport) write(w io.Writer) {
	word := "ok  "
	if !g.ok() {
		word = "FAIL"
	}
	fmt.Fprintf(w, "%s  %-5s %-26s %s, boot %.1fs, total %.1fs\n", word, g.kernel.Line, g.kernel.Release,
		g.summary.Counts(), g.results.boot.Seconds(), g.outcome.took.Seconds())
	report.WriteGroups(w, "      skipped ", g.summary.Groups)
	for _, warning := range g.outcome.console.warnings {
		fmt.Fprintf(w, "      the kernel says: %s\n", warning)
	}
}
