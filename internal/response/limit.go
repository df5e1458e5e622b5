// SPDX-License-Identifier: Apache-2.0

// Package response acts in response to alerts: it checks what is asked, acts, records it and ends it
// in time. The enforcement extension and the operator's command both work through it.
package response

import (
	"time"
)

// Directory is the journal's place in the state directory.
const Directory = "response"

// Rate is how often something may happen.
type Rate struct {
	Count  int
	Window time.Duration
}

// limiter permits as much as the rate in any window, wherever that begins.
type limiter struct {
	rate Rate
	last []time.Time
}

func (l *limiter) permit(now time.Time) bool {
	for len(l.last) > 0 && now.Sub(l.last[0]) >= l.rate.Window {
		l.last = l.last[1:]
	}
	if len(l.last) >= l.rate.Count {
		return false
	}
	l.last = append(l.last, now)
	return true
}
