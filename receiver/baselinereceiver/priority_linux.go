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

// behind is by how much a scan is nicer than the agent, whose other threads then get three times its share of a processor. More would
// harm the agent: whenever the runtime stops all threads, as it does twice for each collection of garbage, they wait until a thread that is
// ready to run has run a little, and the nicer it is, the longer the kernel lets it wait. With four busy processes for one processor the
// longest stop was 42 ms at the same niceness, 0.10 s at 5 more, 0.67 s at 10 and 2.7 s at 19, in which no event is read and nobody
// is answered.
const (
	behind  = 5
	nicest  = 19
	mostRaw = 20 // less the niceness is what the system call gives
)

// yield lets the thread of the calling goroutine wait for others at processors, and for everybody at disks. The thread is the goroutine's
// own from then on and ends with it. Where the kernel refuses, the work is done at the agent's priority.
func yield() {
	runtime.LockOSThread()
	thread := unix.Gettid()
	if raw, err := unix.Getpriority(unix.PRIO_PROCESS, thread); err == nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, thread, min(mostRaw-raw+behind, nicest))
	}
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(thread), ioprioIdle)
}
