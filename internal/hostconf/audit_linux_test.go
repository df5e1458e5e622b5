// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"testing"

	"github.com/mdlayher/netlink/nlenc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAuditIsLocked(t *testing.T) {
	for state, want := range map[uint32]bool{0: false, 1: false, 2: true} {
		locked, err := lockedBy(append(nlenc.Uint32Bytes(1), append(nlenc.Uint32Bytes(state), make([]byte, 32)...)...))
		require.NoError(t, err)
		assert.Equal(t, want, locked, state)
	}
	_, err := lockedBy(make([]byte, 4))
	assert.ErrorContains(t, err, "found 4 bytes, expected at least 8")
	_, err = New(t.TempDir()).AuditLocked()
	assert.ErrorIs(t, err, ErrOtherRoot)
}
