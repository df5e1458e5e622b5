// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"context"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

func TestBypass23Flood(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	s.protect()
	const tries = 3000
	before := s.e.Status()
	for range tries {
		require.ErrorIs(t, opens(s.file), unix.EPERM)
	}
	require.ErrorIs(t, os.Remove(s.file), unix.EPERM)
	after := s.e.Status()
	assert.Equal(t, before.Rules[0].Denied+tries+1, after.Rules[0].Denied, "each is counted")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	told := uint64(0)
	for {
		v, err := s.e.Next(ctx)
		if err != nil {
			break
		}
		told += 1 + v.Folded
	}
	assert.LessOrEqual(t, told, uint64(tries+1))
	assert.NotZero(t, told)
	s.intact("flood")
}

func TestBypass24Reload(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	s.protect()
	var stop atomic.Bool
	var tries, wrong atomic.Int64
	var attackers sync.WaitGroup
	for range 2 {
		attackers.Go(func() {
			for !stop.Load() {
				tries.Add(1)
				if err := opens(s.file); err != unix.Errno(unix.EPERM) && !os.IsPermission(err) {
					wrong.Add(1)
				}
			}
		})
	}
	set := s.e.now.Load().set
	for range 15 {
		require.NoError(t, s.e.Load(set))
	}
	broken := &policy.Set{Policies: []*policy.Policy{{Name: "broken", Rules: make([]*policy.Rule, rulesOfWord+1)}}}
	for i := range broken.Policies[0].Rules {
		broken.Policies[0].Rules[i] = &policy.Rule{Kernel: &policy.Kernel{Operations: policy.Time}}
	}
	require.ErrorContains(t, s.e.Load(broken), "expected at most")
	stop.Store(true)
	attackers.Wait()
	assert.Zero(t, wrong.Load(), "of %d tries", tries.Load())
	assert.NotZero(t, tries.Load())
	denied := s.e.Status().Rules[0].Denied
	require.ErrorIs(t, os.Remove(s.file), unix.EPERM, "after a broken policy")
	assert.Equal(t, denied+1, s.e.Status().Rules[0].Denied)
	s.intact("reload")
}

func TestBypass25SwappedPath(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	require.NoError(t, os.WriteFile(s.outside+"/harmless", nil, 0o644))
	a, b := s.outside+"/a", s.outside+"/b"
	require.NoError(t, os.Symlink(s.outside+"/harmless", a))
	require.NoError(t, os.Symlink(s.file, b))
	s.protect()
	var stop atomic.Bool
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for !stop.Load() {
			_ = exchange(a, b)
		}
	})
	both := map[bool]int{}
	for range 2000 {
		file, err := os.OpenFile(a, os.O_WRONLY|os.O_TRUNC, 0)
		both[err == nil]++
		if err == nil {
			name, err := os.Readlink("/proc/self/fd/" + fdOf(file))
			require.NoError(t, err)
			assert.True(t, strings.HasSuffix(name, "/harmless"), name)
			file.Close()
		}
	}
	stop.Store(true)
	swapper.Wait()
	t.Log("opened and refused:", both)
	s.intact("swapped")
}
