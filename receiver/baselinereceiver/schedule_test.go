// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestJitterIsAddedAtRandomAndAtMost(t *testing.T) {
	s := newSchedule(&Config{InitialDelay: time.Hour, Jitter: 10 * time.Second})
	defer s.stop()
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := s.after(5 * time.Minute)
		least, most = min(least, d), max(most, d)
	}
	assert.GreaterOrEqual(t, least, 5*time.Minute)
	assert.Less(t, most, 5*time.Minute+10*time.Second)
	assert.Greater(t, most-least, 8*time.Second, "it is spread over all of the time")
	s.config.Jitter = 0
	assert.Equal(t, 5*time.Minute, s.after(5*time.Minute))
}

func TestScansBeforeTheirTime(t *testing.T) {
	s := newSchedule(&Config{InitialDelay: time.Hour, Interval: time.Hour, ChangeDelay: time.Hour})
	defer s.stop()
	assert.Nil(t, due(s.files))
	s.soon(byFiles)
	first := s.files
	assert.NotNil(t, first)
	s.soon(byFiles)
	assert.Same(t, first, s.files, "what goes on changing is not put off again and again")
	s.soon(byLoss)
	s.begun(byFiles)
	assert.Nil(t, s.files)
	assert.NotNil(t, s.losses, "not everything was looked at")
	s.soon(byFiles)
	s.begun(byLoss)
	assert.Nil(t, s.files)
	assert.Nil(t, s.losses)
	assert.WithinDuration(t, time.Now(), s.lost, time.Minute)
	s.config.ChangeDelay = 0
	s.soon(byFiles)
	s.soon(byLoss)
	assert.Nil(t, due(s.files))
	assert.Nil(t, due(s.losses))
}
