// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// agent is a running vedette with the shipped configuration.
type agent struct {
	cmd   *exec.Cmd
	dir   string // of its security log and of what it says
	ended chan error
}

// patience is how long the agent may take to start or to end.
const patience = 60 * time.Second

// startAgent gives an agent that is ready: it has attached everything and knows the processes that run.
func (b *bench) startAgent(ctx context.Context) (*agent, error) {
	if os.Geteuid() != 0 {
		return nil, cannot("the agent needs root")
	}
	program, err := b.agentProgram(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vedette-bench-log")
	if err != nil {
		return nil, fmt.Errorf("make the log directory: %w", err)
	}
	a := &agent{dir: dir, ended: make(chan error, 1)}
	if err := a.start(program, filepath.Join(b.root, "config", "vedette.yaml")); err != nil {
		return nil, errors.Join(fmt.Errorf("start the agent: %w", err), os.RemoveAll(dir))
	}
	if err := a.awaitReady(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the agent: %w", err), a.stop())
	}
	time.Sleep(time.Second) // it judges what it found on the host when it started
	return a, nil
}

func (a *agent) start(program, config string) error {
	stderr, err := os.Create(filepath.Join(a.dir, "stderr"))
	if err != nil {
		return err
	}
	defer stderr.Close()
	a.cmd = exec.Command(program, "--config", config)
	a.cmd.Env = append(os.Environ(), "VEDETTE_LOG_DIR="+a.dir)
	a.cmd.Stderr = stderr
	if err := a.cmd.Start(); err != nil {
		return err
	}
	go func() { a.ended <- a.cmd.Wait() }()
	return nil
}

func (a *agent) pid() int { return a.cmd.Process.Pid }

func (a *agent) alerts() string { return filepath.Join(a.dir, "alerts.jsonl") }

func (a *agent) awaitReady(ctx context.Context) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		said, err := os.ReadFile(filepath.Join(a.dir, "stderr"))
		if err != nil {
			return err
		}
		if bytes.Contains(said, []byte("Everything is ready")) {
			return nil
		}
		select {
		case err := <-a.ended:
			a.ended <- err // for stop
			return fmt.Errorf("it ended (%v) and said:\n%s", err, said)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	return fmt.Errorf("it was not ready after %s", patience)
}

// stop ends the agent as an administrator would and waits for it.
func (a *agent) stop() error {
	defer os.RemoveAll(a.dir)
	_ = a.cmd.Process.Signal(syscall.SIGTERM) // it fails where the agent has ended by itself
	late := time.AfterFunc(patience, func() { _ = a.cmd.Process.Kill() })
	defer late.Stop()
	if err := <-a.ended; err != nil {
		return fmt.Errorf("the agent ended: %w", err)
	}
	return nil
}

// agentProgram builds the agent once.
func (b *bench) agentProgram(ctx context.Context) (string, error) {
	if b.program != "" {
		return b.program, nil
	}
	path := filepath.Join(b.dir, "vedette")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "./cmd/vedette")
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the agent: %w\n%s", err, out)
	}
	b.program = path
	return path, nil
}
