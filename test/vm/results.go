// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/test/vm/protocol"
)

// sink takes the output of one step, line by line, until it is closed.
type sink interface {
	Write(line []byte) (int, error)
	Close() error
}

type failedStep struct{ name, status string }

// results follows the protocol of one boot and keeps what went wrong.
type results struct {
	plan protocol.Plan
	// open makes the sink of a step as it begins.
	open func(step string) (sink, error)

	ready   bool
	release string
	boot    time.Duration
	// step is the step that is running, "" between steps.
	step string
	// ended counts the steps that have ended.
	ended int
	done  bool
	// failed holds the steps that ended with another status than 0. A failed
	// test is one cause of that, but not the only one.
	failed   []failedStep
	problems []string

	out sink
}

// line takes one line of the results port, its newline included if it had one.
func (r *results) line(line string) {
	before, marker, ok := protocol.Parse(strings.TrimRight(line, "\r\n"), r.plan.Nonce)
	if !ok {
		r.output(line)
		return
	}
	if before != "" {
		r.output(before + "\n")
	}
	r.marker(marker)
}

func (r *results) output(line string) {
	if r.out == nil {
		return
	}
	if _, err := r.out.Write([]byte(line)); err != nil {
		r.problem("%s: read its output: %v", r.step, err)
		r.closeStep()
	}
}

func (r *results) marker(m protocol.Marker) {
	switch m.Verb {
	case protocol.Ready:
		r.becomeReady(m.Args[0], m.Args[1])
	case protocol.Begin:
		r.begin(m.Args[0])
	case protocol.End:
		r.end(m.Args[0], m.Args[1])
	case protocol.Done:
		r.done = true
	}
}

func (r *results) becomeReady(uptime, release string) {
	seconds, err := strconv.ParseFloat(uptime, 64)
	if err != nil {
		r.problem("the guest gave its uptime as %q, expected seconds", uptime)
	}
	r.ready, r.release, r.boot = true, release, time.Duration(seconds*float64(time.Second))
}

func (r *results) begin(step string) {
	if r.step != "" {
		r.problem("%s began before %s ended", step, r.step)
		r.closeStep()
	}
	out, err := r.open(step)
	if err != nil {
		r.problem("%s: %v", step, err)
		return
	}
	r.step, r.out = step, out
}

func (r *results) end(step, status string) {
	if step != r.step {
		r.problem("the guest ended %s while %q ran", step, r.step)
	}
	if status == protocol.Timeout {
		r.problem("%s did not end in time and was killed", step)
	} else if status != "0" {
		r.failed = append(r.failed, failedStep{step, status})
	}
	r.ended++
	r.closeStep()
}

func (r *results) closeStep() {
	if r.out != nil {
		if err := r.out.Close(); err != nil {
			r.problem("%s: %v", r.step, err)
		}
	}
	r.out, r.step = nil, ""
}

func (r *results) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// finish closes what is open and says what the guest did not do. It is called
// once, when the machine has ended.
func (r *results) finish() {
	running := r.step
	r.closeStep()
	switch {
	case !r.ready:
		r.problem("the guest never said that it had booted")
	case r.done && r.ended == len(r.plan.Steps):
	case r.done:
		r.problem("the guest ended %d steps of %d", r.ended, len(r.plan.Steps))
	case running != "":
		r.problem("the guest ended while %s ran", running)
	case r.ended >= len(r.plan.Steps):
		r.problem("the guest did not reach its end")
	default:
		r.problem("the guest ended before its last step; not run: %s", strings.Join(r.notRun(), ", "))
	}
}

func (r *results) notRun() []string {
	var names []string
	for _, step := range r.plan.Steps[min(r.ended, len(r.plan.Steps)):] {
		names = append(names, step.Name)
	}
	return names
}

// patience is how long the guest may stay in the state it is in.
func (r *results) patience() time.Duration {
	const (
		toBoot = 5 * time.Minute
		// A step is killed in the guest; it is the kernel that hangs when the
		// guest does not say so.
		toReport = time.Minute
	)
	if !r.ready {
		return toBoot
	}
	i := slices.IndexFunc(r.plan.Steps, func(s protocol.Step) bool { return s.Name == r.step })
	if i < 0 {
		return toReport
	}
	return r.plan.Steps[i].Timeout + protocol.KillGrace + toReport
}
