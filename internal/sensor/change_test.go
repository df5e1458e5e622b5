// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/ring"
)

// changeIDs changes the ids of one thread, as programs do that have one only.
func changeIDs() {
	runtime.LockOSThread()
	call := func(number uintptr, a, b, c uintptr) {
		if _, _, errno := syscall.RawSyscall(number, a, b, c); errno != 0 {
			fmt.Fprintln(os.Stderr, errno)
			os.Exit(1)
		}
	}
	const keep = ^uintptr(0)
	call(unix.SYS_SETRESUID, keep, 1000, keep) // for a while, and back: not told
	call(unix.SYS_SETRESUID, keep, 0, keep)
	call(unix.SYS_SETUID, 0, 0, 0) // nothing changes
	call(unix.SYS_SETRESGID, 1001, 1002, 1003)
	call(unix.SYS_SETRESUID, 1000, 1000, 0)
	call(unix.SYS_SETRESUID, keep, 0, keep) // an id it has kept
	call(unix.SYS_SETUID, 0, 0, 0)
}

func TestSetIDInEveryTier(t *testing.T) {
	eachTier(t, KindSetID, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: []Kind{KindSetID}})
		self, err := os.Executable()
		require.NoError(t, err)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), changesIDs+"=1")
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", output)

		type change struct{ before, now bpf.SensorEventIds }
		var have []change
		var batch Batch
		_, err = s.Drain(&batch)
		require.NoError(t, err)
		for _, r := range batch.Records {
			e, err := r.SetID()
			require.NoError(t, err)
			if e.Head.Tgid == uint32(cmd.Process.Pid) {
				have = append(have, change{e.Before, e.Now})
			}
		}
		root := bpf.SensorEventIds{}
		group := bpf.SensorEventIds{Gid: 1001, Egid: 1002, Sgid: 1003}
		user, regained := group, group
		user.Uid, user.Euid = 1000, 1000
		regained.Uid = 1000
		assert.Equal(t, []change{{root, group}, {group, user}, {regained, group}}, have)
	})
}

func TestAttributesInEveryTier(t *testing.T) {
	eachTier(t, KindAttributes, func(t *testing.T, tier Tier) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		t.Chdir(dir)
		f, err := os.Create("file")
		require.NoError(t, err)
		defer f.Close()
		s := watch(t, tier, Options{Kinds: []Kind{KindAttributes}})
		require.NoError(t, unix.Chmod("file", 0o4755))
		require.NoError(t, unix.Fchmod(int(f.Fd()), 0o600))
		require.NoError(t, unix.Fchmodat(unix.AT_FDCWD, filepath.Join(dir, "file"), 0o2711, 0))
		require.NoError(t, unix.Chown("file", 1000, -1))
		require.NoError(t, unix.Fchown(int(f.Fd()), -1, 1001))
		require.NoError(t, unix.Fchownat(int(f.Fd()), "", 7, 8, unix.AT_EMPTY_PATH))
		capability := []byte{1, 0, 0, 2, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		labels := unix.Setxattr("file", "security.capability", capability, 0)
		require.Error(t, unix.Chmod("missing", 0o700))

		var have []string
		var batch Batch
		_, err = s.Drain(&batch)
		require.NoError(t, err)
		for _, r := range batch.Records {
			e, text, err := r.Attributes()
			require.NoError(t, err)
			path := string(text.Path)
			if !filepath.IsAbs(path) {
				path = filepath.Join(string(text.Base), path)
			}
			if path == filepath.Join(dir, "file") {
				have = append(have, fmt.Sprintf("%d %o %d %d %s", e.Change, e.NewMode, int32(e.Uid), int32(e.Gid), text.Name))
			}
		}
		want := []string{"1 4755 -1 -1 ", "1 600 -1 -1 ", "1 2711 -1 -1 ", "2 0 1000 -1 ", "2 0 -1 1001 ", "2 0 7 8 "}
		if labels == nil { // the file system has them
			want = append(want, "3 0 -1 -1 security.capability")
		}
		assert.Equal(t, want, have)
	})
}

// TestAttributeWithANameNotInMemory gives an attribute's name in a page that nobody has touched: the kernel's programs
// cannot read it before the kernel has.
func TestAttributeWithANameNotInMemory(t *testing.T) {
	eachTier(t, KindAttributes, func(t *testing.T, tier Tier) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		file := filepath.Join(dir, "file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		capability := []byte{1, 0, 0, 2, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		if err := unix.Setxattr(file, "security.capability", capability, 0); err != nil {
			ring.Cannot(t, fmt.Sprintf("this file system takes no security attributes: %v", err))
		}
		path, err := unix.BytePtrFromString(file)
		require.NoError(t, err)
		set := func(name []byte) error {
			_, _, errno := unix.Syscall6(unix.SYS_SETXATTR, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&name[0])),
				uintptr(unsafe.Pointer(&capability[0])), uintptr(len(capability)), 0, 0)
			if errno != 0 {
				return errno
			}
			return nil
		}
		name, other := untouched(t, "security.capability\x00"), untouched(t, "user.other\x00")
		s := watch(t, tier, Options{Kinds: []Kind{KindAttributes}})
		require.NoError(t, set(name))
		_ = set(other) // not every file system has these
		require.NoError(t, unix.Madvise(name, unix.MADV_DONTNEED))
		require.NoError(t, set(name))

		var have []string
		var batch Batch
		_, err = s.Drain(&batch)
		require.NoError(t, err)
		for _, r := range batch.Records {
			_, text, err := r.Attributes()
			require.NoError(t, err)
			if string(text.Path) == file {
				have = append(have, string(text.Name))
			}
		}
		assert.Equal(t, []string{"security.capability", "security.capability"}, have)
	})
}

// untouched is a text in a file that is mapped and not yet in memory.
func untouched(t *testing.T, text string) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "text"))
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString(text)
	require.NoError(t, err)
	memory, err := unix.Mmap(int(f.Fd()), 0, len(text), unix.PROT_READ, unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, unix.Munmap(memory)) })
	return memory
}

func TestImageLoadInEveryTier(t *testing.T) {
	eachTier(t, KindImageLoad, func(t *testing.T, tier Tier) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		library := filepath.Join(dir, "lib.so")
		require.NoError(t, os.WriteFile(library, make([]byte, 4096), 0o600))
		s := watch(t, tier, Options{Kinds: []Kind{KindImageLoad}})
		mapped := func(path string, protection int) {
			f, err := os.Open(path)
			require.NoError(t, err)
			defer f.Close()
			memory, err := unix.Mmap(int(f.Fd()), 0, 4096, protection, unix.MAP_PRIVATE)
			require.NoError(t, err)
			require.NoError(t, unix.Munmap(memory))
		}
		mapped(library, unix.PROT_READ)
		mapped(library, unix.PROT_READ|unix.PROT_EXEC)
		mapped("/proc/self/exe", unix.PROT_READ|unix.PROT_EXEC)
		var have []string
		for _, e := range events(t, s) {
			if e.pid == uint32(os.Getpid()) {
				have = append(have, e.path)
			}
		}
		assert.Equal(t, []string{library}, have)
	})
}
