// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// helperEnv makes this test binary, or a copy of it, a program that does what its arguments say.
const helperEnv = "VEDETTE_FALLBACK_HELPER"

// How long a change that follows another one may take.
const (
	timeLimit = 2 * time.Minute
	timeStep  = 20 * time.Millisecond
)

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		os.Exit(act(os.Args[1:]))
	}
	// The collection of garbage stops all threads, of which one may be waiting for a program that a test runs and that waits for the answer of
	// this process. The agent runs no programs while it is asked. Memory is collected only where guests would run out of it.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(400 << 20)
	code := m.Run()
	if shared != nil {
		if err := shared.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// shared is what most tests load their policies into: to open one takes long.
var shared *Enforcer

// act does one thing and gives its error number, 0 for none.
func act(args []string) int {
	err := acts[args[0]](args[1:])
	var errno syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &errno):
		return int(errno)
	}
	fmt.Fprintln(os.Stderr, err)
	return 255
}

var acts = map[string]func([]string) error{
	"connect": func(args []string) error { return withSocket(args[0], unix.Connect) },
	"bind":    func(args []string) error { return withSocket(args[0], unix.Bind) },
	"read":    func(args []string) error { return open(args[0], unix.O_RDONLY) },
	"write":   func(args []string) error { return open(args[0], unix.O_WRONLY) },
	"append":  func(args []string) error { return open(args[0], unix.O_RDWR|unix.O_APPEND) },
	"openat2": openat2,
	"trunc":   func(args []string) error { return unix.Truncate(args[0], 0) },
	"remove":  func(args []string) error { return unix.Unlink(args[0]) },
	"rename":  func(args []string) error { return unix.Rename(args[0], args[1]) },
	"chmod":   func(args []string) error { return unix.Chmod(args[0], 0o600) },
	"create":  func(args []string) error { return open(args[0], unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL) },
	"mount":   func(args []string) error { return unix.Mount("none", args[0], "tmpfs", 0, "") },
	"kill": func(args []string) error {
		pid, _ := strconv.Atoi(args[0])
		return unix.Kill(pid, unix.SIGUSR1)
	},
	"run":      func(args []string) error { return run(args[0], args[1:]) },
	"memfd":    memfd,
	"hammer":   hammer,
	"ptrace":   onProcess(func(pid int) error { return unix.PtraceAttach(pid) }),
	"seize":    onProcess(func(pid int) error { return unix.PtraceSeize(pid) }),
	"vm-read":  onProcess(func(pid int) error { return transfer(unix.ProcessVMReadv, pid) }),
	"vm-write": onProcess(func(pid int) error { return transfer(unix.ProcessVMWritev, pid) }),
	"nice":     onProcess(func(pid int) error { return unix.Setpriority(unix.PRIO_PROCESS, pid, 5) }),
	"limit": onProcess(func(pid int) error {
		return unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
	}),
	"affinity": onProcess(func(pid int) error { return unix.SchedSetaffinity(pid, &unix.CPUSet{1}) }),
	"bpf":      raw(unix.SYS_BPF),
	"kexec":    raw(unix.SYS_KEXEC_LOAD),
	"settime":  raw(unix.SYS_CLOCK_SETTIME),
	"insmod":   raw(unix.SYS_FINIT_MODULE),
	"rmmod":    raw(unix.SYS_DELETE_MODULE),
	"umount":   raw(unix.SYS_UMOUNT2),
	"send":     send,
	"serve":    serve,
	"connect6": connect6,
	"unshare": func(args []string) error {
		c := exec.Command(args[0], args[1:]...)
		c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		return ended(c.Run())
	},
	"wait": func([]string) error {
		fmt.Println("ready")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	},
}

func onProcess(act func(pid int) error) func([]string) error {
	return func(args []string) error {
		pid, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return act(pid)
	}
}

// transfer moves a byte between the memory of this process and that of another.
func transfer(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), pid int) error {
	b := []byte{0}
	_, err := call(pid, []unix.Iovec{{Base: &b[0], Len: 1}}, []unix.RemoteIovec{{Base: 4096, Len: 1}}, 0)
	return err
}

// raw makes a call with arguments that it refuses, so that nothing happens whoever makes it.
func raw(number uintptr) func([]string) error {
	return func([]string) error {
		const none = ^uintptr(0)
		if _, _, errno := unix.Syscall6(number, none, none, none, none, none, none); errno != 0 {
			return errno
		}
		return nil
	}
}

// hammer opens a file and connects to a port until its standard input ends, and tells how often it tried and how often it could.
func hammer(args []string) error {
	end := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(end)
	}()
	tried, passed := 0, 0
	for {
		for _, err := range []error{open(args[0], unix.O_RDONLY), withSocket(args[1], unix.Connect)} {
			tried++
			if err == nil {
				passed++
			}
		}
		select {
		case <-end:
			fmt.Println(tried, passed)
			return nil
		default:
		}
	}
}

func open(name string, flags int) error {
	fd, err := unix.Open(name, flags, 0o600)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func openat2(args []string) error {
	fd, err := unix.Openat2(unix.AT_FDCWD, args[0], &unix.OpenHow{Flags: unix.O_RDONLY})
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// send sends a datagram without connecting first; connect6 connects over IPv6.
func send(args []string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	number, _ := strconv.Atoi(args[0])
	return unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}})
}

func connect6(args []string) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	number, _ := strconv.Atoi(args[1])
	return unix.Connect(fd, &unix.SockaddrInet6{Port: number, Addr: netip.MustParseAddr(args[0]).As16()})
}

func withSocket(port string, call func(int, unix.Sockaddr) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	number, _ := strconv.Atoi(port)
	return call(fd, &unix.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}})
}

// run executes a program as a child and gives what became of it.
func run(name string, args []string) error {
	return ended(exec.Command(name, args...).Run())
}

// ended gives how a child ended as an error of its own.
func ended(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return syscall.Errno(exit.ExitCode())
	}
	return err
}

// memfd runs a copy of this program that is in no file system.
func memfd(args []string) error {
	content, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	fd, err := unix.MemfdCreate("hidden", 0)
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, content); err != nil {
		return err
	}
	return unix.Exec("/proc/self/fd/"+strconv.Itoa(fd), append([]string{"hidden"}, args...), os.Environ())
}

// copyOf makes a copy of this test's binary, which is a program of its own to policies.
func copyOf(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	path := filepath.Join(directory(t), name)
	require.NoError(t, os.WriteFile(path, content, 0o755))
	return path
}

// directory is a place on the real file system, whose path has no links.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	return dir
}

func command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), helperEnv+"=1")
	return c
}

// outcome runs a program and tells what became of it: "ok", the name of an error, or that of the signal it was killed by.
func outcome(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := command(name, args...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &exit):
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			return unix.SignalName(status.Signal())
		}
		return unix.ErrnoName(syscall.Errno(exit.ExitCode())) + string(output)
	case errors.Is(err, os.ErrPermission):
		return "EPERM at exec"
	}
	require.NoError(t, err)
	return ""
}

// victim starts a program that waits until the test ends.
func victim(t *testing.T, name string) int {
	t.Helper()
	c := command(name, "wait")
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.Process.Kill() // who traced it may have left it stopped
		_ = c.Wait()
	})
	return c.Process.Pid
}

// loadedWith is an enforcer with policies in force.
func loadedWith(t *testing.T, yaml string, args ...any) *Enforcer {
	t.Helper()
	e := enforcer(t)
	load(t, e, yaml, args...)
	return e
}

// enforcer gives the one that tests share, with nothing in force, and empties it when the test ends.
func enforcer(t *testing.T) *Enforcer {
	t.Helper()
	ring.TwoProcessors(t)
	if shared == nil {
		opened, err := Open()
		require.NoError(t, err)
		shared = opened
	}
	t.Cleanup(func() {
		require.NoError(t, shared.AuditOnly(false))
		require.NoError(t, shared.Load(&policy.Set{}))
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for {
			if _, err := shared.Next(ended); err != nil {
				return
			}
		}
	})
	return shared
}

func load(t *testing.T, e *Enforcer, yaml string, args ...any) {
	t.Helper()
	policies, err := policy.Parse("test.yaml", fmt.Appendf(nil, yaml, args...))
	require.NoError(t, err)
	require.NoError(t, e.Load(&policy.Set{Policies: policies}))
}

// verdict waits for the next one about an operation.
func verdict(t *testing.T, e *Enforcer, o policy.Operation) enforce.Verdict {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	for {
		v, err := e.Next(ctx)
		require.NoError(t, err, "no verdict about %s", o)
		if v.Operation == o {
			return v
		}
	}
}
