// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// TestNoProgramIsRunByWhoAnswers: a process that the kernel asks which programs may be run could wait for itself.
func TestNoProgramIsRunByWhoAnswers(t *testing.T) {
	ring.Require(t, ring.Native)
	for _, c := range []struct {
		name  string
		class uint
		runs  bool
	}{
		{"is told", unix.FAN_CLASS_NOTIF, true},
		{"is asked", unix.FAN_CLASS_CONTENT, false},
		{"is asked first", unix.FAN_CLASS_PRE_CONTENT, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			fd, err := unix.FanotifyInit(c.class|unix.FAN_CLOEXEC, unix.O_RDONLY)
			require.NoError(t, err)
			_, err = run("/bin/true", nil, patience)
			if c.runs {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, errAnswering)
			}
			require.NoError(t, unix.Close(fd))
			_, err = run("/bin/true", nil, patience)
			assert.NoError(t, err)
		})
	}
}
