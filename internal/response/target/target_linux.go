// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Package target signals processes that are surely those that are meant, and knows which processes,
// files and addresses must never be touched.
package target

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/process"
)

// ErrRefused is why a target is not touched: it is protected or not what it should be.
var ErrRefused = errors.New("refused")

// ErrGone says that the process ended before.
var ErrGone = errors.New("the process has ended")

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Processes finds and signals processes.
type Processes struct {
	Proc    process.ProcFS
	BootID  string
	EndWait time.Duration // how long a killed process is waited for; 0: two seconds
}

// handle is a process that stays the same one however ids are reused.
type handle struct {
	fd   int
	stat process.Stat
}

func (h handle) close() { _ = unix.Close(h.fd) }

// open takes hold of a process. The handle is taken before the process is looked at: what is seen
// then is either the process that the handle holds or a later one, which has another start time.
func (p Processes) open(pid uint32) (handle, error) {
	fd, err := unix.PidfdOpen(int(pid), 0)
	if errors.Is(err, unix.ESRCH) {
		return handle{}, ErrGone
	}
	if err != nil {
		return handle{}, fmt.Errorf("take hold of process %d: %w", pid, err)
	}
	stat, err := p.Proc.ReadStat(pid)
	if err == nil {
		return handle{fd, stat}, nil
	}
	_ = unix.Close(fd)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return handle{}, ErrGone
	}
	return handle{}, err
}

// find takes hold of the process that is meant.
func (p Processes) find(wanted enforcement.Process) (handle, error) {
	if wanted.PID == 0 || wanted.EntityID == "" {
		return handle{}, refused("the process is not identified: found pid %d and entity id %q, expected both", wanted.PID, wanted.EntityID)
	}
	h, err := p.open(wanted.PID)
	if err != nil {
		return handle{}, err
	}
	switch {
	case h.stat.Key.EntityID(p.BootID) != wanted.EntityID:
		h.close()
		return handle{}, refused("process %d is another one by now", wanted.PID)
	case h.stat.State == 'Z' || h.stat.State == 'X':
		h.close()
		return handle{}, ErrGone
	}
	return h, nil
}

func (h handle) signal(signal unix.Signal) error {
	err := unix.PidfdSendSignal(h.fd, signal, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(signal), h.stat.Key.PID, err)
	}
	return nil
}

// ended waits for the process to end. One that hangs in the kernel may take its time.
func (h handle) ended(deadline time.Time) bool {
	for {
		poll := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(max(time.Until(deadline), 0).Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// endWait is how long a killed process is waited for where nothing else is said.
const endWait = 2 * time.Second

func (p Processes) endsUntil() time.Time { return time.Now().Add(cmp.Or(p.EndWait, endWait)) }

const stillEnding = "it was told to end and has not ended yet"

// Check tells whether the process is the one that is meant and may be touched.
func (p Processes) Check(wanted enforcement.Process, protected Protection) error {
	h, err := p.find(wanted)
	if err != nil {
		return err
	}
	defer h.close()
	return protected.snapshot(p).refuse(h.stat)
}

// Kill ends a process. The note says what else is to be known.
func (p Processes) Kill(wanted enforcement.Process, protected Protection) (note string, err error) {
	h, err := p.find(wanted)
	if err != nil {
		return "", err
	}
	defer h.close()
	if err := protected.snapshot(p).refuse(h.stat); err != nil {
		return "", err
	}
	if err := h.signal(unix.SIGKILL); err != nil {
		return "", err
	}
	if !h.ended(p.endsUntil()) {
		return stillEnding, nil
	}
	return "", nil
}

// Suspend stops a process.
func (p Processes) Suspend(wanted enforcement.Process, protected Protection) error {
	h, err := p.find(wanted)
	if err != nil {
		return err
	}
	defer h.close()
	if err := protected.snapshot(p).refuse(h.stat); err != nil {
		return err
	}
	return h.signal(unix.SIGSTOP)
}

// Resume lets a suspended process go on. ErrGone, or ErrRefused for a later process with its id, say
// that there is nothing left to do.
func (p Processes) Resume(wanted enforcement.Process) error {
	h, err := p.find(wanted)
	if err != nil {
		return err
	}
	defer h.close()
	return h.signal(unix.SIGCONT)
}

// Executable returns the path, inode and device of the file that a process runs.
func (p Processes) Executable(wanted enforcement.Process) (path string, inode uint64, err error) {
	h, err := p.find(wanted)
	if err != nil {
		return "", 0, err
	}
	defer h.close()
	exe, err := p.executable(wanted.PID)
	return exe.path, exe.stat.Ino, err
}
