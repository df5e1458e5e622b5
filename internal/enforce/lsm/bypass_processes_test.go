// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
)

// service starts the protected program, which waits until the test ends.
func service(t *testing.T) int {
	t.Helper()
	c := command(trusted, "wait")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	var word string
	_, err = fmt.Fscan(out, &word)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, in.Close())
		require.NoError(t, c.Wait(), "the service lived until it was told to end")
	})
	return c.Process.Pid
}

// call makes a system call. What its arguments point to stays where it is.
//
//go:uintptrescapes
func call(number uintptr, args ...uintptr) error {
	args = append(args, make([]uintptr, 6-len(args))...)
	if _, _, err := unix.Syscall6(number, args[0], args[1], args[2], args[3], args[4], args[5]); err != 0 {
		return err
	}
	return nil
}

func TestBypassProcesses(t *testing.T) {
	ring.Require(t, ring.VM)
	e := shared(t)
	load(t, e, `
policy: service
mode: enforce
rules:
  - name: all
    processes: {executables: [`+trusted+`]}
    allow: [{executable: `+trusted+`}]
`)
	pid := service(t)
	target := uintptr(pid)
	local := make([]byte, 8)
	info := make([]byte, 128)
	info[8] = 0xff // si_code: from user space
	info[9], info[10], info[11] = 0xff, 0xff, 0xff
	tests := []struct {
		name  string
		steps map[string]func() error
	}{
		{"20 signals", map[string]func() error{
			"kill":   func() error { return unix.Kill(pid, unix.SIGKILL) },
			"stop":   func() error { return unix.Kill(pid, unix.SIGSTOP) },
			"ask":    func() error { return unix.Kill(pid, 0) },
			"group":  func() error { return unix.Kill(-pid, unix.SIGTERM) },
			"tkill":  func() error { return call(unix.SYS_TKILL, target, uintptr(unix.SIGKILL)) },
			"tgkill": func() error { return unix.Tgkill(pid, pid, unix.SIGKILL) },
			"rt_sigqueueinfo": func() error {
				return call(unix.SYS_RT_SIGQUEUEINFO, target, uintptr(unix.SIGTERM), uintptr(pointer(info)))
			},
			"pidfd": func() error {
				fd, err := unix.PidfdOpen(pid, 0)
				if err != nil {
					return fmt.Errorf("open the process: %s", err)
				}
				defer unix.Close(fd)
				return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			},
		}},
		{"21 tracing and memory", map[string]func() error{
			"attach": func() error { return unix.PtraceAttach(pid) },
			"seize":  func() error { return unix.PtraceSeize(pid) },
			"write memory": func() error {
				at := []unix.Iovec{{Base: &local[0], Len: 8}}
				_, err := unix.ProcessVMWritev(pid, at, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&local[0])), Len: 8}}, 0)
				return err
			},
			"read memory": func() error {
				at := []unix.Iovec{{Base: &local[0], Len: 8}}
				_, err := unix.ProcessVMReadv(pid, at, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&local[0])), Len: 8}}, 0)
				return err
			},
			"memory file": func() error {
				return ofMemory(fileError(os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)))
			},
			"limits": func() error {
				return unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: 1}, nil)
			},
		}},
		{"22 priority", map[string]func() error{
			"out of memory": func() error {
				return fileError(os.OpenFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), os.O_WRONLY, 0))
			},
			"nice":       func() error { return unix.Setpriority(unix.PRIO_PROCESS, pid, 19) },
			"scheduler":  func() error { return call(unix.SYS_SCHED_SETSCHEDULER, target, 3, uintptr(pointer(local))) },
			"processors": func() error { return unix.SchedSetaffinity(pid, &unix.CPUSet{1}) },
			"io":         func() error { return call(unix.SYS_IOPRIO_SET, 1, target, 3<<13) },
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for what, step := range test.steps {
				drain(t, e)
				require.ErrorIs(t, step(), unix.EPERM, what)
				v := next(t, e, func(v enforce.Verdict) bool { return v.Errno == int(unix.EPERM) })
				assert.Equal(t, uint32(pid), v.Object.PID, what)
			}
		})
	}
	assert.NoError(t, runs(trusted, "signal", fmt.Sprint(pid)), "the service may signal itself")
}

// ofMemory gives the error of a way to memory where some ways make another number of a refusal.
func ofMemory(err error) error {
	if errors.Is(err, unix.EACCES) {
		return unix.EPERM
	}
	return err
}

func fileError(file *os.File, err error) error {
	if err == nil {
		file.Close()
	}
	return err
}

func init() {
	acts["signal"] = func(args []string) error {
		var pid int
		if _, err := fmt.Sscan(args[0], &pid); err != nil {
			return err
		}
		return unix.Kill(pid, 0)
	}
}

// layoutsAreOpen tells whether the kernel shows the layout of other processes' memory, and takes advice about it, from everybody with
// CAP_PERFMON, whatever hooks refuse: seen by somebody who may trace nobody.
func layoutsAreOpen(t *testing.T) bool {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had, less [2]unix.CapUserData
	require.NoError(t, unix.Capget(&header, &had[0]))
	less = had
	less[0].Effective &^= 1 << unix.CAP_SYS_PTRACE
	require.NoError(t, unix.Capset(&header, &less[0]))
	err := fileError(os.Open(fmt.Sprintf("/proc/%d/maps", os.Getppid())))
	require.NoError(t, unix.Capset(&header, &had[0]))
	if err != nil {
		require.ErrorIs(t, err, unix.EACCES)
	}
	return err == nil
}

// Advice about memory: to put it out, or to fetch it. No content changes by it.
func TestBypass21Advice(t *testing.T) {
	ring.Require(t, ring.VM)
	e := shared(t)
	load(t, e, "policy: service\nmode: enforce\nrules: [{name: all, processes: {executables: ["+trusted+"]}}]\n")
	pid := service(t)
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Munmap(page)) }()
	fd, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	drain(t, e)
	at := unix.Iovec{Base: &page[0], Len: uint64(len(page))}
	err = ofMemory(call(unix.SYS_PROCESS_MADVISE, uintptr(fd), uintptr(unsafe.Pointer(&at)), 1, unix.MADV_PAGEOUT, 0))
	if layoutsAreOpen(t) {
		assert.NotErrorIs(t, err, unix.EPERM, "docs/protection.md says that such kernels allow it")
		return
	}
	require.ErrorIs(t, err, unix.EPERM)
	v := next(t, e, func(v enforce.Verdict) bool { return v.Errno == int(unix.EPERM) })
	assert.Equal(t, uint32(pid), v.Object.PID)
}

func TestBypass21TracedByItsParent(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	s.protect()
	// A trusted program that is traced from its first instruction does what the tracer wants.
	c := command(trusted, "write", s.file)
	c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	err := traced(c)
	require.ErrorIs(t, err, unix.EPERM)
	s.intact("traced")
}

// traced runs a command under ptrace to its end.
func traced(c *exec.Cmd) error {
	done := make(chan error)
	go func() { done <- trace(c) }()
	return <-done
}
