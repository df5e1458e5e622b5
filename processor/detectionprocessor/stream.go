// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"sync"
	"time"
)

// streamClock tells what time it is among the events that come. It goes as fast as the host's clock and
// stands where the latest event is, so that windows of correlations end in their time also where events
// come late, such as after an outage or when a log is replayed.
type streamClock struct {
	mu      sync.Mutex
	latest  time.Time // of events
	arrived time.Time // when it came
}

// of notes the time of an event that comes now, and returns it. An event from the future counts as one of
// now: one wrong clock must not make all others late.
func (c *streamClock) of(event, now time.Time) time.Time {
	if event.After(now) {
		event = now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if event.After(c.latest) {
		c.latest, c.arrived = event, now
	}
	return event
}

// at returns the time among the events; ok is false before the first has come.
func (c *streamClock) at(now time.Time) (at time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.latest.IsZero() {
		return at, false
	}
	return c.latest.Add(now.Sub(c.arrived)), true
}
