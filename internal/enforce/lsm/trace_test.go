// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// trace starts a command that asks to be traced, and lets it run to its end.
func trace(c *exec.Cmd) error {
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	if err := c.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(c.Process.Pid, &status, 0, nil); err != nil {
			return fmt.Errorf("wait: %s", err)
		}
		switch {
		case status.Exited() && status.ExitStatus() == refused:
			return unix.EPERM
		case status.Exited() && status.ExitStatus() == done:
			return nil
		case status.Exited() || status.Signaled():
			return fmt.Errorf("ended with %#x", status)
		}
		signal := 0
		if status.StopSignal() != unix.SIGTRAP {
			signal = int(status.StopSignal())
		}
		if err := unix.PtraceCont(c.Process.Pid, signal); err != nil {
			return fmt.Errorf("go on: %s", err)
		}
	}
}
