// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/ring/report"
)

// verdict is all that decides how the run ended.
type verdict struct {
	summary    report.Summary
	required   []ring.Ring
	vm         vmResult
	goTestExit int
	took       time.Duration
}

func (v verdict) ok() bool { return len(v.problems()) == 0 }

func (v verdict) problems() []string {
	var problems []string
	if v.summary.Failed > 0 {
		problems = append(problems, fmt.Sprintf("%d failed: %s", v.summary.Failed, strings.Join(v.summary.FailedTests, ", ")))
	}
	if n := len(v.summary.FailedPackages); n > 0 {
		problems = append(problems, "failed packages: "+strings.Join(v.summary.FailedPackages, ", "))
	}
	if v.vm.status == vmFailed {
		problems = append(problems, "the vm ring failed: "+v.vm.reason)
	}
	if len(problems) == 0 && v.goTestExit != 0 {
		problems = append(problems, fmt.Sprintf("go test ended with status %d", v.goTestExit))
	}
	for _, r := range v.missing() {
		problems = append(problems, fmt.Sprintf("the %s ring is required and did not run", r))
	}
	return problems
}

// missing names the required rings that did not run.
func (v verdict) missing() []ring.Ring {
	missing := v.summary.Missing(slices.DeleteFunc(slices.Clone(v.required), isVM))
	vmRan := v.vm.status == vmPassed || v.vm.status == vmFailed
	if slices.Contains(v.required, ring.VM) && !vmRan {
		missing = append(missing, ring.VM)
	}
	return missing
}

func isVM(r ring.Ring) bool { return r == ring.VM }

func (v verdict) write(w io.Writer) {
	v.writeCouldNotRun(w)
	v.writeRings(w)
	word := "PASS"
	problems := v.problems()
	if len(problems) > 0 {
		word = "FAIL"
	}
	line := fmt.Sprintf("%s  %s on this host, %.1fs", word, v.summary.Counts(), v.took.Seconds())
	if len(problems) > 0 {
		line += ": " + strings.Join(problems, "; ")
	}
	fmt.Fprintln(w, line)
}

// writeCouldNotRun leaves out the tests that wait for a guest when the guests
// have just run them.
func (v verdict) writeCouldNotRun(w io.Writer) {
	groups := slices.DeleteFunc(slices.Clone(v.summary.Groups), func(g report.Group) bool {
		return isVM(g.Ring) && g.RingSkipped && v.vm.status == vmPassed
	})
	if len(groups) == 0 && v.vm.status != vmCannotRun {
		return
	}
	fmt.Fprintln(w, "\nCould not run on this host:")
	if v.vm.status == vmCannotRun {
		fmt.Fprintf(w, "  %s\n", v.vm.reason)
	}
	report.WriteGroups(w, "  ", groups)
}

func (v verdict) writeRings(w io.Writer) {
	vm := map[vmStatus]string{
		vmNotWanted: "not asked for",
		vmPassed:    fmt.Sprintf("passed in %.1fs", v.vm.took.Seconds()),
		vmFailed:    "FAILED",
		vmCannotRun: "could not run",
	}[v.vm.status]
	ran := v.summary.Ran
	fmt.Fprintf(w, "\nRings: plain %d ran, native %d ran, reference %d ran, server %d ran, debian %d ran, vm %s\n",
		ran[ring.Plain], ran[ring.Native], ran[ring.Reference], ran[ring.Server], ran[ring.Debian], vm)
}
