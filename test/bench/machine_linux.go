// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// spent gives the CPU time that this process and the children it has waited for have used.
func spent() time.Duration {
	var total time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		total += usage(who)
	}
	return total
}

func usage(who int) time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(who, &u) // cannot fail with a known argument
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spentBy gives the CPU time that another process has used.
func spentBy(pid int) (time.Duration, error) {
	const schedulerClock = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &ts); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// memory is what a process holds, in MiB.
type memory struct{ resident, proportional, peak float64 }

func memoryOf(pid int) (memory, error) { return memoryFrom(pid, "smaps_rollup", "status") }

// memoryFrom gives what some files of a process tell of its memory.
func memoryFrom(pid int, files ...string) (memory, error) {
	var m memory
	fields := map[string]*float64{"Rss": &m.resident, "Pss": &m.proportional, "VmHWM": &m.peak}
	for _, name := range files {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			return m, fmt.Errorf("read the memory of process %d: %w", pid, err)
		}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			if into := fields[key]; into != nil {
				var kib float64
				if _, err := fmt.Sscan(value, &kib); err != nil {
					return m, fmt.Errorf("read %s of process %d: found %q, expected a number of kB", key, pid, value)
				}
				*into = kib / 1024
			}
		}
	}
	return m, nil
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

func kernelRelease() string {
	var uts unix.Utsname
	_ = unix.Uname(&uts) // cannot fail with a valid address
	return unix.ByteSliceToString(uts.Release[:])
}
