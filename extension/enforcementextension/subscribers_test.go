// SPDX-License-Identifier: Apache-2.0

package enforcementextension

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
)

func TestSubscribers(t *testing.T) {
	var s subscribers[enforcement.Result]
	fast, cancel := s.add(2)
	slow, _ := s.add(1)
	assert.Zero(t, s.publish(enforcement.Result{UndoID: "1"}))
	assert.Equal(t, int64(1), s.publish(enforcement.Result{UndoID: "2"}), "one of them has no room")
	assert.Equal(t, "1", (<-fast).UndoID)
	assert.Equal(t, "2", (<-fast).UndoID)
	assert.Equal(t, "1", (<-slow).UndoID)
	cancel()
	cancel()
	_, open := <-fast
	assert.False(t, open)
	s.close()
	_, open = <-slow
	assert.False(t, open)
	late, cancel := s.add(1)
	cancel()
	_, open = <-late
	assert.False(t, open)
}
