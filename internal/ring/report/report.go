// SPDX-License-Identifier: Apache-2.0

// Package report reads the event stream of `go test -json` (or test2json) and
// tells what passed, what failed and what could not run, and why.
package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/ring"
)

// Event is one line of `go test -json`, as `go doc test2json` describes it.
type Event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
	Key        string
	Value      string
}

// Outcome is how a test or a package ended.
type Outcome string

const (
	Pass Outcome = "pass"
	Fail Outcome = "fail"
	Skip Outcome = "skip"
)

// Test is one finished test or subtest.
type Test struct {
	Package string
	Name    string
	Outcome Outcome
	// Seconds is the time that the test took.
	Seconds float64
	// Ring is the ring that the test, or its parent, asked for.
	Ring ring.Ring
	// RingSkipped is true when the whole ring could not run.
	RingSkipped bool
	// Reason says why the test was skipped, on one line.
	Reason string
	// Output holds what the test printed, framing lines included.
	Output []string
}

// Package is one finished package.
type Package struct {
	Name    string
	Outcome Outcome
	// Output holds the lines that belong to no test, such as "ok  name  0.1s".
	Output []string
}

// Recorder gathers events into tests and packages. OnTest and OnPackage, when
// set, are called as each of them ends; OnOutput sees every printed line.
// A Recorder is used from one goroutine.
type Recorder struct {
	OnTest    func(Test)
	OnPackage func(Package)
	OnOutput  func(string)

	Tests    []Test
	Packages []Package

	running map[string]*Test
	output  map[string][]string
	order   []string
}

// Read adds every event of r. A line that is not JSON is taken as output that
// belongs to no package, because the go command prints such lines too.
func (rec *Recorder) Read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			rec.addLine(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read test events: %w", err)
		}
	}
}

func (rec *Recorder) addLine(line string) {
	var e Event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		e = Event{Action: "output", Output: line}
	}
	rec.Add(e)
}

// Add takes one event.
func (rec *Recorder) Add(e Event) {
	if rec.running == nil {
		rec.running = make(map[string]*Test)
		rec.output = make(map[string][]string)
	}
	switch e.Action {
	case "run":
		rec.test(e)
	case "output", "build-output":
		rec.addOutput(e)
	case "attr":
		rec.addAttr(e)
	case "build-fail":
		rec.addBuildFailure(e)
	case string(Pass), string(Fail), string(Skip):
		if e.Test == "" {
			rec.endPackage(e)
		} else {
			rec.endTest(e)
		}
	}
}

func (rec *Recorder) test(e Event) *Test {
	key := e.Package + "." + e.Test
	t, ok := rec.running[key]
	if !ok {
		t = &Test{Package: e.Package, Name: e.Test, Ring: ring.Plain}
		rec.inherit(t)
		rec.running[key] = t
		rec.order = append(rec.order, key)
	}
	return t
}

// inherit gives a subtest the ring of its parent, which is still running.
func (rec *Recorder) inherit(t *Test) {
	i := strings.LastIndex(t.Name, "/")
	if i < 0 {
		return
	}
	if parent, ok := rec.running[t.Package+"."+t.Name[:i]]; ok {
		t.Ring = parent.Ring
	}
}

func (rec *Recorder) addOutput(e Event) {
	if rec.OnOutput != nil {
		rec.OnOutput(e.Output)
	}
	if e.Test == "" {
		name := packageName(e)
		rec.output[name] = append(rec.output[name], e.Output)
		return
	}
	t := rec.test(e)
	t.Output = append(t.Output, e.Output)
}

// The go command names the package of a build event in ImportPath, with the
// test variant behind it: "example.org/p [example.org/p.test]".
func packageName(e Event) string {
	if e.Package != "" {
		return e.Package
	}
	name, _, _ := strings.Cut(e.ImportPath, " ")
	return name
}

func (rec *Recorder) addAttr(e Event) {
	if e.Test == "" {
		return
	}
	t := rec.test(e)
	switch e.Key {
	case ring.AttrRing:
		t.Ring = ring.Ring(e.Value)
	case ring.AttrRingSkipped:
		t.RingSkipped, t.Reason = true, e.Value
	case ring.AttrCannot:
		t.Reason = e.Value
	}
}

// A build failure may belong to a dependency that is no package under test;
// its output is shown at once, the failing packages follow on their own.
func (rec *Recorder) addBuildFailure(e Event) {
	name := packageName(e)
	if rec.OnPackage != nil {
		rec.OnPackage(Package{Name: name, Outcome: Fail, Output: rec.output[name]})
	}
	delete(rec.output, name)
}

func (rec *Recorder) endTest(e Event) {
	t := rec.test(e)
	t.Outcome, t.Seconds = Outcome(e.Action), e.Elapsed
	if t.Outcome == Skip && t.Reason == "" {
		t.Reason = skipMessage(t.Output)
	}
	rec.finish(t)
}

func (rec *Recorder) finish(t *Test) {
	delete(rec.running, t.Package+"."+t.Name)
	rec.Tests = append(rec.Tests, *t)
	if rec.OnTest != nil {
		rec.OnTest(*t)
	}
}

func (rec *Recorder) endPackage(e Event) {
	rec.endUnfinished(e.Package, Outcome(e.Action))
	p := Package{Name: e.Package, Outcome: Outcome(e.Action), Output: rec.output[e.Package]}
	delete(rec.output, e.Package)
	rec.Packages = append(rec.Packages, p)
	if rec.OnPackage != nil {
		rec.OnPackage(p)
	}
}

// Close fails a package, and those of its tests that still run, unless its end
// was among the events: the output of a test binary that was killed stops
// without a result.
func (rec *Recorder) Close(pkg string) {
	ended := slices.ContainsFunc(rec.Packages, func(p Package) bool { return p.Name == pkg })
	if !ended {
		rec.Add(Event{Action: string(Fail), Package: pkg})
	}
}

// endUnfinished ends what is still running in a package that has ended: tests that a dead test binary left, and benchmarks, which
// say nothing more than their figures when all is well.
func (rec *Recorder) endUnfinished(pkg string, ended Outcome) {
	var rest []string
	for _, key := range rec.order {
		t, ok := rec.running[key]
		switch {
		case !ok:
		case t.Package != pkg:
			rest = append(rest, key)
		case ended == Pass && strings.HasPrefix(t.Name, "Benchmark"):
			t.Outcome = Pass
			rec.finish(t)
		default:
			t.Outcome, t.Reason = Fail, "did not finish"
			rec.finish(t)
		}
	}
	rec.order = rest
}

// skipMessage finds what t.Skip printed, "    file_test.go:12: message", which
// is the last thing that a skipped test prints.
func skipMessage(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		if found := logLine.FindStringSubmatch(output[i]); found != nil {
			return found[1]
		}
	}
	return "no reason given"
}

var logLine = regexp.MustCompile(`^ +[^ :]+\.go:\d+: (.*)\n?$`)

// Framing tells whether a line of output was printed by the testing package to
// mark where a test begins, pauses or ends.
func Framing(line string) bool {
	line = strings.TrimLeft(line, " ")
	for _, prefix := range []string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME", "=== ATTR", "--- PASS", "--- SKIP"} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}
