// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// What of io_uring the tests need, from the kernel's io_uring.h.
const (
	asyncFlag = 1 << 4 // IOSQE_ASYNC
	sqPoll    = 1 << 1 // IORING_SETUP_SQPOLL

	uringOpenAt   = 18
	uringWrite    = 23
	uringRenameAt = 35
	uringUnlinkAt = 36
	uringLinkAt   = 39

	uringGetEvents = 1
	uringWakeUp    = 2

	uringSubmissions = 0
	uringCompletions = 0x8000000
	uringEntries     = 0x10000000
	uringEntrySize   = 64
)

// uring is an io_uring of a few entries.
type uring struct {
	fd                                int
	submissions, completions, entries []byte
	parameters                        [120]byte
}

func (u *uring) at(offset int) uint32 { return binary.NativeEndian.Uint32(u.parameters[offset:]) }

func newUring(flags uint32) (*uring, error) {
	u := &uring{}
	binary.NativeEndian.PutUint32(u.parameters[8:], flags)
	binary.NativeEndian.PutUint32(u.parameters[16:], 60000) // how long the thread stays awake, ms
	fd, _, number := unix.Syscall(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&u.parameters)), 0)
	if number != 0 {
		return nil, fmt.Errorf("set up: %s", number)
	}
	u.fd = int(fd)
	var err [3]error
	u.submissions, err[0] = unix.Mmap(u.fd, uringSubmissions, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	u.completions, err[1] = unix.Mmap(u.fd, uringCompletions, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	u.entries, err[2] = unix.Mmap(u.fd, uringEntries, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	return u, errors.Join(err[:]...)
}

func word(memory []byte, at uint32) *uint32 { return (*uint32)(unsafe.Pointer(&memory[at])) }

// close lets go of the ring, which lives for as long as its memory is mapped.
func (u *uring) close() error {
	return errors.Join(unix.Munmap(u.submissions), unix.Munmap(u.completions), unix.Munmap(u.entries), unix.Close(u.fd))
}

// does submits one entry and gives its result.
func (u *uring) does(entry [uringEntrySize]byte, flags uintptr) error {
	copy(u.entries, entry[:])
	tail, array := word(u.submissions, u.at(44)), u.at(64)
	atomic.StoreUint32(word(u.submissions, array), 0)
	atomic.AddUint32(tail, 1)
	head, completed := word(u.completions, u.at(80)), word(u.completions, u.at(84))
	// A signal ends the wait for a completion, and a call that submitted says nothing of it.
	for submit := uintptr(1); atomic.LoadUint32(completed) == atomic.LoadUint32(head); {
		n, _, number := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(u.fd), submit, 1, uringGetEvents|flags, 0, 0)
		if number != 0 && number != unix.EINTR {
			return fmt.Errorf("submit: %s", number)
		}
		if number == 0 {
			submit -= n
		}
	}
	completions := u.at(100)
	result := int32(*word(u.completions, completions+8+(atomic.LoadUint32(head)&3)*16))
	atomic.AddUint32(head, 1)
	if result < 0 {
		return unix.Errno(-result)
	}
	return nil
}

func entry(operation, flags byte, fd int32, offset uint64, address unsafe.Pointer, length, more uint32) (e [uringEntrySize]byte) {
	e[0], e[1] = operation, flags
	binary.NativeEndian.PutUint32(e[4:], uint32(fd))
	binary.NativeEndian.PutUint64(e[8:], offset)
	binary.NativeEndian.PutUint64(e[16:], uint64(uintptr(address)))
	binary.NativeEndian.PutUint32(e[24:], length)
	binary.NativeEndian.PutUint32(e[28:], more)
	return e
}

// does performs one entry in a ring of its own.
func ringDoes(setup uint32, e [uringEntrySize]byte) error {
	u, err := newUring(setup)
	if err != nil {
		return err
	}
	flags := uintptr(0)
	if setup&sqPoll != 0 {
		flags = uringWakeUp
	}
	err = u.does(e, flags)
	return errors.Join(err, u.close())
}

// pinned keeps memory, whose address an entry holds as a number, where it is.
func pinned(memory ...[]byte) *runtime.Pinner {
	var pinner runtime.Pinner
	for _, one := range memory {
		pinner.Pin(&one[0])
	}
	return &pinner
}

func (s *scene) ringOpens(setup uint32, flags byte) error {
	name := append([]byte(s.file), 0)
	defer pinned(name).Unpin()
	return ringDoes(setup, entry(uringOpenAt, flags, unix.AT_FDCWD, 0, pointer(name), 0, unix.O_WRONLY))
}

func (s *scene) ringWrites(setup uint32, flags byte) error {
	data := []byte("x")
	defer pinned(data).Unpin()
	return ringDoes(setup, entry(uringWrite, flags, int32(s.before.Fd()), 0, pointer(data), 1, 0))
}

func (s *scene) ringUnlinks() error {
	name := append([]byte(s.file), 0)
	defer pinned(name).Unpin()
	err := ringDoes(0, entry(uringUnlinkAt, 0, unix.AT_FDCWD, 0, pointer(name), 0, 0))
	if errors.Is(err, unix.EINVAL) { // 5.10 does not have it
		return opens(s.file)
	}
	return err
}

// ringNames renames the file, or links it, to a place outside.
func (s *scene) ringNames(operation byte) error {
	old, name := append([]byte(s.file), 0), append([]byte(s.outside+"/by-ring"), 0)
	defer pinned(old, name).Unpin()
	at := unix.AT_FDCWD
	err := ringDoes(0, entry(operation, 0, unix.AT_FDCWD, uint64(uintptr(pointer(name))), pointer(old), uint32(at), 0))
	if errors.Is(err, unix.EINVAL) { // 5.10 has neither
		return opens(s.file)
	}
	return err
}

func skipWithoutRing(t *testing.T) {
	u, err := newUring(0)
	if err != nil {
		ring.Cannot(t, "this kernel has no io_uring")
	}
	require.NoError(t, u.close())
}
