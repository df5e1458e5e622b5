// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
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

func init() {
	acts["agent"] = func(args []string) error { // keeps the policies of a file in force until its standard input ends
		e, err := Open(Options{Pins: args[0]})
		if err != nil {
			return err
		}
		set, err := policy.Load(args[1])
		if err != nil {
			return err
		}
		if err := e.Load(set); err != nil {
			return err
		}
		fmt.Println("ready")
		_, err = io.Copy(io.Discard, os.Stdin)
		return errors.Join(err, e.Close())
	}
	acts["copy"] = func(args []string) error { return copyFile(args[0], args[1]) }
	acts["leave"] = func(args []string) error { // starts a program that nobody is the parent of
		c := command(args[0], append([]string{"later"}, args[1:]...)...)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		return c.Start()
	}
	acts["later"] = func(args []string) error { // writes when it is told to, and says what became of it
		if _, err := os.ReadFile(args[0]); err != nil {
			return err
		}
		result := "done"
		if err := appendTo(args[1]); err != nil {
			result = err.Error()
		}
		return os.WriteFile(args[2], []byte(result), 0o644)
	}
}

// orphan is a process whose parent is gone, so that /proc does not tell what led to it.
type orphan struct{ pipe, result string }

// newOrphan lets a program start another one, which will write to a file.
func newOrphan(t *testing.T, parent, program, file string) orphan {
	t.Helper()
	dir := t.TempDir()
	o := orphan{filepath.Join(dir, "pipe"), filepath.Join(dir, "result")}
	require.NoError(t, unix.Mkfifo(o.pipe, 0o600))
	require.NoError(t, runs(parent, "leave", program, o.pipe, file, o.result))
	return o
}

// tell gives what became of its writing.
func (o orphan) tell(t *testing.T) string {
	t.Helper()
	require.NoError(t, os.WriteFile(o.pipe, nil, 0o600))
	var result []byte
	require.Eventually(t, func() bool {
		result, _ = os.ReadFile(o.result)
		return len(result) > 0
	}, time.Minute, 50*time.Millisecond)
	return string(result)
}

// attack tries to write to a file until it is stopped, and gives how often that was not refused.
func attack(file string) (stop func() (tried, passed int)) {
	end, ended := make(chan struct{}), make(chan struct{})
	tried, passed := 0, 0
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
			}
			tried++
			if !errors.Is(opens(file), unix.EPERM) {
				passed++
			}
			time.Sleep(time.Millisecond) // Else nothing else gets on where there is one processor.
		}
	}()
	return func() (int, int) {
		close(end)
		<-ended
		return tried, passed
	}
}

// openUpdate opens an enforcer to which what is there is of another version.
func openUpdate(t *testing.T, options Options) *Enforcer {
	t.Helper()
	entries, err := os.ReadDir(options.Pins)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	dir := filepath.Join(options.Pins, entries[0].Name())
	h, err := readHandover(dir)
	require.NoError(t, err)
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, mapPin+bpf.EnforceMapHandover), nil)
	require.NoError(t, err)
	defer m.Close()
	memory, err := unix.Mmap(m.FD(), 0, int(m.ValueSize()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	h.Build = "other"
	require.NoError(t, errors.Join(h.write(memory), unix.Munmap(memory)))
	e, err := Open(options)
	require.NoError(t, err)
	return e
}

const testPins = "/sys/fs/bpf/vedette-test"

// What an agent that was killed kept in force stays, and the next one goes on with it, with all that is known of processes.
func TestKeptWithoutAgent(t *testing.T) {
	ring.Require(t, ring.VM)
	require.NoError(t, prepared())
	s := newPlaces(t)
	before := attached(t)
	source, tool := filepath.Join(s.outside, "policies.yaml"), filepath.Join(s.outside, "tool")
	require.NoError(t, os.WriteFile(source, []byte(`
policy: kept
mode: enforce
rules: [{name: all, files: {paths: [`+s.single+`, `+tool+`], operations: tamper}, allow: [{executable: `+trusted+`}]}]
---
policy: timed
mode: enforce
on_agent_loss: release
agent_loss_deadline: 5s
rules: [{name: all, files: {paths: [`+s.dir+`/**], operations: tamper}}]
`), 0o644))
	agent := command(stranger, "agent", testPins, source)
	in, err := agent.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := agent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, agent.Start())
	var word string
	_, err = fmt.Fscan(out, &word)
	require.NoError(t, err)
	require.ErrorIs(t, opens(s.file), unix.EPERM)
	require.ErrorIs(t, Release(testPins, "", ""), ErrInUse)
	early := newOrphan(t, trusted, stranger, s.single)
	attacked := attack(s.single)

	require.NoError(t, agent.Process.Kill())
	require.Error(t, agent.Wait())
	late, foreign := newOrphan(t, trusted, stranger, s.single), newOrphan(t, stranger, stranger, s.single)
	require.Eventually(t, func() bool { return opens(s.file) == nil }, time.Minute, 100*time.Millisecond, "its deadline")
	left, err := Look(testPins)
	require.NoError(t, err)
	require.Len(t, left.Policies, 2)
	assert.False(t, left.Running)
	assert.Equal(t, []string{"kept", "timed"}, []string{left.Policies[0].Name, left.Policies[1].Name})
	assert.Equal(t, []bool{false, true}, []bool{left.Policies[0].Over, left.Policies[1].Over})

	second, err := Open(Options{Pins: testPins, Started: "so"})
	require.NoError(t, err)
	v := next(t, second, func(v enforce.Verdict) bool { return v.Policy == "kept" && v.Rule == "all" })
	assert.Equal(t, enforce.Prevented, v.Strength, "what happened without an agent is told")
	set, err := policy.Load(source)
	require.NoError(t, err)
	require.NoError(t, second.Load(set))
	tried, passed := attacked()
	assert.Zero(t, passed, "of %d tries while agents came and went", tried)
	require.ErrorIs(t, opens(s.file), unix.EPERM, "an agent is there again")
	status := second.Status()
	assert.EqualValues(t, 2, status.Generation, "it went on with what was there")
	assert.Empty(t, status.Missing)
	left, err = Look(testPins)
	require.NoError(t, err)
	assert.True(t, left.Running)
	assert.Equal(t, "done", early.tell(t), "the lineage from before")
	assert.Equal(t, "done", late.tell(t), "the lineage from meanwhile")
	assert.NotEqual(t, "done", foreign.tell(t))

	require.NoError(t, second.Lock("0123"))
	require.NoError(t, second.Close())
	require.ErrorIs(t, Release(testPins, "", "token"), ErrLocked)
	_, err = Open(Options{Pins: testPins, Started: "otherwise"})
	require.ErrorIs(t, err, ErrLocked)
	early, foreign = newOrphan(t, trusted, stranger, s.single), newOrphan(t, stranger, stranger, s.single)
	require.NoError(t, runs(trusted, "copy", stranger, tool))
	require.NoError(t, runs(trusted, "start", tool, "write", s.single), "a program that a trusted one has written")
	attacked = attack(s.single)
	third := openUpdate(t, Options{Pins: testPins, Started: "so"})
	late = newOrphan(t, trusted, stranger, s.single)
	require.NoError(t, third.Load(set))
	tried, passed = attacked()
	assert.Zero(t, passed, "of %d tries while the agent was updated", tried)
	assert.Empty(t, third.Status().Missing)
	assert.Equal(t, "done", early.tell(t), "the lineage from before the update")
	assert.Equal(t, "done", late.tell(t), "the lineage from while the agent was updated")
	assert.NotEqual(t, "done", foreign.tell(t))
	assert.NoError(t, runs(trusted, "start", tool, "write", s.single), "what a trusted program has written before")
	entries, err := os.ReadDir(testPins)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "what was left is gone")
	require.NoError(t, third.Release())
	assert.NoDirExists(t, testPins)
	// Each program is detached by itself, a moment after it is told to be.
	require.Eventually(t, func() bool { return opens(s.single) == nil }, time.Minute, 100*time.Millisecond, "writing is not refused")
	require.Eventually(t, func() bool { return os.RemoveAll(filepath.Dir(s.single)) == nil && os.RemoveAll(s.dir) == nil },
		time.Minute, 100*time.Millisecond, "nor is deleting")
	assert.Eventually(t, func() bool { return attached(t) == before }, time.Minute, 100*time.Millisecond, "nothing stays attached")
}
