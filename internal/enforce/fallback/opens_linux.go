// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/pkg/policy"
)

// opened is what opening a file is, which fanotify does not tell: the call that waits does. Where that is not known, it is taken for
// everything that it could be.
func (f *fileFacts) opened(tid uint32) []policy.Operation {
	flags, known := openFlags(tid)
	if !known {
		return f.ofDevice(policy.Write, policy.Read)
	}
	if flags == runs {
		return nil // it is judged as what it is
	}
	switch {
	case flags&unix.O_ACCMODE == unix.O_RDWR:
		return f.ofDevice(policy.Write, policy.Read)
	case flags&unix.O_ACCMODE != unix.O_RDONLY, flags&unix.O_TRUNC != 0:
		return f.ofDevice(policy.Write)
	}
	return f.ofDevice(policy.Read)
}

// ofDevice adds that a device is one of memory, ports or blocks.
func (f *fileFacts) ofDevice(operations ...policy.Operation) []policy.Operation {
	const memMajor = 1
	isMemory := f.mode&unix.S_IFMT == unix.S_IFCHR && unix.Major(f.rdev) == memMajor && (unix.Minor(f.rdev) <= 2 || unix.Minor(f.rdev) == 4)
	if isMemory || f.mode&unix.S_IFMT == unix.S_IFBLK {
		operations = append(operations, policy.RawDevices)
	}
	return operations
}

// runs stands for the flags of an open that is part of running a program.
const runs = -1

// How long it may take until a thread that asked is seen waiting: a loaded host takes its time, and the opener cannot go on meanwhile. It is
// looked for often at first, as it mostly waits at once.
const (
	lookFor      = 10 * time.Second
	firstPause   = 20 * time.Microsecond
	longestPause = 50 * time.Millisecond
)

// openFlags reads by which call a thread that waits opens a file.
func openFlags(tid uint32) (flags int, known bool) {
	return whenWaiting(tid, func() ([]byte, error) { return os.ReadFile("/proc/" + strconv.Itoa(int(tid)) + "/syscall") }, time.Now, time.Sleep)
}

func whenWaiting(tid uint32, look func() ([]byte, error), now func() time.Time, sleep func(time.Duration)) (flags int, known bool) {
	pause := firstPause
	for end := now().Add(lookFor); ; pause = min(2*pause, longestPause) {
		content, err := look()
		if err != nil {
			return 0, false
		}
		text := strings.TrimSpace(string(content))
		if text != "running" {
			return flagsOf(text, tid)
		}
		if now().After(end) {
			return 0, false
		}
		sleep(pause)
	}
}

// flagsOf reads a line such as "257 0xffffff9c 0x7ffd 0x0 0x0 0x0 0x0 0x7ffd 0x7f0c", see proc_pid_syscall(5).
func flagsOf(line string, tid uint32) (flags int, known bool) {
	fields := strings.Fields(line)
	if len(fields) < 7 {
		return 0, false
	}
	number, err := strconv.Atoi(fields[0])
	if err != nil {
		return 0, false
	}
	argument := func(i int) uint64 {
		value, _ := strconv.ParseUint(strings.TrimPrefix(fields[1+i], "0x"), 16, 64) // the kernel writes numbers
		return value
	}
	switch number {
	case unix.SYS_OPEN:
		return int(argument(1)), true
	case unix.SYS_OPENAT, unix.SYS_OPEN_BY_HANDLE_AT:
		return int(argument(2)), true
	case unix.SYS_CREAT:
		return unix.O_WRONLY | unix.O_TRUNC, true
	case unix.SYS_EXECVE, unix.SYS_EXECVEAT:
		return runs, true
	case unix.SYS_OPENAT2:
		return openHow(tid, argument(2))
	}
	return 0, false
}

// openHow reads the flags of openat2 from the caller's memory. Where another thread could change them meanwhile they say nothing.
func openHow(tid uint32, address uint64) (flags int, known bool) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", tid))
	if err != nil || len(threads) != 1 {
		return 0, false
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", tid))
	if err != nil {
		return 0, false
	}
	defer memory.Close()
	var how [8]byte
	if _, err := memory.ReadAt(how[:], int64(address)); err != nil {
		return 0, false
	}
	return int(binary.NativeEndian.Uint64(how[:])), true
}
