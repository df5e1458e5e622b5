// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/fschange"
	"github.com/vedette-sec/vedette/internal/ring"
)

// counted counts the directories that are read.
func counted(n *atomic.Int64) Effort {
	return Effort{Workers: 2, Pause: func() error { n.Add(1); return nil }}
}

func kept(t *testing.T, root string, effort Effort) *Host {
	w := NewWalker(time.Hour)
	t.Cleanup(func() { assert.NoError(t, w.Close()) })
	return Kept(root, effort, w)
}

func TestWalkAgainLooksAtWhatChanged(t *testing.T) {
	ring.RequireOnHost(t)
	root := t.TempDir()
	accountsOfThisUser(t, root)
	for i := range 100 {
		write(t, root, "srv/"+strconv.Itoa(i)+"/file", "", 0o644)
	}
	var read atomic.Int64
	h := kept(t, root, counted(&read))
	found, err := h.Walk()
	require.NoError(t, err)
	require.NoError(t, h.memory.walker.Unwatched())
	assert.Empty(t, found)
	assert.Greater(t, read.Load(), int64(100))

	read.Store(0)
	write(t, root, "srv/7/file", "", 0o666)
	write(t, root, "srv/new/below/file", "", 0o666)
	require.Eventually(t, func() bool {
		h, _ = h.Next()
		found, err = h.Walk()
		require.NoError(t, err)
		return len(found) == 2
	}, 10*time.Second, time.Millisecond)
	assert.Equal(t, []string{"/srv/7/file", "/srv/new/below/file"}, []string{found[0].Path, found[1].Path})
	assert.LessOrEqual(t, read.Load(), int64(10), "the other directories are not read again")

	require.NoError(t, os.Remove(filepath.Join(root, "srv/7/file")))
	require.Eventually(t, func() bool {
		h, _ = h.Next()
		found, err = h.Walk()
		require.NoError(t, err)
		return len(found) == 1
	}, 10*time.Second, time.Millisecond)

	write(t, root, "etc/passwd", "other:x:4000000:4000000::/:/bin/sh\n", 0o644)
	h, _ = h.Next()
	found, err = h.Walk()
	require.NoError(t, err)
	assert.Greater(t, len(found), 200, "all is judged by the accounts there are now")
}

// TestWalksAgainFindWhatOneWalkFinds changes files at random and compares.
func TestWalksAgainFindWhatOneWalkFinds(t *testing.T) {
	ring.RequireOnHost(t)
	root := t.TempDir()
	accountsOfThisUser(t, root)
	random := rand.New(rand.NewPCG(3, 3))
	name := func() string {
		dir := filepath.Join(root, "d"+strconv.Itoa(random.IntN(4)), "d"+strconv.Itoa(random.IntN(4)))
		require.NoError(t, os.MkdirAll(dir, 0o755))
		return filepath.Join(dir, "f"+strconv.Itoa(random.IntN(3)))
	}
	h := kept(t, root, Effort{})
	for step := range 60 {
		for range 5 {
			switch random.IntN(4) {
			case 0:
				full := name()
				require.NoError(t, os.WriteFile(full, nil, 0o600))
				require.NoError(t, os.Chmod(full, []os.FileMode{0o666, 0o644, 0o755 | os.ModeSetuid}[random.IntN(3)]))
			case 1:
				require.NoError(t, os.RemoveAll(name()))
			case 2:
				from, to := filepath.Dir(name()), filepath.Dir(name())
				if from != to {
					require.NoError(t, os.RemoveAll(to))
					require.NoError(t, os.Rename(from, to))
				}
			case 3:
				require.NoError(t, os.Chmod(filepath.Dir(name()), []os.FileMode{0o777, 0o755}[random.IntN(2)]))
			}
		}
		want, err := New(root).Walk()
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			h, _ = h.Next()
			have, err := h.Walk()
			require.NoError(t, err)
			return assert.ObjectsAreEqual(len(want), len(have)) && (len(want) == 0 || assert.ObjectsAreEqual(want, have))
		}, 10*time.Second, time.Millisecond, "step %d", step)
	}
}

func TestWalkLooksEachTimeAtWhatIsNotWatched(t *testing.T) {
	ring.RequireOnHost(t)
	root := t.TempDir()
	accountsOfThisUser(t, root)
	write(t, root, "run/file", "", 0o644)
	var read atomic.Int64
	h := kept(t, root, counted(&read))
	_, err := h.Walk()
	require.NoError(t, err)
	// From here on the kernel tells nothing, as of file systems in memory before 5.14.
	w := h.memory.walker
	require.NoError(t, w.watch.Close())
	w.watch, err = fschange.New()
	require.NoError(t, err)
	w.untold, w.mounted = []string{filepath.Join(root, "run")}, append(w.mounted, filepath.Join(root, "run"))
	write(t, root, "run/file", "", 0o666)
	read.Store(0)
	h, _ = h.Next()
	by := newWalk(h)
	by.users, by.groups = w.by.users, w.by.groups
	found, err := w.part(h, by, nil, nil, w.mounted)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "/run/file", found[0].Path)
	assert.Equal(t, int64(1), read.Load())
}

func TestWalkEndsWhereItIsTold(t *testing.T) {
	root := t.TempDir()
	accountsOfThisUser(t, root)
	enough := errors.New("enough")
	_, err := With(root, Effort{Pause: func() error { return enough }}).Walk()
	assert.ErrorIs(t, err, enough)
}
