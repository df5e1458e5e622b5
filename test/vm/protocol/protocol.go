// SPDX-License-Identifier: Apache-2.0

// Package protocol is what test/vm and its guest say to each other: a plan,
// packed into the initramfs, and markers, printed between the output of the
// test binaries on a serial port of their own.
package protocol

import (
	"strings"
	"time"
)

const (
	// PlanPath is where the guest finds its plan, as JSON.
	PlanPath = "/vedette/plan.json"
	// DynamicProgram is a program in the guest that is linked dynamically, and SpareLibrary a library that it does without.
	DynamicProgram = "/vedette/dynamic/tee"
	SpareLibrary   = "/vedette/dynamic/libm.so.6"
	// ResultsPort is the guest's device for markers and test output. Kernel
	// messages go to the first serial port, so that the two never mix.
	ResultsPort = "/dev/ttyS1"
	// KillGrace is how long a step may outlive its timeout, so that a Go test
	// binary can print its goroutines before it is killed.
	KillGrace = 5 * time.Second
)

// Plan is all that one boot has to do.
type Plan struct {
	// Nonce marks the markers of this boot: a test that prints what some other
	// guest said is not mistaken for its own guest.
	Nonce string
	Steps []Step
}

// Step is one program to run.
type Step struct {
	// Name is one word: the import path of the tested package.
	Name string
	// Dir is the working directory, absolute in the guest.
	Dir     string
	Argv    []string
	Timeout time.Duration
}

// Verb is the kind of a marker.
type Verb string

const (
	// Ready is said once, with the uptime in seconds and the kernel release.
	Ready Verb = "ready"
	// Begin and End enclose a step's output. Begin names the step; End names
	// it again with its exit status, a number or "timeout".
	Begin Verb = "begin"
	End   Verb = "end"
	// Done is said once, after the last step.
	Done Verb = "done"
)

// Timeout is the exit status of a step that was killed.
const Timeout = "timeout"

const sign = "@@vedette:"

// Marker is one line of the protocol.
type Marker struct {
	Verb Verb
	Args []string
}

// Format returns the marker as it is printed, newline included.
func (m Marker) Format(nonce string) string {
	words := append([]string{sign + nonce, string(m.Verb)}, m.Args...)
	return strings.Join(words, " ") + "\n"
}

// Parse looks for a marker in a line. A marker may follow output that did not
// end with a newline; that output is returned as before.
func Parse(line, nonce string) (before string, m Marker, ok bool) {
	before, rest, found := strings.Cut(line, sign+nonce+" ")
	if !found {
		return line, Marker{}, false
	}
	words := strings.Fields(rest)
	if len(words) == 0 {
		return line, Marker{}, false
	}
	m = Marker{Verb: Verb(words[0]), Args: words[1:]}
	if len(m.Args) != argCount(m.Verb) {
		return line, Marker{}, false
	}
	return before, m, true
}

// argCount returns how many arguments a marker carries, -1 for no marker.
func argCount(v Verb) int {
	switch v {
	case Ready, End:
		return 2
	case Begin:
		return 1
	case Done:
		return 0
	default:
		return -1
	}
}
