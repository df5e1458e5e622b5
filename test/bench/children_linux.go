// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// traced are the events of ptrace(2) that show every process that comes to be, before it runs. With the tracer all of them end.
const traced = unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL

// countChildren runs a program and has the kernel stop it at each process that it or one of its descendants makes. It gives how many
// there were, without threads, and what the program wrote.
func countChildren(program string, args ...string) (children int, output []byte, err error) {
	file, err := os.CreateTemp("", "output")
	if err != nil {
		return 0, nil, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	// Who traces is a thread, and not a process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, nil, fmt.Errorf("running %s: %w", program, err)
	}
	t := tracer{root: cmd.Process.Pid, known: map[int]bool{}}
	err = errors.Join(t.follow(), cmd.Process.Release())
	if err != nil {
		return 0, nil, fmt.Errorf("tracing %s: %w", program, err)
	}
	output, err = os.ReadFile(file.Name())
	return t.children, output, err
}

// tracer follows a program and all that it starts.
type tracer struct {
	root     int
	known    map[int]bool // tasks that have stopped once
	children int
	failed   error
}

// follow goes on until the last task has ended.
func (t *tracer) follow() error {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return t.failed
		case err != nil:
			return err
		}
		if status.Stopped() {
			t.stopped(pid, status)
		} else if pid == t.root && !(status.Exited() && status.ExitStatus() <= 1) {
			t.failed = fmt.Errorf("found the wait status %#x, expected that it exits with 0 or 1", uint32(status))
		}
	}
}

// stopped lets a task go on, with the signal that was for it.
func (t *tracer) stopped(pid int, status unix.WaitStatus) {
	deliver := status.StopSignal()
	first := !t.known[pid]
	t.known[pid] = true
	switch cause := status.TrapCause(); {
	case first && pid == t.root:
		t.failed = unix.PtraceSetOptions(pid, traced)
		deliver = 0
	case first && deliver == unix.SIGSTOP: // each task begins with it
		if isProcess(pid) {
			t.children++
		}
		deliver = 0
	case cause > 0:
		deliver = 0
	}
	// What was killed meanwhile is told by the next wait.
	_ = unix.PtraceCont(pid, int(deliver))
}

// isProcess reports whether a task is a process and no thread of one.
func isProcess(task int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", task))
	return err == nil && bytes.Contains(status, []byte("\nTgid:\t"+strconv.Itoa(task)+"\n"))
}
