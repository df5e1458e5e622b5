// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/ring/report"
)

func goodGuest() *guestReport {
	return &guestReport{
		kernel:  kernel{Line: "6.1", Release: "6.1.0-50"},
		results: &results{ready: true, done: true, release: "6.1.0-50", boot: 2500 * time.Millisecond},
		outcome: outcome{took: 9 * time.Second},
		summary: report.Summary{Passed: 2, Skipped: 1, Groups: []report.Group{
			{Reason: "this kernel has no kprobes", Ring: ring.VM, Tests: []string{"p.TestKprobe"}},
		}},
	}
}

func TestFindProblems(t *testing.T) {
	tests := map[string]struct {
		spoil func(*guestReport)
		want  []string
	}{
		"none":    {func(*guestReport) {}, nil},
		"crash":   {func(g *guestReport) { g.outcome.console.line("[    1.0] Kernel panic - not syncing: x") }, []string{"the guest crashed:\n      [    1.0] Kernel panic - not syncing: x"}},
		"hang":    {func(g *guestReport) { g.outcome.hung = 20 * time.Second }, []string{"the guest hung: nothing new was heard for 20s, and it was killed"}},
		"release": {func(g *guestReport) { g.results.release = "6.2" }, []string{"the guest runs kernel 6.2, expected 6.1.0-50"}},
		"package": {func(g *guestReport) {
			g.summary.FailedPackages = []string{"m/p"}
			g.results.failed = []failedStep{{"m/p", "1"}}
		}, []string{"m/p failed"}},
		"status": {func(g *guestReport) { g.results.failed = []failedStep{{"m/p", "1"}} }, []string{"m/p passed its tests and ended with status 1"}},
		"empty":  {func(g *guestReport) { g.summary = report.Summary{Skipped: 3} }, []string{"no test ran"}},
		"mute": {func(g *guestReport) {
			g.results.done = false
			g.outcome.console.line("[    1.0] last words")
		}, []string{"its console ended with:\n      [    1.0] last words"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := goodGuest()
			test.spoil(g)
			g.problems = g.findProblems(false)
			assert.Equal(t, test.want, g.problems)
			assert.Equal(t, name == "none", g.ok())
		})
	}
}

func TestSummarize(t *testing.T) {
	var out strings.Builder
	bad := goodGuest()
	bad.kernel = kernel{Line: "5.10", Release: "5.10.0-46"}
	bad.summary = report.Summary{Passed: 1, Failed: 1, FailedTests: []string{"p.TestA"}}
	bad.problems = []string{"m/p failed", "its console ended with:\n      last words"}
	bad.outcome.console.warnings = []string{"WARNING: CPU: 0"}
	s := &session{}
	require.NoError(t, s.summarize(&out, []*guestReport{goodGuest()}))
	out.Reset()
	require.EqualError(t, s.summarize(&out, []*guestReport{bad, goodGuest()}), "5.10: p.TestA failed, m/p failed, its console ended with")
	assert.Equal(t, `5.10  FAIL m/p failed
5.10  FAIL its console ended with:
      last words

FAIL  5.10  5.10.0-46                  1 passed, 1 failed, 0 skipped, boot 2.5s, total 9.0s
      the kernel says: WARNING: CPU: 0
ok    6.1   6.1.0-50                   2 passed, 0 failed, 1 skipped, boot 2.5s, total 9.0s
      skipped 1 test: this kernel has no kprobes: p.TestKprobe
`, out.String())
}
