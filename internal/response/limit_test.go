// SPDX-License-Identifier: Apache-2.0

package response

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestLimiter(t *testing.T) {
	l := limiter{rate: Rate{Count: 2, Window: time.Minute}}
	start := time.Unix(1000, 0)
	for _, tc := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {50 * time.Second, true}, {55 * time.Second, false}, {60 * time.Second, true}, {109 * time.Second, false}, {110 * time.Second, true}} {
		assert.Equal(t, tc.want, l.permit(start.Add(tc.after)), tc.after)
	}
}
