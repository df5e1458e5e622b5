// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultPins is where an agent keeps what is in force.
const DefaultPins = "/sys/fs/bpf/vedette/enforce"

// pin keeps the programs attached beyond the end of this process, in a directory of its own.
func (e *Enforcer) pin() error {
	if e.options.Pins == "" {
		return nil
	}
	e.pins = filepath.Join(e.options.Pins, rand.Text())
	if err := os.MkdirAll(e.pins, 0o700); err != nil {
		return fmt.Errorf("make a directory for what is in force: %w", err)
	}
	for i, l := range e.links {
		if err := l.Pin(filepath.Join(e.pins, fmt.Sprintf("link%d", i))); err != nil {
			return errors.Join(fmt.Errorf("pin what is in force: %w", err), os.RemoveAll(e.pins))
		}
	}
	return nil
}

// dropOthers takes down what earlier agents left in force, when this one's policies are.
func (e *Enforcer) dropOthers() error {
	if e.pins == "" {
		return nil
	}
	entries, err := os.ReadDir(e.options.Pins)
	if err != nil {
		return fmt.Errorf("look for what earlier agents left in force: %w", err)
	}
	for _, entry := range entries {
		if name := filepath.Join(e.options.Pins, entry.Name()); name != e.pins {
			if err := os.RemoveAll(name); err != nil {
				return fmt.Errorf("take down what an earlier agent left in force: %w", err)
			}
		}
	}
	return nil
}

// Release takes down all that agents left in force with this directory of pins. It is no error where there is nothing.
func Release(pins string) error {
	if pins == "" {
		return nil
	}
	if err := os.RemoveAll(pins); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take down what is in force: %w", err)
	}
	return nil
}

// beatEvery is how often the kernel is told that the agent runs. Policies give deadlines of seconds at least.
const beatEvery = 500 * time.Millisecond

func (e *Enforcer) beat() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) == nil { // it always works
		e.setActive(activeHeartbeat, uint64(now.Nano()))
	}
}

// keepBeating returns when the enforcer is closed.
func (e *Enforcer) keepBeating() {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-e.ended:
			return
		case <-ticker.C:
			e.beat()
		}
	}
}
