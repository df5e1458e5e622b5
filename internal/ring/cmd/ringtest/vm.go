// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// runVM builds test/vm and runs it. It is built, not `go run`, because go run
// turns every exit status into 1.
func runVM(ctx context.Context, o options) (vmResult, error) {
	begin := time.Now()
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
	cmd.Stdout, cmd.Stderr = os.Stdout, io.MultiWriter(os.Stderr, &stderr)
	// The guests are children of test/vm: it must live to end them.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	exit, err := exitStatus(cmd.Run())
	if err != nil {
		return vmResult{}, fmt.Errorf("run test/vm: %w", err)
	}
	return newVMResult(exit, stderr.String(), time.Since(begin)), nil
}

func newVMResult(exit int, stderr string, took time.Duration) vmResult {
	switch exit {
	case 0:
		return vmResult{status: vmPassed, took: took}
	case exitCannotRun:
		lines := strings.Split(strings.TrimSpace(stderr), "\n")
		return vmResult{status: vmCannotRun, reason: lines[len(lines)-1], took: took}
	default:
		return vmResult{status: vmFailed, took: took}
	}
}

func (o options) vmArgs() []string {
	var args []string
	if o.run != "" {
		args = append(args, "-run", o.run)
	}
	if o.verbose {
		args = append(args, "-v")
	}
	return args
}
