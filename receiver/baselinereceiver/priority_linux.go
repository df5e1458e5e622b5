// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// The numbers of ioprio_set(2).
const (
	ioprioWhoProcess = 1
	ioprioIdle       = 3 << 13
)

// lowest is the niceness of those who wait for everybody else.
const lowest = 19

// yield gives the thread of the calling goroutine the lowest priority for processors and disks. The thread is the goroutine's own
// from then on and ends with it. Where the kernel refuses, the work is done at the agent's priority.
func yield() {
	runtime.LockOSThread()
	thread := unix.Gettid()
	_ = unix.Setpriority(unix.PRIO_PROCESS, thread, lowest)
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(thread), ioprioIdle)
}
