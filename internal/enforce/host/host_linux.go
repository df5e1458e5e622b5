// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Package host opens the strongest way to keep policies in force that this host's kernel has.
package host

import (
	"errors"
	"fmt"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/enforce/fallback"
	"github.com/vedette-sec/vedette/internal/enforce/lsm"
)

// Options say how policies are kept in force.
type Options struct {
	// Mechanism forces a way; "" takes the best that works.
	Mechanism Mechanism

	// Pins is a directory in a BPF file system where what is in force outlives the agent; "" for nowhere.
	Pins string

	// Started says how this agent was started: what is locked yields only to one that was started in the same way.
	Started string

	// Skipped is told of each better way that does not work, and why; nil for nobody.
	Skipped func(Mechanism, error)
}

// Mechanism is a way to keep policies in force.
type Mechanism string

// The ways, from the best on.
const (
	LSM      Mechanism = "lsm"      // the kernel's security hooks
	Fallback Mechanism = "fallback" // cgroup hooks, fanotify and signals
)

// ways are tried in their order.
var ways = []struct {
	mechanism Mechanism
	open      func(Options) (enforce.Enforcer, error)
}{
	{LSM, func(o Options) (enforce.Enforcer, error) {
		return lsm.Open(lsm.Options{Pins: o.Pins, Started: o.Started})
	}},
	{Fallback, func(Options) (enforce.Enforcer, error) { return fallback.Open() }},
}

// Release takes down what an earlier agent left in force, for an agent that was started in this way or somebody with this token.
func Release(pins, started, token string) error { return lsm.Release(pins, started, token) }

// Look tells what agents put in force and does not need them; nil where there is nothing.
func Look(pins string) (*enforce.Held, error) { return lsm.Look(pins) }

// DefaultPins is where agents keep what is in force.
const DefaultPins = lsm.DefaultPins

// What Open and Release give where another agent is at work, and where what it left is locked.
var (
	ErrInUse  = lsm.ErrInUse
	ErrLocked = lsm.ErrLocked
)

// Open gives the best enforcer that works, and which one that is. The error says why each way does not work. Where another agent
// is at work, or what it left is locked, no other way is tried.
func Open(options Options) (enforce.Enforcer, Mechanism, error) {
	var failed error
	for _, way := range ways {
		if options.Mechanism != "" && options.Mechanism != way.mechanism {
			continue
		}
		opened, err := way.open(options)
		if err == nil {
			return opened, way.mechanism, nil
		}
		if errors.Is(err, ErrInUse) || errors.Is(err, ErrLocked) {
			return nil, "", err
		}
		failed = join(failed, way.mechanism, err)
		if options.Skipped != nil {
			options.Skipped(way.mechanism, err)
		}
	}
	if failed == nil {
		return nil, "", fmt.Errorf("found the mechanism %q, expected %s or %s", options.Mechanism, LSM, Fallback)
	}
	return nil, "", failed
}

func join(before error, mechanism Mechanism, err error) error {
	if before == nil {
		return fmt.Errorf("%s: %w", mechanism, err)
	}
	return fmt.Errorf("%w; %s: %w", before, mechanism, err)
}
