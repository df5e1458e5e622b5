// SPDX-License-Identifier: Apache-2.0

//go:build unix

package filelock

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOneHoldsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		require.NoError(t, err)
		t.Cleanup(func() { file.Close() })
		return file
	}
	one, other := open(), open()
	taken := func() bool { return unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK }
	require.NoError(t, Lock(one))
	assert.True(t, taken())
	held := make(chan error)
	go func() { held <- Lock(other) }()
	require.NoError(t, Unlock(one))
	require.NoError(t, <-held)
	require.NoError(t, other.Close())
	require.NoError(t, Lock(one))
	require.NoError(t, one.Close())
	assert.ErrorContains(t, Lock(one), "lock "+path)
}
