// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/ring"
)

func TestNameChanged(t *testing.T) {
	for path, want := range map[string]bool{
		"/etc/shadow":           true,
		"/etc":                  true,
		"/home/ann/.ssh":        true,
		"/home/ann":             true,
		"/home/ann/.ssh/id_rsa": false, // what is in a watched directory is watched with it
		"/etc/shadow.lock":      false,
		"/home/ann/.bashrc":     false,
		"/srv/shadow":           false,
		"etc/shadow":            false,
		"":                      false,
	} {
		w := newReadWatch([]string{"/etc/shadow", "/home/*/.ssh"})
		w.nameChanged(path)
		assert.Equal(t, want, w.changed, path)
	}
}

func TestWatchIsDue(t *testing.T) {
	w := newReadWatch([]string{"/etc/shadow"})
	now := time.Now()
	assert.True(t, w.due(now), "at the start")
	_, err := w.resolve(now)
	require.NoError(t, err)
	assert.False(t, w.due(now.Add(time.Second)))
	assert.True(t, w.due(now.Add(watchLate)))
	w.nameChanged("/etc/shadow")
	assert.False(t, w.due(now.Add(watchSoon/2)))
	assert.True(t, w.due(now.Add(watchSoon)))
}

func TestResolveFollowsPatterns(t *testing.T) {
	dir := t.TempDir()
	for _, user := range []string{"ann", "bob"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, user, "keys"), 0o700))
	}
	w := newReadWatch([]string{filepath.Join(dir, "*", "keys"), filepath.Join(dir, "missing")})
	files, err := w.resolve(time.Now())
	require.NoError(t, err)
	require.Len(t, files, 2)
	assert.NotEqual(t, files[0], files[1])
	assert.NotZero(t, files[0].Inode)
	_, err = mountDevices(filepath.Join(dir, "missing"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestReadOfAReplacedFile replaces a watched file by another: its next reader is told.
func TestReadOfAReplacedFile(t *testing.T) {
	ring.Require(t, ring.Native)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("old"), 0o600))
	sink := &consumertest.LogsSink{}
	r := create(t, nil, sink, event.KindFileAccess, event.KindFileRename)
	r.config.WatchReads = []string{secret}
	require.NoError(t, r.open(t.Context(), componenttest.NewNopHost()))
	r.reads.late = time.Hour // only the rename is to lead to it
	r.follow()
	run(t, "mv", replacement(t, dir), secret)
	seen := func() bool {
		return slices.ContainsFunc(recordsOf(sink), func(r record) bool {
			return r.EventName() == event.KindFileAccess && r.text(event.AttrFilePath) == secret
		})
	}
	for deadline := time.Now().Add(2 * time.Minute); !seen() && time.Now().Before(deadline); time.Sleep(watchSoon) {
		run(t, "cat", secret)
	}
	assert.True(t, seen())
	shutdown(t, r)
}

func replacement(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "new")
	require.NoError(t, os.WriteFile(name, []byte("new"), 0o600))
	return name
}
