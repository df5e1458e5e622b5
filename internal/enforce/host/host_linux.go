// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

// Package host opens the strongest way to keep policies in force that this host's kernel has.
package host

import (
	"fmt"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/enforce/fallback"
	"github.com/vedette-sec/vedette/internal/enforce/lsm"
)

// Options say how policies are kept in force.
type Options struct {
	// Mechanism forces a way; "" takes the best that works.
	Mechanism Mechanism

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
	{LSM, func(Options) (enforce.Enforcer, error) { return lsm.Open(lsm.Options{}) }},
	{Fallback, func(Options) (enforce.Enforcer, error) { return fallback.Open() }},
}

// Open gives the best enforcer that works, and which one that is. The error says why each way does not work.
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
