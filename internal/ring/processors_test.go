// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTwoProcessorsLastAsLongAsTheTest(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	t.Run("one", func(t *testing.T) {
		TwoProcessors(t)
		assert.Equal(t, 2, runtime.GOMAXPROCS(0))
	})
	assert.Equal(t, 1, runtime.GOMAXPROCS(0))
}
