// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// without is a configuration of a keeper that has nothing to keep.
func without(t *testing.T) Config {
	return Config{
		Socket: filepath.Join(t.TempDir(), "socket"), StateFile: filepath.Join(t.TempDir(), "policies.json"), Logger: zap.NewNop(),
		Release: func() error { return nil }, Loaded: func(Loaded) {}, Counts: func([]Counted, uint64) {},
	}
}

func TestAnAnswerThatTakesLongIsGiven(t *testing.T) {
	k := New(without(t))
	k.patience = time.Second
	require.NoError(t, k.Start(t.Context()))
	defer func() { assert.NoError(t, k.Close()) }()
	k.mu.Lock() // as while policies are put in force
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := Ask(t.Context(), k.cfg.Socket, Command{Do: Lock})
		answers <- answer{text, err}
	}()
	time.Sleep(k.patience + k.patience/4)
	k.mu.Unlock()
	got := <-answers
	require.NoError(t, got.err, "the token is given once, so that it must not be lost")
	require.NoError(t, k.admits(Command{Token: got.text}))
}

// unlockable is an enforcer that cannot be told of a lock, as where its map is gone.
type unlockable struct {
	enforce.Enforcer
	closed bool
}

var errNoLock = errors.New("no lock")

func (u *unlockable) AuditOnly(bool) error { return nil }
func (u *unlockable) Lock(string) error    { return errNoLock }
func (u *unlockable) Close() error         { u.closed = true; return nil }

func TestAnEnforcerThatDoesNotKnowOfTheLockIsNotKept(t *testing.T) {
	cfg := without(t)
	opened := &unlockable{}
	cfg.Open = func() (enforce.Enforcer, string, error) { return opened, "lsm", nil }
	k := New(cfg)
	k.closed, k.state.Lock = false, hashOf("token")
	err := k.enforce(&generation{written: parsed(t, "policy: a\nrules:\n  - {name: r, kernel: [kexec]}\n")}, time.Now())
	require.ErrorIs(t, err, errNoLock)
	assert.True(t, opened.closed)
	assert.Nil(t, k.enforcer, "nobody would read what it tells")
	assert.Equal(t, &policy.Set{}, k.current.written)
}

func TestALockWhoseTokenNobodyGetsIsNone(t *testing.T) {
	k := New(without(t))
	k.enforcer = &unlockable{}
	_, err := k.setLock()
	require.ErrorIs(t, err, errNoLock)
	require.NoError(t, k.admits(Command{}))
	assert.NoFileExists(t, k.cfg.StateFile)
}

func TestAStoppedAgentIsNotWaitedForWithoutEnd(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	stopped, err := listen(t.Context(), socket) // the kernel takes connections for one that is stopped
	require.NoError(t, err)
	defer stopped.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Ask(ctx, socket, Command{Do: Confirm})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
