// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/internal/rulestatus"
	"github.com/vedette-sec/vedette/internal/statusfile"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// AgentStatus is what a status file says, and whether the agent that wrote it is still there.
type AgentStatus struct {
	*rulestatus.Status
	Running bool   `json:"running"`
	Doubt   string `json:"doubt,omitempty"` // why it is not taken to be running
}

// Status looks at a status file at a time.
func Status(s *rulestatus.Status, now time.Time) *AgentStatus {
	doubt := statusfile.Doubt(s.PID, s.Written, now)
	return &AgentStatus{Status: s, Running: doubt == "", Doubt: doubt}
}

// OK reports whether an agent is running with the rules as they are in its files.
func (s *AgentStatus) OK() bool { return s.Running && s.Failure == nil }

// WriteText writes what is in force and what the rules have matched.
func (s *AgentStatus) WriteText(w io.Writer, paint Paint) error {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%s  %s\n", paint.in(bold, fmt.Sprintf("%-10s", name)), fmt.Sprintf(format, args...))
	}
	const form = "2006-01-02 15:04:05 UTC"
	if s.Running {
		row("agent", "%s running as process %d", paint.mark(true), s.PID)
	} else {
		row("agent", "%s %s", paint.mark(false), s.Doubt)
	}
	row("processor", "%s", s.Processor)
	row("generation", "%d, in force since %s", s.Generation, s.Since.UTC().Format(form))
	row("written", "%s", s.Written.UTC().Format(form))
	var counts []string
	for _, state := range []ruleset.State{ruleset.Loaded, ruleset.Degraded, ruleset.Disabled, ruleset.Refused} {
		counts = append(counts, fmt.Sprintf("%d %s", s.Counts[state], state))
	}
	row("rules", "%s", strings.Join(counts, ", "))
	if s.Failure != nil {
		row("reload", "%s failed at %s; the rules from before stay in force", paint.mark(false), s.Failure.Time.UTC().Format(form))
		for line := range strings.Lines(s.Failure.Error) {
			fmt.Fprintf(&b, "            %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if len(s.Matches) == 0 {
		b.WriteString("\nno rule has matched\n")
	} else {
		fmt.Fprintf(&b, "\n%9s  %s\n", "matches", "rule")
	}
	for _, m := range s.Matches {
		fmt.Fprintf(&b, "%9d  %s  %s\n", m.Count, paint.level(sigma.Level(m.Level), 13), m.Title)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
