// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"sync"
	"time"
)

// sshOptions are those of an administrator at the desk.
var sshOptions = []string{"-F", "none", "-i", "/root/client/id_ed25519", "-o", "StrictHostKeyChecking=accept-new",
	"-o", "UserKnownHostsFile=/root/client/known_hosts", "-o", "ConnectionAttempts=10", "-o", "ConnectTimeout=20", "-o", "LogLevel=ERROR"}

// scriptDir is where the server has its scripts.
const scriptDir = "/opt/ops/"

// do does a piece of work. The error tells what it said when it failed.
func (s *server) do(ctx context.Context, w work, number int, random *rand.Rand) error {
	const limit = 4 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	path := scriptDir + w.name + ".sh"
	switch w.way {
	case typed:
		lines, err := w.lines(number, random)
		if err != nil {
			return err
		}
		return s.typeLines(ctx, w.user, lines, random)
	case script:
		return finish(s.outside(ctx, "/usr/bin/ssh", s.login("-n", w.user, fmt.Sprintf("%s %d", path, number))...))
	default:
		return finish(s.outside(ctx, "/bin/bash", path, fmt.Sprint(number)))
	}
}

func (s *server) login(flag, user string, command ...string) []string {
	args := append([]string{flag}, sshOptions...)
	return append(append(args, user+"@"+serverAddress), command...)
}

func finish(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w, and said:\n%s", err, tail(out))
	}
	return nil
}

// tail is the end of what a program said.
func tail(out []byte) []byte {
	const enough = 1500
	return bytes.TrimSpace(out[max(0, len(out)-enough):])
}

// prompt is what a shell says when it waits for a line, or for the next line of an unfinished command.
var prompt = regexp.MustCompile(`(^|[\r\n]|\w:\S*)[$#>] $`)

// control are the sequences by which a shell handles the terminal.
var control = regexp.MustCompile(`\x1b(\[[0-9;?]*[a-zA-Z]|\][^\a]*\a)`)

// typeLines types lines into a login shell and ends it. The shell ends by itself at the first command
// that fails.
func (s *server) typeLines(ctx context.Context, user string, lines []string, random *rand.Rand) error {
	cmd := s.outside(ctx, "/usr/bin/ssh", s.login("-tt", user)...)
	screen := &screen{}
	cmd.Stdout, cmd.Stderr = screen, screen
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	// What a shell does at the logout may fail and is no part of the work.
	lines = append(append([]string{"set -e"}, lines...), "set +e", "exit")
	for _, line := range lines {
		if !screen.awaitPrompt(ctx, ended) {
			break
		}
		time.Sleep(time.Duration(50+random.IntN(700)) * time.Millisecond)
		screen.forget()
		if _, err := io.WriteString(keyboard, line+"\r"); err != nil {
			break // the shell has ended, and its status says why
		}
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("%w, and the terminal shows:\n%s", errors.Join(err, ctx.Err()), tail(screen.all()))
	}
	return nil
}

// screen holds what a terminal shows.
type screen struct {
	mu      sync.Mutex
	shown   bytes.Buffer
	begin   int // of what came since the last line was typed
	changed time.Time
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = time.Now()
	return s.shown.Write(p)
}

func (s *screen) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin = s.shown.Len()
}

func (s *screen) all() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.shown.Bytes())
}

// awaitPrompt reports false where no prompt will come.
func (s *screen) awaitPrompt(ctx context.Context, ended chan error) bool {
	for !s.prompts() {
		select {
		case err := <-ended:
			ended <- err // for the caller
			return false
		case <-ctx.Done():
			return false
		case <-time.After(30 * time.Millisecond):
		}
	}
	return true
}

// prompts tells whether the last that is shown is a prompt, and has been for a moment.
func (s *screen) prompts() bool {
	const moment = 60 * time.Millisecond
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.changed) < moment {
		return false
	}
	return prompt.Match(control.ReplaceAll(s.shown.Bytes()[s.begin:], nil))
}
