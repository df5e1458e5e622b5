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
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/bpffs"
)

// DefaultPins is where an agent keeps what is in force.
const DefaultPins = bpffs.Root + "/vedette/enforce"

// ErrInUse is the error where another agent keeps policies in force with the same pins.
var ErrInUse = errors.New("another agent keeps policies in force")

// claimTime is how long the kernel may take to close what a killed agent had open.
const claimTime = 10 * time.Second

// claim makes the directory of pins this enforcer's alone. Where nothing can be pinned, policies are kept all the same.
func (e *Enforcer) claim() error {
	if e.options.Pins == "" {
		return nil
	}
	dir, err := claim(e.options.Pins, claimTime)
	if errors.Is(err, ErrInUse) {
		return err
	}
	if err != nil {
		e.options.Pins = ""
		e.missing = append(e.missing, "what is in force ends with the agent: "+err.Error())
	}
	e.claimed = dir
	return nil
}

// claim locks a directory of pins, which is made where there is none, until it is closed.
func claim(pins string, patience time.Duration) (*os.File, error) {
	if strings.HasPrefix(pins, bpffs.Root+"/") {
		if err := bpffs.Mount(); err != nil {
			return nil, err
		}
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(beatEvery / 10) {
		dir, err := lock(pins)
		switch {
		case err == nil:
			return dir, nil
		case errors.Is(err, unix.EWOULDBLOCK) && time.Now().After(deadline):
			return nil, fmt.Errorf("%w, at %s", ErrInUse, pins)
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
}

// lock gives fs.ErrNotExist where somebody took the directory away meanwhile.
func lock(pins string) (*os.File, error) {
	if err := os.MkdirAll(pins, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory for what is in force: %w", err)
	}
	dir, err := os.Open(pins)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	mine, err := dir.Stat()
	there, errThere := os.Stat(pins)
	if err := errors.Join(err, errThere); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	if !os.SameFile(mine, there) {
		return nil, errors.Join(fs.ErrNotExist, dir.Close())
	}
	return dir, nil
}

// The names of pins begin with what they are.
const (
	mapPin  = "map_"
	linkPin = "link_"
)

// pin keeps the programs attached beyond the end of this process, in a directory of its own, with what the next agent needs to
// go on with them. Where that is not possible, policies are kept all the same.
func (e *Enforcer) pin() {
	if e.options.Pins == "" {
		return
	}
	e.pins = filepath.Join(e.options.Pins, rand.Text())
	if err := e.pinAll(); err != nil {
		e.missing = append(e.missing, "what is in force ends with the agent: "+errors.Join(err, os.RemoveAll(e.pins)).Error())
		e.pins = ""
	}
}

func (e *Enforcer) pinAll() error {
	if err := os.Mkdir(e.pins, 0o700); err != nil {
		return err
	}
	for name, l := range e.links {
		if err := l.Pin(filepath.Join(e.pins, linkPin+name)); err != nil {
			return fmt.Errorf("pin %s: %w", name, err)
		}
	}
	for name, m := range e.maps {
		if strings.HasPrefix(name, ".") {
			continue // of the compiler, for programs only
		}
		if err := m.Pin(filepath.Join(e.pins, mapPin+name)); err != nil {
			return fmt.Errorf("pin %s: %w", name, err)
		}
	}
	return nil
}

// dropOthers takes down what earlier agents left in force, when this one's policies are.
func (e *Enforcer) dropOthers() error {
	if e.pins == "" || e.alone {
		return nil
	}
	entries, err := os.ReadDir(e.options.Pins)
	if err != nil {
		return fmt.Errorf("look for what earlier agents left in force: %w", err)
	}
	for _, entry := range entries {
		if name := filepath.Join(e.options.Pins, entry.Name()); name != e.pins {
			if err := errors.Join(stop(name), os.RemoveAll(name)); err != nil {
				return fmt.Errorf("take down what an earlier agent left in force: %w", err)
			}
		}
	}
	e.alone = true
	return nil
}

// stop makes the programs of an earlier agent refuse nothing more, all at once: they are detached one by one, and some of them would judge
// without what others follow.
func stop(dir string) error {
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, mapPin+bpf.EnforceMapActive), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is not complete
	}
	if err != nil {
		return err
	}
	return errors.Join(m.Put(uint32(0), make([]byte, m.ValueSize())), m.Close())
}

// Release takes down all that agents left in force with this directory of pins, for an agent that was started in this way or
// somebody with this token. It is no error where there is nothing, but ErrInUse where an agent is at work, after as long as the
// kernel may take to end one that was killed, and ErrLocked.
func Release(pins, started, token string) error {
	return takeDown(pins, func(dir string) error {
		h, err := readHandover(dir)
		if errors.Is(err, unix.EPERM) {
			return err
		}
		if err != nil || h == nil {
			return nil // it is not complete
		}
		return h.yieldsTo(started, token)
	})
}

// takeDown removes a directory of pins where all that is in it may be.
func takeDown(pins string, may func(dir string) error) error {
	if pins == "" {
		return nil
	}
	if _, err := os.Stat(pins); errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // who may not look has put nothing there
	}
	claimed, err := claim(pins, claimTime)
	if err != nil {
		return fmt.Errorf("take down what is in force: %w", err)
	}
	defer claimed.Close()
	entries, err := os.ReadDir(pins)
	for _, entry := range entries {
		err = errors.Join(err, may(filepath.Join(pins, entry.Name())))
	}
	if err == nil {
		err = os.RemoveAll(pins)
	}
	if err != nil {
		return fmt.Errorf("take down what is in force: %w", err)
	}
	_ = os.Remove(filepath.Dir(pins)) // where nothing else is in it
	return nil
}

// beatEvery is how often the kernel is told that the agent runs. Policies give deadlines of seconds at least.
const beatEvery = 500 * time.Millisecond

func (e *Enforcer) beat() {
	if now, err := sinceStart(); err == nil { // it always works
		e.setActive(activeHeartbeat, now)
	}
}

// sinceStart gives the time since boot, as the kernel's programs count it.
func sinceStart() (uint64, error) {
	var now unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	return uint64(now.Nano()), err
}

// claimEvery is after how many beats it is looked for maps and programs that the agent has made meanwhile.
const claimEvery = 20

// keepBeating returns when the enforcer is closed.
func (e *Enforcer) keepBeating() {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-e.ended:
			return
		case <-ticker.C:
			e.beat()
		}
		if n%claimEvery == 0 {
			_ = e.claimOwn() // what is there already stays the agent's
		}
	}
}
