// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"time"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Firing says that a correlation holds for a group.
type Firing struct {
	Correlation *sigma.Correlation
	// Time is the event time at which it fired: that of the last event, or the end of a window that was judged as it closed.
	Time time.Time
	// First and Last are the times of the first and the last event that count.
	First, Last time.Time
	// Group has the fields of group-by with their values.
	Group []Field
	// Fields has what output, dedup, other correlations and (for first_seen) the condition ask for beside Group: the values
	// of the last event. Those it lacks are left out.
	Fields []Field
	// Value is what the condition was asked about. A count ends where more of it would not change the answer.
	Value float64
	// Folded is how many matches of the group went before this one and did not fire because one before them had.
	Folded uint64
	// Events are the latest events that count, the earliest first; in the temporal types the latest of each rule.
	Events []EventID
	// Degraded says that a limit made the group forget something, so that Value may be off.
	Degraded bool
}

// Field is a field of events with the text of its value.
type Field struct{ Name, Value string }

// Lookup makes a firing an event for correlations that refer to its correlation, and for templates.
func (f *Firing) Lookup(field string) ([]any, bool) {
	for _, fields := range [][]Field{f.Group, f.Fields} {
		for _, known := range fields {
			if known.Name == field {
				return []any{known.Value}, true
			}
		}
	}
	return nil, false
}
