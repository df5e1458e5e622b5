// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/policystatus"
	"github.com/vedette-sec/vedette/internal/statusfile"
)

// AgentStatus is what a status file says, and whether the agent that wrote it is still there.
type AgentStatus struct {
	*policystatus.Status
	Running bool   `json:"running"`
	Doubt   string `json:"doubt,omitempty"` // why it is not taken to be running

	Held *enforce.Held `json:"held,omitempty"` // what is in force without it
}

// Status looks at a status file at a time, and at what is in force where no agent runs.
func Status(s *policystatus.Status, held *enforce.Held, now time.Time) *AgentStatus {
	doubt := statusfile.Doubt(s.PID, s.Written, now)
	status := &AgentStatus{Status: s, Running: doubt == "", Doubt: doubt}
	if held != nil && !held.Running && !status.Running {
		status.Held = held
	}
	return status
}

// OK reports whether an agent is running with the policies as they are in their files.
func (s *AgentStatus) OK() bool { return s.Running && s.Failure == nil && len(s.Refused) == 0 }

const timeForm = "2006-01-02 15:04:05 UTC"

// WriteText writes what is in force, how strongly, and what it has forbidden.
func (s *AgentStatus) WriteText(w io.Writer) error {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s  %s\n", name, fmt.Sprintf(format, args...))
	}
	if s.Running {
		row("agent", "running as process %d", s.PID)
	} else {
		row("agent", "%s", s.Doubt)
	}
	row("extension", "%s", s.Extension)
	row("written", "%s", s.Written.UTC().Format(timeForm))
	if s.Generation > 0 {
		row("generation", "%d, in force since %s", s.Generation, s.Since.UTC().Format(timeForm))
		row("mechanism", "%s", s.Mechanism)
	}
	if s.Panic {
		row("panic", "on: every rule only reports")
	}
	if s.Generation > 0 {
		row("protection", "%s", s.protection())
	}
	if s.Lost > 0 {
		row("lost", "%d verdicts took effect but could not be told", s.Lost)
	}
	lines(&b, "missing", s.Missing)
	lines(&b, "refused", s.Refused)
	if s.Failure != nil {
		row("reload", "failed at %s; the policies from before stay in force", s.Failure.Time.UTC().Format(timeForm))
		lines(&b, "", strings.Split(s.Failure.Error, "\n"))
	}
	if s.Held == nil {
		s.writePolicies(&b)
	} else {
		writeHeld(&b, s.Held)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteHeld writes what is in force without an agent.
func WriteHeld(w io.Writer, held *enforce.Held) error {
	var b strings.Builder
	writeHeld(&b, held)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeHeld(b *strings.Builder, held *enforce.Held) {
	fmt.Fprintf(b, "\nkept by the kernel, without an agent for %s; vedette policy release takes it down\n", held.Silent.Round(time.Second))
	for _, p := range held.Policies {
		fmt.Fprintf(b, "%4s%s: %s\n", "", p.Name, aloneAs(p))
	}
}

// aloneAs says what becomes of a policy without an agent.
func aloneAs(p enforce.HeldPolicy) string {
	switch {
	case p.Over:
		return fmt.Sprintf("not in force any more (on_agent_loss: %s after %s)", p.OnAgentLoss, p.LossAfter)
	case p.LossAfter > 0:
		return fmt.Sprintf("in force (on_agent_loss: %s after %s)", p.OnAgentLoss, p.LossAfter)
	}
	return fmt.Sprintf("in force (on_agent_loss: %s)", p.OnAgentLoss)
}

// protection says whether the agent protects itself.
func (s *AgentStatus) protection() string {
	lock := "vedette policy lock makes that last"
	if s.Locked {
		lock = "locked"
	}
	switch {
	case s.Protected:
		return "the agent protects itself; " + lock
	case !s.Unlocked.IsZero():
		return "the agent does not protect itself until " + s.Unlocked.UTC().Format(timeForm)
	}
	return "the agent does not protect itself"
}

func lines(b *strings.Builder, name string, all []string) {
	for _, line := range all {
		fmt.Fprintf(b, "%-10s  %s\n", name, line)
		name = ""
	}
}

func (s *AgentStatus) writePolicies(b *strings.Builder) {
	if len(s.Policies) == 0 {
		b.WriteString("\nno policy is in force\n")
		return
	}
	fmt.Fprintf(b, "\n%9s  %9s  %-8s  %s\n", "denied", "audited", "mode", "rule")
	for _, p := range s.Policies {
		fmt.Fprintf(b, "%30s%s  (%s:%d)%s\n", "", p.Name, p.File, p.Line, trialOf(p))
		for _, r := range p.Rules {
			fmt.Fprintf(b, "%9d  %9d  %-8s  %s: %s: %s\n", r.Denied, r.Audited, r.Mode, r.Name, r.Operations, strengthOf(r))
			if r.Folded+r.Lost > 0 {
				fmt.Fprintf(b, "%34s%d verdicts told with later ones, %d not told\n", "", r.Folded, r.Lost)
			}
			for _, weak := range r.Weaker {
				fmt.Fprintf(b, "%34s%s: %s. %s\n", "", weak.Operations, weak.Strength, weak.Reason)
			}
		}
	}
}

// trialOf says what becomes of a policy that is to be confirmed.
func trialOf(p policystatus.Policy) string {
	switch {
	case p.Reverted:
		return ", back in audit as nobody confirmed it: vedette policy confirm " + p.Name
	case !p.Confirm.IsZero():
		return fmt.Sprintf(", goes back to audit at %s: vedette policy confirm %s", p.Confirm.UTC().Format(timeForm), p.Name)
	}
	return ""
}

// strengthOf says how strongly a rule holds: what is weaker than the best is told below it.
func strengthOf(r policystatus.Rule) string {
	if r.Strength == enforce.Prevented {
		return string(enforce.Prevented)
	}
	return "at the weakest " + string(r.Strength)
}
