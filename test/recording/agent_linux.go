// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/event"
)

//go:embed agent.yaml
var agentConfig []byte

// patience is how long the agent may take to start or to end.
const patience = time.Minute

// agent is a running agent that writes the server's events to a file.
type agent struct {
	cmd   *exec.Cmd
	said  string // the file with what it says
	ended chan error
}

// watcher is what the agent's process has to know before it becomes the agent.
type watcher struct{ Program, Config, Etc string }

// startAgent starts the agent and waits until it watches.
func startAgent(ctx context.Context, o options, s *server, dir string) (*agent, error) {
	config := filepath.Join(dir, "agent.yaml")
	if err := os.WriteFile(config, agentConfig, 0o644); err != nil {
		return nil, err
	}
	cmd, err := again(agentCommand, watcher{Program: o.Agent, Config: config, Etc: filepath.Join(s.root, "etc")})
	if err != nil {
		return nil, err
	}
	a := &agent{cmd: cmd, said: filepath.Join(dir, "agent.log"), ended: make(chan error, 1)}
	stderr, err := os.Create(a.said)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	cmd.Env = append(os.Environ(),
		"VEDETTE_RECORDING_EVENTS=["+strings.Join(eventKinds(), ", ")+"]",
		"VEDETTE_RECORDING_CONTAINER="+s.cgroup.id,
		"VEDETTE_RECORDING_FILE="+agentOutput(dir))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS, Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	go func() { a.ended <- cmd.Wait() }()
	if err := a.awaitReady(ctx); err != nil {
		_ = a.stop()
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	return a, nil
}

func agentOutput(dir string) string { return filepath.Join(dir, "events.otlp") }

// eventKinds are all kinds of events that the kernel tells, those that are off by default included.
func eventKinds() []string {
	var names []string
	for _, kind := range event.Kinds() {
		if kind.Sensed() {
			names = append(names, kind.Name)
		}
	}
	return names
}

// becomeAgent gives the agent the server's name and its /etc, so that it knows the host and the users
// as it would on the server itself.
func becomeAgent(_ context.Context, know string) error {
	var w watcher
	if err := json.Unmarshal([]byte(know), &w); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(hostName)); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := unix.Mount(w.Etc, "/etc", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the server's /etc: %w", err)
	}
	return syscall.Exec(w.Program, []string{w.Program, "--config", w.Config}, os.Environ())
}

func (a *agent) awaitReady(ctx context.Context) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		said, err := os.ReadFile(a.said)
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

// stop ends the agent as an administrator would; it writes what it holds.
func (a *agent) stop() error {
	_ = a.cmd.Process.Signal(syscall.SIGTERM) // it fails where the agent has ended by itself
	late := time.AfterFunc(patience, func() { _ = a.cmd.Process.Kill() })
	defer late.Stop()
	if err := <-a.ended; err != nil {
		said, _ := os.ReadFile(a.said)
		return fmt.Errorf("the agent ended: %w; it said:\n%s", err, said)
	}
	return nil
}
