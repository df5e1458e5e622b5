// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// What is mounted below or above a protected directory is protected without anybody loading policies again.
func TestMountsAreFollowed(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	load(t, s.e, "policy: scene\nmode: enforce\nrules: [{name: all, files: {paths: ["+s.dir+"/**], operations: [create]}}]\n")
	for _, m := range []struct{ place, protected string }{{s.dir + "/sub", s.dir + "/sub"}, {filepath.Dir(s.dir), s.dir}} {
		require.NoError(t, unix.Mount("none", m.place, "tmpfs", 0, ""))
		t.Cleanup(func() { require.NoError(t, unix.Unmount(m.place, unix.MNT_DETACH)) })
		tries := 0
		require.Eventually(t, func() bool {
			tries++
			return errors.Is(os.MkdirAll(filepath.Join(m.protected, strconv.Itoa(tries)), 0o755), unix.EPERM)
		}, time.Minute, 10*time.Millisecond, "mounted at %s", m.place)
	}
}

func TestFollowerSeesMounts(t *testing.T) {
	ring.Require(t, ring.Native)
	f, err := newFollower()
	require.NoError(t, err)
	defer func() { require.NoError(t, f.close()) }()
	dir := t.TempDir()
	require.NoError(t, unix.Mount("none", dir, "tmpfs", 0, ""))
	changed, on := f.next(time.Minute)
	assert.True(t, changed && on, "mounted")
	ring.Unmount(t, dir)
	changed, on = f.next(time.Minute)
	assert.True(t, changed && on, "unmounted")
	require.NoError(t, f.end())
	_, on = f.next(forever)
	assert.False(t, on)
}
