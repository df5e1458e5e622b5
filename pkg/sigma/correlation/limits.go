// SPDX-License-Identifier: Apache-2.0

package correlation

import "time"

// Limits bound what a Correlator remembers. What is not positive means the default, except for Lateness.
type Limits struct {
	// Lateness is how far behind the latest event another may be and still be put in its place. Matches wait that long
	// before they count. 0 counts each at once and drops whatever is earlier than the one before.
	Lateness time.Duration
	// Ahead is how far beyond the time given to Advance an event may be. Without Advance there is no such limit.
	// Default: one minute.
	Ahead time.Duration
	// MaxGroups is how many groups one correlation keeps. Default: 100000.
	MaxGroups int
	// MaxValues is how many values or numbers one group keeps. Default: 10000.
	MaxValues int
	// MaxEvents is how many events one firing mentions. Default: 8.
	MaxEvents int
	// MaxBytes is about how much memory all groups and waiting matches take. Default: 64 MiB.
	MaxBytes int
}

// DefaultLimits gives the limits that fit one host.
func DefaultLimits() Limits {
	return Limits{Lateness: 2 * time.Second}.complete()
}

func (l Limits) complete() Limits {
	l.Lateness = max(l.Lateness, 0)
	l.Ahead = positiveOr(l.Ahead, time.Minute)
	l.MaxGroups = positiveOr(l.MaxGroups, 100_000)
	l.MaxValues = positiveOr(l.MaxValues, 10_000)
	l.MaxEvents = positiveOr(l.MaxEvents, 8)
	l.MaxBytes = positiveOr(l.MaxBytes, 64<<20)
	return l
}

func positiveOr[T int | time.Duration](given, otherwise T) T {
	if given > 0 {
		return given
	}
	return otherwise
}
