// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestStreamClock(t *testing.T) {
	var c streamClock
	now := testTime
	_, ok := c.at(now)
	assert.False(t, ok, "no event has come")
	old := now.Add(-time.Hour)
	assert.Equal(t, old, c.of(old, now))
	at, ok := c.at(now.Add(time.Second))
	assert.True(t, ok)
	assert.Equal(t, old.Add(time.Second), at, "it goes on from the latest event")
	assert.Equal(t, old.Add(-time.Minute), c.of(old.Add(-time.Minute), now.Add(2*time.Second)))
	at, _ = c.at(now.Add(3 * time.Second))
	assert.Equal(t, old.Add(3*time.Second), at, "an earlier event does not set it back")
	assert.Equal(t, now, c.of(now.Add(time.Hour), now), "an event from the future is one of now")
}
