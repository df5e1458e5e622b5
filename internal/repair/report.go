// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Failed reports whether a rule that failed was not repaired.
func (r *Report) Failed() bool {
	for _, o := range r.Rules {
		if o.Result != Fixed && o.Result != Planned && o.Result != Restart {
			return true
		}
	}
	return false
}

// WriteText writes what became of each rule, with the changes.
func (r *Report) WriteText(w io.Writer) error {
	counts := map[string]int{}
	for _, o := range r.Rules {
		counts[o.Result]++
		fmt.Fprintf(w, "%-8s  %s", o.Result, o.Rule)
		if o.Undo != "" {
			fmt.Fprintf(w, " (%s)", o.Undo)
		}
		fmt.Fprintln(w)
		for line := range strings.Lines(o.Reason) {
			fmt.Fprintf(w, "          %s\n", strings.TrimSuffix(line, "\n"))
		}
		if o.Diff != "" && o.Result != Undone {
			fmt.Fprint(w, indented(o.Diff))
		}
	}
	var sums []string
	for _, result := range []string{Fixed, Restart, Planned, Refused, Undone, NotSafe, ByHand} {
		if counts[result] > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", counts[result], result))
		}
	}
	if len(sums) == 0 {
		sums = []string{"nothing fails"}
	}
	_, err := fmt.Fprintln(w, strings.Join(sums, ", "))
	if r.Transaction != "" {
		_, err = fmt.Fprintf(w, "transaction %s: `vedette baseline rollback %s` takes it back\n", r.Transaction, r.Transaction)
	}
	if !r.Until.IsZero() {
		_, err = fmt.Fprintf(w, "It could lock people out and is taken back at %s. Log in again in another session, then run `vedette baseline confirm %s`.\n",
			r.Until.Local().Format(time.DateTime), r.Transaction)
	}
	return err
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

// WriteText writes what was taken back.
func (r *Rollback) WriteText(w io.Writer) error {
	for _, rule := range r.Rules {
		fmt.Fprintf(w, "taken back  %s\n", rule)
	}
	fmt.Fprint(w, indented(r.Diff))
	var err error
	if r.Transaction != "" {
		_, err = fmt.Fprintf(w, "transaction %s takes %s back\n", r.Transaction, r.Of)
	}
	return err
}
