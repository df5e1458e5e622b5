// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
)

// errCannot marks what this machine lacks for a measurement, as opposed to what went wrong in it.
var errCannot = errors.New("cannot run here")

func cannot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errCannot, fmt.Sprintf(format, args...))
}

// goal is a number that a figure should not be above, or not below. A figure without a bound has no goal.
type goal struct {
	Bound   string  `json:"bound"` // "at most", "at least" or ""
	Number  float64 `json:"number"`
	atLeast bool
}

func atMost(n float64) goal  { return goal{Bound: "at most", Number: n} }
func atLeast(n float64) goal { return goal{Bound: "at least", Number: n, atLeast: true} }

func (g goal) met(value float64) bool {
	if g.atLeast {
		return value >= g.Number
	}
	return value <= g.Number
}

func (g goal) none() bool { return g.Bound == "" }

func (g goal) String() string {
	switch {
	case g.none():
		return "–"
	case g.atLeast:
		return "≥ " + number(g.Number)
	}
	return "≤ " + number(g.Number)
}

// longestWhat is how many letters the table has for what a figure is.
const longestWhat = 42

// declaration is a figure before it is measured.
type declaration struct {
	name string // how the command line and the JSON file call it
	what string // one line for the table
	unit string
	goal goal
}

// result is what a measurement found out for one figure: a sample for each round, and a remark.
type result struct {
	samples []float64
	note    string
	// doubtful samples are shown, but do not say whether the goal is met; the note says why.
	doubtful bool
}

// results are by the name of the figure.
type results map[string]result

func (r results) add(name string, sample float64) {
	one := r[name]
	one.samples = append(one.samples, sample)
	r[name] = one
}

func (r results) note(name, format string, args ...any) {
	one := r[name]
	one.note = fmt.Sprintf(format, args...)
	r[name] = one
}

// figure is a line of the table and an object of the JSON file.
type figure struct {
	Name   string   `json:"name"`
	What   string   `json:"what"`
	Unit   string   `json:"unit"`
	Goal   goal     `json:"goal"`
	Figure *float64 `json:"figure"` // the median; null where it could not be measured
	Low    *float64 `json:"low"`    // the lowest and the highest sample
	High   *float64 `json:"high"`
	Rounds int      `json:"rounds"`
	Met    *bool    `json:"met"`
	Note   string   `json:"note,omitempty"`
	failed bool
}

// digits is how many digits of a figure are kept.
const digits = 4

// summarise makes a figure of what was found, or of why nothing was.
func summarise(d declaration, r result, err error) figure {
	f := figure{Name: d.name, What: d.what, Unit: d.unit, Goal: d.goal, Rounds: len(r.samples), Note: r.note}
	switch {
	case errors.Is(err, errCannot):
		f.Note = err.Error()
	case err != nil:
		f.Note, f.failed = "failed: "+err.Error(), true
	case len(r.samples) == 0 && r.note == "":
		f.Note, f.failed = "failed: there is no sample", true
	}
	if len(r.samples) == 0 {
		return f
	}
	middle := median(r.samples)
	met := d.goal.met(middle)
	low, high := r.samples[0], r.samples[0]
	for _, sample := range r.samples {
		low, high = min(low, sample), max(high, sample)
	}
	middle, low, high = significant(middle, digits), significant(low, digits), significant(high, digits)
	f.Figure, f.Low, f.High = &middle, &low, &high
	if !r.doubtful && !d.goal.none() {
		f.Met = &met
	}
	return f
}
