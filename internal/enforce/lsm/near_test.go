// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/ring"
)

const (
	nearRoot = "/opt/near"
	freeFile = nearRoot + "/free/dir/deep/file"
	heldFile = nearRoot + "/held/dir/deep/file"
)

// heldOnly forbids to write what is in the tree held, and nothing about names: whoever likes moves directories into it and out of it.
const heldOnly = "policy: held\nmode: enforce\nrules: [{name: r, files: {paths: [" + nearRoot + "/held/**], operations: [write]}}]\n"

// prepareNear makes two trees, of which the second is protected, and opens what is in them, so that the kernel has noted what rules say there.
func prepareNear(t *testing.T) *Enforcer {
	ring.Require(t, ring.VM)
	e := shared(t)
	for _, dir := range []string{nearRoot + "/free/dir/deep", nearRoot + "/held/other/deep", nearRoot + "/free/mounted", nearRoot + "/held/mounted"} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(nearRoot)) })
	require.NoError(t, os.WriteFile(freeFile, nil, 0o644))
	require.NoError(t, os.WriteFile(nearRoot+"/held/other/deep/file", nil, 0o644))
	load(t, e, heldOnly)
	require.NoError(t, opens(freeFile))
	require.ErrorIs(t, opens(nearRoot+"/held/other/deep/file"), unix.EPERM)
	return e
}

// countsMoves tells whether the kernel lists the lock that counts moves, without which nothing is noted.
func countsMoves(t *testing.T) bool {
	file, err := os.Open("/proc/kallsyms")
	require.NoError(t, err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasSuffix(lines.Text(), " rename_lock") {
			return true
		}
	}
	require.NoError(t, lines.Err())
	return false
}

func TestNearIsNoted(t *testing.T) {
	e := prepareNear(t)
	if !countsMoves(t) {
		ring.Cannot(t, "this kernel does not list rename_lock")
	}
	dir, err := os.Open(nearRoot + "/free/dir/deep")
	require.NoError(t, err)
	defer dir.Close()
	other, err := os.Open(nearRoot + "/free")
	require.NoError(t, err)
	defer other.Close()
	err = e.maps[bpf.EnforceMapNearNotes].Put(uint32(other.Fd()), bpf.EnforceNearNote{})
	if errors.Is(err, unix.ENOMEM) {
		ring.Cannot(t, "this kernel has no memory for notes, as without a processor that exchanges 16 bytes at once (cx16)")
	}
	require.NoError(t, err)
	require.Eventually(t, func() bool { // mounts of other tests may have the policies loaded once more
		generation := e.now.Load().generation
		require.NoError(t, unix.Truncate(freeFile, 0)) // not by an open file, for which some kernels keep it elsewhere
		var note bpf.EnforceNearNote
		require.NoError(t, e.maps[bpf.EnforceMapNearNotes].Lookup(uint32(dir.Fd()), &note))
		require.Zero(t, note.Operations&(1<<14-1), "operations of rules where there are none")
		return note.Operations>>45 == generation&(1<<19-1)
	}, time.Minute, time.Millisecond)

	// Of a file that is opened some kernels keep the note with the file.
	file, err := os.Open(freeFile)
	require.NoError(t, err)
	defer file.Close()
	m, found := e.maps[bpf.EnforceMapNearNotes], 0
	for _, f := range []*os.File{dir, file} {
		if err := m.Delete(uint32(f.Fd())); err != nil {
			require.ErrorIs(t, err, ebpf.ErrKeyNotExist)
		}
	}
	require.NoError(t, opens(freeFile))
	for _, f := range []*os.File{dir, file} {
		var note bpf.EnforceNearNote
		if m.Lookup(uint32(f.Fd()), &note) == nil && note.Operations != 0 {
			found++
		}
	}
	require.Equal(t, 1, found, "one note")
}

// What was noted about a directory must not hold when it is somewhere else, or other policies are in force.
func TestNearFollowsMoves(t *testing.T) {
	prepareNear(t)
	free, held := nearRoot+"/free/dir", nearRoot+"/held/dir"
	steps := []struct {
		name string
		do   func() error
		file string
		want error
	}{
		{"moved in", func() error { return os.Rename(free, held) }, heldFile, unix.EPERM},
		{"moved out", func() error { return os.Rename(held, free) }, freeFile, nil},
		{"exchanged", func() error { return exchange(free, nearRoot+"/held/other") }, nearRoot + "/held/other/deep/file", unix.EPERM},
		{"what it was exchanged for", func() error { return nil }, freeFile, nil},
		{"exchanged again", func() error { return exchange(free, nearRoot+"/held/other") }, nearRoot + "/held/other/deep/file", unix.EPERM},
		{"back", func() error { return nil }, freeFile, nil},
		{"a second name in the tree", func() error { return os.Link(freeFile, nearRoot+"/held/link") }, freeFile, unix.EPERM},
		{"by that name", func() error { return nil }, nearRoot + "/held/link", unix.EPERM},
		{"by that name alone", func() error { return os.Remove(freeFile) }, nearRoot + "/held/link", unix.EPERM},
		{"the whole tree moved", func() error { return os.Rename(nearRoot+"/held", nearRoot+"/gone") }, nearRoot + "/gone/other/deep/file", nil},
		{"and back", func() error { return os.Rename(nearRoot+"/gone", nearRoot+"/held") }, nearRoot + "/held/other/deep/file", unix.EPERM},
	}
	for _, s := range steps {
		require.NoError(t, s.do(), s.name)
		require.ErrorIs(t, opens(s.file), s.want, s.name)
		require.ErrorIs(t, opens(s.file), s.want, "%s, as noted", s.name)
	}
}

func TestNearFollowsPolicies(t *testing.T) {
	e := prepareNear(t)
	for range 5 {
		load(t, e, strings.ReplaceAll(heldOnly, "/held/", "/free/"))
		require.ErrorIs(t, opens(freeFile), unix.EPERM)
		require.NoError(t, opens(nearRoot+"/held/other/deep/file"))
		load(t, e, heldOnly)
		require.NoError(t, opens(freeFile))
		require.ErrorIs(t, opens(nearRoot+"/held/other/deep/file"), unix.EPERM)
	}
}

func TestNearFollowsMounts(t *testing.T) {
	prepareNear(t)
	mounted := nearRoot + "/free/mounted"
	require.NoError(t, unix.Mount("none", mounted, "tmpfs", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(mounted, unix.MNT_DETACH)) })
	require.NoError(t, os.WriteFile(mounted+"/file", nil, 0o644))
	require.NoError(t, opens(mounted+"/file"))
	require.NoError(t, unix.Mount(mounted, nearRoot+"/held/mounted", "", unix.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(nearRoot+"/held/mounted", unix.MNT_DETACH)) })
	for _, name := range []string{nearRoot + "/held/mounted/file", mounted + "/file"} {
		require.Eventually(t, func() bool { return errors.Is(opens(name), unix.EPERM) }, time.Minute, 10*time.Millisecond, name)
	}
	require.NoError(t, unix.Mount(nearRoot+"/held/other", nearRoot+"/free/dir", "", unix.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(nearRoot+"/free/dir", unix.MNT_DETACH)) })
	require.ErrorIs(t, opens(freeFile), unix.EPERM, "a protected directory at a name that nothing is said about")
}

// While a directory moves others open what is in it, so that notes are written at every moment of the move.
func TestNearFollowsMovesUnderLoad(t *testing.T) {
	prepareNear(t)
	var ended atomic.Bool
	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			for !ended.Load() {
				_, _ = opens(freeFile), opens(heldFile) // which of them is there changes
			}
		})
	}
	for range 300 {
		require.NoError(t, os.Rename(nearRoot+"/free/dir", nearRoot+"/held/dir"))
		require.ErrorIs(t, opens(heldFile), unix.EPERM)
		require.NoError(t, os.Rename(nearRoot+"/held/dir", nearRoot+"/free/dir"))
		require.NoError(t, opens(freeFile))
	}
	ended.Store(true)
	others.Wait()
}
