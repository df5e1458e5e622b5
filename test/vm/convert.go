// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/vedette-sec/vedette/internal/ring/report"
)

// converter turns the output of one test binary into test events with the go
// command's own test2json and adds them to a recorder.
type converter struct {
	pkg  string
	rec  *report.Recorder
	in   io.WriteCloser
	cmd  *exec.Cmd
	read chan error
}

func newConverter(ctx context.Context, pkg string, rec *report.Recorder) (*converter, error) {
	// Only with -t does it pass on how long the tests took.
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", "-t", "-p", pkg)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("test2json: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("test2json: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("test2json: %w", err)
	}
	c := &converter{pkg: pkg, rec: rec, in: in, cmd: cmd, read: make(chan error, 1)}
	go func() { c.read <- rec.Read(out) }()
	return c, nil
}

func (c *converter) Write(line []byte) (int, error) { return c.in.Write(line) }

// Close returns when every event has been added to the recorder. A package
// whose output stopped without a result has failed.
func (c *converter) Close() error {
	err := c.in.Close()
	err = errors.Join(err, <-c.read)
	c.rec.Close(c.pkg)
	if wait := c.cmd.Wait(); wait != nil {
		err = errors.Join(err, fmt.Errorf("test2json: %w", wait))
	}
	return err
}
