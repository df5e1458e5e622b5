// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// actVariable makes the test binary a program that does one thing and ends: the act's name and its arguments.
const actVariable = "VEDETTE_TEST_ACT"

// What an act's process ends with.
const (
	done    = 0
	refused = 77 // with EPERM
	broken  = 78
)

var acts = map[string]func(args []string) error{
	"write": func(args []string) error { return appendTo(args[0]) },
	"read":  func(args []string) error { _, err := os.ReadFile(args[0]); return err },
	"save":  func(args []string) error { return save(args[0]) },
	"start": func(args []string) error { return outcomeOf(command(args[0], args[1:]...)) },
	"twice": func(args []string) error { // forks twice and leaves its session, the child acts
		c := command(args[0], append([]string{"start"}, args...)...)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return outcomeOf(c)
	},
	"thread": func(args []string) error { // executes from a thread that does not lead
		runtime.LockOSThread()
		result := make(chan error)
		go func() {
			runtime.LockOSThread()
			if err := os.Setenv(actVariable, strings.Join(args[1:], "|")); err != nil {
				result <- err
				return
			}
			result <- unix.Exec(args[0], []string{args[0]}, os.Environ())
		}()
		return <-result
	},
	"map-code": func(args []string) error { // maps a file as code and then acts
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		if _, err := unix.Mmap(int(file.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE); err != nil {
			return err
		}
		return appendTo(args[1])
	},
	"rename-self": func(args []string) error {
		name := append([]byte("service"), 0)
		defer pinned(name).Unpin()
		if err := unix.Prctl(unix.PR_SET_NAME, uintptr(pointer(name)), 0, 0, 0); err != nil {
			return err
		}
		return appendTo(args[0])
	},
	"unshare": func(args []string) error { // mounts in namespaces of its own
		if err := unix.Mount("none", args[0], "tmpfs", 0, ""); err != nil {
			return err
		}
		return appendTo(args[0] + "/file")
	},
	"hold": func(args []string) error { // opens a file for writing, says so, and waits
		file, err := os.OpenFile(args[0], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		fmt.Println(file.Fd())
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	},
	"wait": func([]string) error { // writes to the files that it is told, and says what became of it
		fmt.Println("ready")
		names := bufio.NewScanner(os.Stdin)
		for names.Scan() {
			var number unix.Errno
			if err := appendTo(names.Text()); err != nil && !errors.As(err, &number) {
				return err
			}
			fmt.Println(int(number))
		}
		return names.Err()
	},
}

func perform(act string) int {
	words := strings.Split(act, "|")
	err := acts[words[0]](words[1:])
	switch {
	case err == nil:
		return done
	case errors.Is(err, unix.EPERM):
		return refused
	}
	fmt.Fprintln(os.Stderr, act, err)
	return broken
}

func appendTo(name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString("!")
	return errors.Join(err, file.Close())
}

// save replaces a file as editors do.
func save(name string) error {
	if err := os.WriteFile(name+".new", []byte("saved"), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// command is a program of the tests' that performs an act.
func command(program string, act ...string) *exec.Cmd {
	c := exec.Command(program)
	c.Env = append(os.Environ(), actVariable+"="+strings.Join(act, "|"))
	c.Stderr = os.Stderr
	return c
}

// outcomeOf runs a command that performs an act and gives what became of it.
func outcomeOf(c *exec.Cmd) error { return result(c.Run()) }

// result tells of an ended process whether its act was refused.
func result(err error) error {
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == refused {
		return unix.EPERM
	}
	return err
}

// runs performs an act in a program and gives what became of it.
func runs(program string, act ...string) error { return outcomeOf(command(program, act...)) }

// holds starts a program that keeps a file open for writing, until the test ends.
func holds(t *testing.T, program, file string) (pid, fd int) {
	t.Helper()
	c := command(program, "hold", file)
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = in.Close(); require.NoError(t, c.Wait()) })
	_, err = fmt.Fscan(out, &fd)
	require.NoError(t, err)
	return c.Process.Pid, fd
}
