// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// attached counts the links that the kernel has.
func attached(t *testing.T) int {
	t.Helper()
	n := 0
	var all link.Iterator
	defer all.Close()
	for all.Next() {
		n++
	}
	require.NoError(t, all.Err())
	return n
}

func setOf(t *testing.T, text string) *policy.Set {
	t.Helper()
	policies, err := policy.Parse("test.yaml", []byte(text))
	require.NoError(t, err)
	return &policy.Set{Policies: policies}
}

func TestKeptWithoutAgent(t *testing.T) {
	ring.Require(t, ring.VM)
	const pins = "/sys/fs/bpf/vedette-test"
	s := newPlaces(t)
	before := attached(t)
	options := Options{Host: policy.NewHost("/"), Pins: pins}
	kept := setOf(t, `
policy: kept
mode: enforce
rules: [{name: all, files: {paths: [`+s.single+`], operations: tamper}}]
---
policy: timed
mode: enforce
on_agent_loss: release
agent_loss_deadline: 2s
rules: [{name: all, files: {paths: [`+s.dir+`/**], operations: tamper}}]
`)
	first, err := Open(options)
	require.NoError(t, err)
	require.NoError(t, first.Load(kept))
	require.ErrorIs(t, opens(s.file), unix.EPERM)
	require.NoError(t, first.Close())
	require.ErrorIs(t, opens(s.single), unix.EPERM, "without an agent")
	require.Eventually(t, func() bool { return opens(s.file) == nil }, time.Minute, 100*time.Millisecond, "its deadline")
	require.ErrorIs(t, opens(s.single), unix.EPERM, "a policy without one")

	var stop atomic.Bool
	var wrong atomic.Int64
	var attacker sync.WaitGroup
	attacker.Go(func() {
		for !stop.Load() {
			if !errors.Is(opens(s.single), unix.EPERM) {
				wrong.Add(1)
			}
		}
	})
	second, err := Open(options)
	require.NoError(t, err)
	require.NoError(t, second.Load(kept))
	entries, err := os.ReadDir(pins)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "what the first agent left is gone")
	require.ErrorIs(t, opens(s.file), unix.EPERM)
	stop.Store(true)
	attacker.Wait()
	assert.Zero(t, wrong.Load(), "while the second agent took over")

	require.NoError(t, second.Release())
	assert.NoDirExists(t, pins)
	// Each program is detached by itself, a moment after it is told to be.
	require.Eventually(t, func() bool {
		return opens(s.single) == nil && os.RemoveAll(filepath.Dir(s.single)) == nil && os.RemoveAll(s.dir) == nil
	},
		time.Minute, 100*time.Millisecond, "nothing is refused")
	assert.Eventually(t, func() bool { return attached(t) == before }, time.Minute, 100*time.Millisecond, "nothing stays attached")
}
