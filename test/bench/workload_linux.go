// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/tiny"
)

// workload is an operation that is done again and again.
type workload struct {
	name string
	// ops is how often a round does it: enough for some tens of milliseconds.
	ops int
	// prepare makes the operation; what it needs in dir is there afterwards.
	prepare func(dir string) (op func() error, err error)
}

var workloads = []workload{
	{name: "fork_exec", ops: 600, prepare: func(dir string) (func() error, error) {
		path := filepath.Join(dir, "tiny")
		return func() error { return spawn(path) }, os.WriteFile(path, tiny.Program(), 0o755)
	}},
	{name: "fork_exec_libc", ops: 100, prepare: func(string) (func() error, error) {
		return func() error { return spawn("/bin/true") }, nil
	}},
	{name: "open_read", ops: 30000, prepare: openWith(unix.O_RDONLY)},
	{name: "open_write", ops: 15000, prepare: openWith(unix.O_WRONLY)},
	{name: "unwatched", ops: 300000, prepare: func(string) (func() error, error) {
		return func() error { unix.Getppid(); return nil }, nil
	}},
	{name: "connect", ops: 10000, prepare: func(string) (func() error, error) { return connect, nil }},
	{name: "send", ops: 20000, prepare: sendTo(9)},
	{name: "question", ops: 10000, prepare: sendTo(53)},
	{name: "files", ops: 5000, prepare: prepareFiles},
}

func workloadNamed(name string) (workload, error) {
	for _, w := range workloads {
		if w.name == name {
			return w, nil
		}
	}
	return workload{}, fmt.Errorf("there is no workload %q", name)
}

// spawn runs a program by vfork and exec and waits for its end.
func spawn(path string) error {
	pid, err := syscall.ForkExec(path, []string{path}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
	if err != nil {
		return fmt.Errorf("run %s: %w", path, err)
	}
	var status syscall.WaitStatus
	for {
		_, err = syscall.Wait4(pid, &status, 0, nil)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil || status != 0 {
		return fmt.Errorf("%s ended with status %#x: %w", path, status, err)
	}
	return nil
}

func openWith(flags int) func(dir string) (func() error, error) {
	return func(dir string) (func() error, error) {
		path := filepath.Join(dir, "there")
		return func() error {
			fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
			if err != nil {
				return fmt.Errorf("open %s: %w", path, err)
			}
			return unix.Close(fd)
		}, os.WriteFile(path, []byte("some text\n"), 0o600)
	}
}

// connect gives a datagram socket a peer, which is a connect like every other and needs no server.
func connect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// sendTo sends a datagram, which is a DNS question, to a port where nobody listens.
func sendTo(port int) func(string) (func() error, error) {
	return func(string) (func() error, error) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("make a socket: %w", err)
		}
		to := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
		message := []byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01")
		return func() error { return unix.Sendto(fd, message, 0, to) }, nil
	}
}

// prepareFiles makes an operation that creates a file, opens it for writing and deletes it.
func prepareFiles(dir string) (func() error, error) {
	path := filepath.Join(dir, fmt.Sprintf("made-by-%d", os.Getpid()))
	return func() error {
		for _, flags := range []int{unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY, unix.O_WRONLY} {
			fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
			if err != nil {
				return fmt.Errorf("open %s: %w", path, err)
			}
			if err := unix.Close(fd); err != nil {
				return err
			}
		}
		return unix.Unlink(path)
	}, nil
}

// pin keeps the calling thread, and the processes it starts, on one CPU until release is called. The
// goroutine has to be locked to its thread.
func pin(cpu int) (release func(), err error) {
	var before, one unix.CPUSet
	one.Set(cpu)
	if err := errors.Join(unix.SchedGetaffinity(0, &before), unix.SchedSetaffinity(0, &one)); err != nil {
		return nil, fmt.Errorf("pin to CPU %d: %w", cpu, err)
	}
	return func() { _ = unix.SchedSetaffinity(0, &before) }, nil // it was so before
}

// work is the benchmark as a process of its own that does a workload and prints how often it did it.
// What the process that has the receiver in it does is not reported.
func work(args []string) error {
	flags := flag.NewFlagSet("work", flag.ContinueOnError)
	name := flags.String("workload", "", "")
	dir := flags.String("dir", "", "")
	ops := flags.Int("ops", 0, "do it this often")
	length := flags.Duration("for", 0, "do it this long")
	cpu := flags.Int("cpu", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	w, err := workloadNamed(*name)
	if err != nil {
		return err
	}
	op, err := w.prepare(*dir)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if _, err := pin(*cpu); err != nil {
		return err
	}
	done := 0
	for start := time.Now(); done < *ops || time.Since(start) < *length; done++ {
		if err := op(); err != nil {
			return err
		}
	}
	fmt.Println(done)
	return nil
}

// realWork is a script of what happens on a host: programs, pipes, files, a connection, a build. Its
// arguments are a directory and the go command.
const realWork = `
set -e
work=$1/work
mkdir -p $work
i=0
while [ $i -lt 60 ]; do
  ls -l /etc | grep -c root > $work/count
  cp /etc/passwd $work/copy.$i; mv $work/copy.$i $work/moved; rm $work/moved
  date >> $work/log
  bash -c '(exec 3<>/dev/udp/127.0.0.1/9)' 2>/dev/null || true
  i=$((i+1))
done
GOCACHE=$work/cache GOFLAGS= "$2" build encoding/json
rm -rf $work
`
