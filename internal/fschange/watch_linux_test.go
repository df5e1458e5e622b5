// SPDX-License-Identifier: Apache-2.0

package fschange

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newFileSystem mounts an empty file system that only this test changes.
func newFileSystem(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"))
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

func watch(t *testing.T, dir string) *Watch {
	w, err := New()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.Close()) })
	begun, err := w.Add(dir)
	if errors.Is(err, unix.ENODEV) {
		ring.Cannot(t, "this kernel cannot watch file systems in memory")
	}
	require.NoError(t, err)
	require.True(t, begun)
	begun, err = w.Add(dir)
	require.NoError(t, err)
	require.False(t, begun, "a second time changes nothing")
	return w
}

// patience is for a machine that has other work, and for guests under emulation.
const patience = 2 * time.Minute

// taken waits until so many changes are told.
func taken(t *testing.T, w *Watch, count int) []Change {
	var all []Change
	require.Eventually(t, func() bool {
		changed, complete := w.Take()
		require.True(t, complete)
		for _, c := range changed {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
		return len(all) >= count
	}, patience, time.Millisecond)
	return all
}

func TestWatchTellsOfNamesAndAttributes(t *testing.T) {
	ring.Require(t, ring.Native)
	dir := newFileSystem(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "before"), nil, 0o600))
	w := watch(t, dir)
	require.NoError(t, os.Chmod(filepath.Join(dir, "before"), 0o666))
	assert.Equal(t, []Change{{Path: filepath.Join(dir, "before")}}, taken(t, w, 1))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a/b/c"), nil, 0o600))
	require.NoError(t, os.Rename(filepath.Join(dir, "a/b/c"), filepath.Join(dir, "a/d")))
	assert.ElementsMatch(t, []Change{
		{filepath.Join(dir, "a"), true, true}, {filepath.Join(dir, "a/b"), true, true},
		{filepath.Join(dir, "a/b/c"), false, true}, {filepath.Join(dir, "a/d"), false, true},
	}, taken(t, w, 4))
	assert.False(t, w.Pending())
}

// Who asks after a change is told of it, and not a moment later.
func TestWatchTellsAtOnce(t *testing.T) {
	ring.Require(t, ring.Native)
	dir := newFileSystem(t)
	w := watch(t, dir)
	for i := range 500 {
		name := filepath.Join(dir, strconv.Itoa(i))
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		require.True(t, w.Pending())
		changed, complete := w.Take()
		require.True(t, complete)
		require.Equal(t, []Change{{name, false, true}}, changed)
	}
}

func TestWatchSaysWhenItKnowsNotAll(t *testing.T) {
	ring.Require(t, ring.Native)
	w := watch(t, newFileSystem(t))
	records := make([]record, mostRecords+1)
	for i := range records {
		records[i].kind = int32(i)
	}
	w.keep(records)
	assert.True(t, w.Pending())
	_, complete := w.Take()
	assert.False(t, complete)
	_, complete = w.Take()
	assert.True(t, complete, "from then on it knows")
}

func TestAddRefusesWhatHasNoHandles(t *testing.T) {
	ring.Require(t, ring.Native)
	w, err := New()
	require.NoError(t, err)
	defer func() { assert.NoError(t, w.Close()) }()
	_, err = w.Add("/proc")
	assert.ErrorContains(t, err, "watching changes of files: /proc")
	_, err = w.Add("/not/there")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestWatchLetsGoOfFileSystems unmounts, which fails where something of the file system is open, and mounts what was there, which has the
// same id, or something else.
func TestWatchLetsGoOfFileSystems(t *testing.T) {
	ring.Require(t, ring.Native)
	disk := newDisk(t)
	inMemory := func(dir string) error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m") }
	for name, mount := range map[string]func(dir string) error{"in memory": inMemory, "of a disk": disk} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := mount(dir); err != nil {
				ring.Cannot(t, "a file system "+name+" cannot be mounted: "+err.Error())
			}
			t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
			w := watch(t, dir)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "before"), nil, 0o600))
			assert.Equal(t, []Change{{filepath.Join(dir, "before"), false, true}}, taken(t, w, 1))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "never asked"), nil, 0o600))
			require.True(t, w.Pending())
			ring.Unmount(t, dir)
			changed, complete := w.Take()
			assert.Empty(t, changed)
			assert.True(t, complete)

			require.NoError(t, mount(dir))
			begun, err := w.Add(dir)
			require.NoError(t, err)
			assert.True(t, begun, "it was not watched while it was away")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "after"), nil, 0o600))
			assert.Equal(t, []Change{{filepath.Join(dir, "after"), false, true}}, taken(t, w, 1))

			require.NoError(t, os.WriteFile(filepath.Join(dir, "moved"), nil, 0o600))
			moved := t.TempDir()
			require.NoError(t, unix.Mount(dir, moved, "", unix.MS_BIND, ""))
			defer func() { _ = unix.Unmount(moved, unix.MNT_DETACH) }()
			ring.Unmount(t, dir)
			begun, err = w.Add(moved)
			require.NoError(t, err)
			assert.False(t, begun, "it was there all the time")
			assert.Equal(t, []Change{{filepath.Join(moved, "moved"), false, true}}, taken(t, w, 1))

			ring.Unmount(t, moved)
			require.NoError(t, mount(dir))
			_, err = w.Add(dir)
			require.NoError(t, err)
			_, _ = w.Take()
			assert.Equal(t, []string{dir}, slices.Collect(maps.Values(w.roots)), "what is gone is forgotten")
		})
	}
}

// newDisk gives what mounts a file system that is in a file, always the same one.
func newDisk(t *testing.T) func(dir string) error {
	image := filepath.Join(t.TempDir(), "image")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 4<<20))
	made := exec.Command("mkfs.ext4", "-q", image).Run()
	return func(dir string) error {
		if made != nil {
			return made
		}
		if said, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		return nil
	}
}

// event is a record as the kernel writes it.
func event(mask uint64, handle, name string) []byte {
	info := append([]byte{unix.FAN_EVENT_INFO_TYPE_DFID_NAME, 0, 0, 0}, "fsid1234"...)
	info = binary.NativeEndian.AppendUint32(info, uint32(len(handle)))
	info = binary.NativeEndian.AppendUint32(info, 1)
	info = append(append(info, handle...), name+"\x00"...)
	binary.NativeEndian.PutUint16(info[2:], uint16(len(info)))
	head := binary.NativeEndian.AppendUint32(nil, uint32(metadataLength+len(info)))
	head = append(head, unix.FANOTIFY_METADATA_VERSION, 0)
	head = binary.NativeEndian.AppendUint16(head, metadataLength)
	head = binary.NativeEndian.AppendUint64(head, mask)
	return append(append(head, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), info...)
}

func TestParse(t *testing.T) {
	two := append(event(unix.FAN_CREATE|unix.FAN_ONDIR, "12345678", "a"), event(unix.FAN_ATTRIB, "12345678", ".")...)
	records, overflow, err := parse(two)
	require.NoError(t, err)
	assert.False(t, overflow)
	id := [8]byte([]byte("fsid1234"))
	assert.Equal(t, []record{{id, 1, "12345678", "a", true, true}, {id, 1, "12345678", ".", false, false}}, records)
	lost := event(unix.FAN_Q_OVERFLOW, "", "")[:metadataLength]
	binary.NativeEndian.PutUint32(lost, metadataLength)
	_, overflow, err = parse(lost)
	require.NoError(t, err)
	assert.True(t, overflow)
	_, _, err = parse(two[:30])
	assert.ErrorContains(t, err, "found an event of")
	_, _, err = parse(two[:10])
	assert.ErrorContains(t, err, "found 10 bytes")
}

func FuzzParse(f *testing.F) {
	f.Add(event(unix.FAN_CREATE, "12345678", "name"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, _, _ := parse(b)
		for _, r := range records {
			if len(r.handle)+len(r.name) > len(b) {
				t.Fatal("more than was given")
			}
		}
	})
}
