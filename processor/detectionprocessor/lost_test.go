// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLossCounter(t *testing.T) {
	c := newLossCounter()
	assert.Equal(t, int64(5), c.since("a", 5))
	assert.Equal(t, int64(3), c.since("a", 8))
	assert.Equal(t, int64(1), c.since("b", 1))
	c.giveBack("a", 3)
	assert.Equal(t, int64(4), c.since("a", 9))
	assert.Equal(t, int64(2), c.since("a", 2), "the receiver began anew")
	c.giveBack("unknown", 1)
	assert.Equal(t, int64(0), c.since("a", 2))
}
