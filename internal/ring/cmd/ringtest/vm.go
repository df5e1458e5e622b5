// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

type vmStatus int

const (
	vmNotWanted vmStatus = iota
	vmPassed
	vmFailed
	vmCannotRun
)

// exitCannotRun is the status with which test/vm says that this machine lacks
// what it needs, as opposed to a failed test.
const exitCannotRun = 3

type vmResult struct {
	status vmStatus
	// reason is set when the status is vmCannotRun.
	reason string
	took   time.Duration
}

// startVM runs the guests and returns when they leave a processor to other
// tests. What it returns waits for the guests that still run.
func startVM(ctx context.Context, o options) (func() (vmResult, error), error) {
	if !o.wantsVM() {
		return func() (vmResult, error) { return vmResult{status: vmNotWanted}, nil }, nil
	}
	waiting, room, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("vm ring: %w", err)
	}
	defer waiting.Close()
	var result vmResult
	var failure error
	var guests sync.WaitGroup
	guests.Go(func() { result, failure = runVM(ctx, o, room) })
	if _, err := io.Copy(io.Discard, waiting); err != nil {
		guests.Wait()
		return nil, fmt.Errorf("vm ring: %w", errors.Join(err, failure))
	}
	return func() (vmResult, error) {
		guests.Wait()
		return result, failure
	}, nil
}

// runVM builds test/vm and runs it. It is built, not `go run`, because go run
// turns every exit status into 1. room is closed here and by test/vm, when it
// has no more use for a processor.
func runVM(ctx context.Context, o options, room *os.File) (vmResult, error) {
	begin := time.Now()
	defer room.Close()
	dir, err := os.MkdirTemp("", "ringtest")
	if err != nil {
		return vmResult{}, fmt.Errorf("vm ring: %w", err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "vm")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./test/vm")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return vmResult{}, fmt.Errorf("build test/vm: %w", err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, o.vmArgs()...)
	cmd.ExtraFiles = []*os.File{room}
	cmd.Stdout, cmd.Stderr = os.Stdout, io.MultiWriter(os.Stderr, &stderr)
	// The guests are children of test/vm: it must live to end them.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		return vmResult{}, fmt.Errorf("run test/vm: %w", err)
	}
	room.Close()
	exit, err := exitStatus(cmd.Wait())
	if err != nil {
		return vmResult{}, fmt.Errorf("run test/vm: %w", err)
	}
	return newVMResult(exit, stderr.String(), time.Since(begin)), nil
}

func newVMResult(exit int, stderr string, took time.Duration) vmResult {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	reason := lines[len(lines)-1]
	switch exit {
	case 0:
		return vmResult{status: vmPassed, took: took}
	case exitCannotRun:
		return vmResult{status: vmCannotRun, reason: reason, took: took}
	default:
		return vmResult{status: vmFailed, reason: reason, took: took}
	}
}

func (o options) vmArgs() []string {
	args := []string{"-idle", "3"} // the first of cmd.ExtraFiles
	if o.run != "" {
		args = append(args, "-run", o.run)
	}
	if o.verbose {
		args = append(args, "-v")
	}
	return args
}
