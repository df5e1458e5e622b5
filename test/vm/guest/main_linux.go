// SPDX-License-Identifier: Apache-2.0

// Command guest runs a plan inside a guest: each test binary in turn, its
// output between markers on the results port.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/vm/protocol"
)

// drainDelay is how long a step's left-over children may hold its output open.
const drainDelay = 2 * time.Second

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "guest runner:", err)
		os.Exit(1)
	}
}

func run() error {
	plan, err := readPlan(protocol.PlanPath)
	if err != nil {
		return err
	}
	port, err := openPort(protocol.ResultsPort)
	if err != nil {
		return err
	}
	ready, err := readyMarker()
	if err != nil {
		return err
	}
	if err := runPlan(plan, ready, port); err != nil {
		return errors.Join(err, port.Close())
	}
	// Closing a serial port waits until everything has been sent.
	return port.Close()
}

func readPlan(path string) (protocol.Plan, error) {
	var plan protocol.Plan
	content, err := os.ReadFile(path)
	if err != nil {
		return plan, fmt.Errorf("read the plan: %w", err)
	}
	if err := json.Unmarshal(content, &plan); err != nil {
		return plan, fmt.Errorf("read the plan %s: %w", path, err)
	}
	return plan, nil
}

// openPort opens the serial port raw, so that output arrives byte for byte.
func openPort(path string) (*os.File, error) {
	port, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the results port: %w", err)
	}
	mode, err := unix.IoctlGetTermios(int(port.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read the mode of %s: %w", path, err)
	}
	mode.Oflag &^= unix.OPOST
	mode.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(int(port.Fd()), unix.TCSETS, mode); err != nil {
		return nil, fmt.Errorf("set the mode of %s: %w", path, err)
	}
	return port, nil
}

func readyMarker() (protocol.Marker, error) {
	content, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return protocol.Marker{}, fmt.Errorf("read the uptime: %w", err)
	}
	uptime, _, _ := strings.Cut(string(content), " ")
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return protocol.Marker{}, fmt.Errorf("read the kernel's name: %w", err)
	}
	release := unix.ByteSliceToString(name.Release[:])
	return protocol.Marker{Verb: protocol.Ready, Args: []string{uptime, release}}, nil
}

func runPlan(plan protocol.Plan, ready protocol.Marker, port io.Writer) error {
	say := func(m protocol.Marker) error {
		_, err := io.WriteString(port, m.Format(plan.Nonce))
		return err
	}
	if err := say(ready); err != nil {
		return err
	}
	for _, step := range plan.Steps {
		if err := say(protocol.Marker{Verb: protocol.Begin, Args: []string{step.Name}}); err != nil {
			return err
		}
		status := runStep(step, port)
		if err := say(protocol.Marker{Verb: protocol.End, Args: []string{step.Name, status}}); err != nil {
			return err
		}
	}
	return say(protocol.Marker{Verb: protocol.Done})
}

// runStep returns the exit status of the step: a number, -1 for a signal or a
// program that did not start, or protocol.Timeout.
func runStep(step protocol.Step, port io.Writer) string {
	ctx, cancel := context.WithTimeout(context.Background(), step.Timeout+protocol.KillGrace)
	defer cancel()
	cmd := exec.CommandContext(ctx, step.Argv[0], step.Argv[1:]...)
	cmd.Dir = step.Dir
	cmd.Env = append(os.Environ(), ring.GuestEnv+"=1", ring.RequireEnv+"="+string(ring.Native)+","+string(ring.VM))
	// A writer that is no file makes exec use a pipe, so that the tests do not
	// find a terminal as their output.
	out := struct{ io.Writer }{port}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = drainDelay
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := cmd.Run()
	if cmd.Process != nil {
		// Nothing that the step left behind may disturb the next one.
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if ctx.Err() != nil {
		return protocol.Timeout
	}
	// What a left-over child had still to say is no failure of the step.
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState == nil {
		fmt.Fprintf(port, "cannot start %s: %v\n", step.Argv[0], err)
		return "-1"
	}
	return strconv.Itoa(cmd.ProcessState.ExitCode())
}
