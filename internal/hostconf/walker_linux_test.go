// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/fschange"
	"github.com/vedette-sec/vedette/internal/ring"
)

// patience is for a machine that has other work, and for guests under emulation.
const patience = 2 * time.Minute

// mountMemory mounts an empty file system, which only this test changes, so that the kernel has nothing to tell of what others do.
func mountMemory(t *testing.T, dir string) {
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=755"))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// ownFileSystem is a root directory on an empty file system.
func ownFileSystem(t *testing.T) string {
	root := t.TempDir()
	mountMemory(t, root)
	accountsOfThisUser(t, root)
	return root
}

// mayWatch says whether the kernel tells of changes in memory, which it does from 5.14 on.
func mayWatch(t *testing.T, h *Host) {
	if len(h.memory.walker.untold) > 0 {
		ring.Cannot(t, "this kernel cannot watch file systems in memory")
	}
}

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
	root := ownFileSystem(t)
	for i := range 100 {
		write(t, root, "srv/"+strconv.Itoa(i)+"/file", "", 0o644)
	}
	var read atomic.Int64
	h := kept(t, root, counted(&read))
	found, err := h.Walk()
	require.NoError(t, err)
	require.NoError(t, h.memory.walker.Unwatched())
	mayWatch(t, h)
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
	}, patience, time.Millisecond)
	assert.Equal(t, []string{"/srv/7/file", "/srv/new/below/file"}, []string{found[0].Path, found[1].Path})
	assert.LessOrEqual(t, read.Load(), int64(10), "the other directories are not read again")

	require.NoError(t, os.Remove(filepath.Join(root, "srv/7/file")))
	require.Eventually(t, func() bool {
		h, _ = h.Next()
		found, err = h.Walk()
		require.NoError(t, err)
		return len(found) == 1
	}, patience, time.Millisecond)

	write(t, root, "etc/passwd", "other:x:4000000:4000000::/:/bin/sh\n", 0o644)
	h, _ = h.Next()
	found, err = h.Walk()
	require.NoError(t, err)
	assert.Greater(t, len(found), 200, "all is judged by the accounts there are now")
}

// TestWalksAgainFindWhatOneWalkFinds changes files at random and compares.
func TestWalksAgainFindWhatOneWalkFinds(t *testing.T) {
	ring.RequireOnHost(t)
	root := ownFileSystem(t)
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
		}, patience, time.Millisecond, "step %d", step)
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
	write(t, root, "run/file", "", 0o666)
	read.Store(0)
	h, _ = h.Next()
	w.untold = []string{filepath.Join(root, "run")}
	by := newWalk(h)
	by.users, by.groups = w.by.users, w.by.groups
	found, err := w.part(h, by, nil, nil, w.mounted)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "/run/file", found[0].Path)
	assert.Equal(t, int64(1), read.Load())
}

// below are the paths of what was found at a directory or below it.
func below(found []Found, dir string) (paths []string) {
	for _, f := range found {
		if within(dir, f.Path) {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// TestWalksKeepUpWithMounts mounts and unmounts between walks of this host, which must not keep anybody from doing so.
func TestWalksKeepUpWithMounts(t *testing.T) {
	ring.RequireOnHost(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	mount := func() {
		mountMemory(t, dir)
		write(t, dir, "file", "", 0o666)
	}
	mount()
	h := kept(t, "/", Effort{})
	// All of this host is much. What is told of it is as good as what is found on it.
	w := h.memory.walker
	w.walked, w.by = time.Now(), newWalk(h)
	w.mounted = h.localMounts()
	w.cover(w.mounted)
	if w.why != nil {
		ring.Cannot(t, "some of its file systems cannot be watched: "+w.why.Error())
	}
	w.mounted, w.begun = slices.DeleteFunc(w.mounted, func(m tree) bool { return m.path == dir }), nil
	walk := func() []string {
		h, _ = h.Next()
		found, err := h.Walk()
		require.NoError(t, err)
		return below(found, dir)
	}
	assert.Equal(t, []string{file}, walk())
	write(t, dir, "more", "", 0o666)
	assert.Equal(t, []string{file, filepath.Join(dir, "more")}, walk())
	ring.Unmount(t, dir)
	assert.Empty(t, walk())
	mount()
	assert.Equal(t, []string{file}, walk())
	ring.Unmount(t, dir)
	mount()
	require.NoError(t, os.Rename(file, file+"2"))
	assert.True(t, w.pending(h), "it is another one at the same place")
	assert.Equal(t, []string{file + "2"}, walk())

	// What is mounted over it hides it.
	require.NoError(t, unix.Mount("proc", dir, "proc", 0, ""))
	assert.Empty(t, walk())
	assert.NoError(t, w.why, "nobody walks /proc")
	ring.Unmount(t, dir)
	assert.Equal(t, []string{file + "2"}, walk())
}

// TestWalkHasNothingOpenWhileItGoesDeeper has more directories than the channel between workers holds, and each in turn may have the walk wait.
func TestWalkHasNothingOpenWhileItGoesDeeper(t *testing.T) {
	root := t.TempDir()
	accountsOfThisUser(t, root)
	for i := range 1100 {
		require.NoError(t, os.Mkdir(filepath.Join(root, strconv.Itoa(i)), 0o755))
	}
	open := map[string]bool{}
	_, err := With(root, Effort{Workers: 1, Pause: func() error {
		descriptors, err := os.ReadDir("/proc/self/fd")
		for _, d := range descriptors {
			if leads, err := os.Readlink("/proc/self/fd/" + d.Name()); err == nil && within(root, leads) {
				open[leads] = true
			}
		}
		return err
	}}).Walk()
	require.NoError(t, err)
	assert.Empty(t, open)
}

// TestWhatCannotBeWatchedMayPass has a file system that cannot be watched in the list, and one that is gone.
func TestWhatCannotBeWatchedMayPass(t *testing.T) {
	ring.RequireOnHost(t)
	root := ownFileSystem(t)
	h := kept(t, root, Effort{})
	walk := func() (paths []string) {
		h, _ = h.Next()
		found, err := h.Walk()
		require.NoError(t, err)
		return below(found, "/")
	}
	assert.Empty(t, walk())
	mayWatch(t, h)
	w := h.memory.walker
	mounted := h.localMounts()
	w.cover(append(mounted, tree{path: filepath.Join(root, "gone")}))
	require.NoError(t, w.why, "what is gone needs no watch")
	assert.False(t, w.due())
	w.cover([]tree{{path: "/proc"}, mounted[0]})
	require.ErrorContains(t, w.why, "/proc")
	write(t, root, "file", "", 0o666)
	_, _ = w.watch.Take() // as nobody can rely on what is told
	w.stamp(h)
	require.NoError(t, w.why)
	assert.True(t, w.due(), "nobody knows what changed meanwhile")
	assert.Equal(t, []string{"/file"}, walk())
	assert.False(t, w.due())
}

func TestWalkEndsWhereItIsTold(t *testing.T) {
	root := t.TempDir()
	accountsOfThisUser(t, root)
	enough := errors.New("enough")
	_, err := With(root, Effort{Pause: func() error { return enough }}).Walk()
	assert.ErrorIs(t, err, enough)
}
