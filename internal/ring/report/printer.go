// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"strings"
)

// PrintLikeGoTest makes rec print to w what `go test` prints: failures in
// full and one closing line per package. With verbose it prints every line.
func PrintLikeGoTest(rec *Recorder, w io.Writer, verbose bool) {
	if verbose {
		rec.OnOutput = func(line string) { io.WriteString(w, line) }
		return
	}
	rec.OnTest = func(t Test) {
		if t.Outcome == Fail {
			WriteFailure(w, "", t)
		}
	}
	rec.OnPackage = func(p Package) {
		for _, line := range p.Output {
			if !strings.HasPrefix(line, "PASS\n") && !strings.Contains(line, "[no test files]") {
				io.WriteString(w, line)
			}
		}
	}
}

// WriteFailure prints what a failed test printed, each line after indent.
func WriteFailure(w io.Writer, indent string, t Test) {
	if t.Reason != "" {
		fmt.Fprintf(w, "%s--- FAIL: %s (%s)\n", indent, t.Name, t.Reason)
	}
	for _, line := range t.Output {
		if !Framing(line) {
			fmt.Fprint(w, indent, strings.TrimSuffix(line, "\n"), "\n")
		}
	}
}
