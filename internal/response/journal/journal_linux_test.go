// SPDX-License-Identifier: Apache-2.0

//go:build linux

package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
)

func open(t *testing.T, directory string, agent bool) *Journal {
	j, err := Open(directory, true, agent)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, j.Close()) })
	return j
}

func put(t *testing.T, j *Journal, e Entry) {
	require.NoError(t, j.Do(func(c *Change) error { return c.Put(e) }))
}

func entries(t *testing.T, j *Journal) (all []Entry) {
	require.NoError(t, j.Do(func(c *Change) error {
		all = c.Entries()
		return nil
	}))
	return all
}

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func TestWhatOneWritesTheOtherReads(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "state")
	a, b := open(t, directory, true), open(t, directory, false)
	first := Entry{ID: "1", Time: at, Request: enforcement.Request{Action: enforcement.Suspend}, Active: true, Boot: "b"}
	put(t, a, first)
	assert.Equal(t, []Entry{first}, entries(t, b))
	ended := first
	ended.Active, ended.End = false, &End{Time: at, Step: enforcement.Undo, Outcome: enforcement.Done}
	second := Entry{ID: "2", Time: at, Outcome: enforcement.Failed}
	put(t, b, ended)
	put(t, b, second)
	assert.Equal(t, []Entry{ended, second}, entries(t, a))
	assert.Equal(t, []Entry{ended, second}, entries(t, open(t, directory, false)))
}

func TestOneAgent(t *testing.T) {
	directory := t.TempDir()
	operator := open(t, directory, false)
	assert.False(t, operator.AgentWorks())
	agent, err := Open(directory, true, true)
	require.NoError(t, err)
	assert.True(t, agent.AgentWorks())
	assert.True(t, operator.AgentWorks())
	_, err = Open(directory, true, true)
	assert.ErrorIs(t, err, ErrAgent)
	require.NoError(t, agent.Close())
	assert.False(t, operator.AgentWorks())
}

func TestNone(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "state")
	_, err := Open(directory, false, false)
	assert.ErrorIs(t, err, ErrNone)
	assert.NoDirExists(t, directory)
}

func TestALineThatACrashCutIsPassedOver(t *testing.T) {
	directory := t.TempDir()
	put(t, open(t, directory, false), Entry{ID: "1", Time: at})
	file, err := os.OpenFile(filepath.Join(directory, fileName), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"id":"2","ti`)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	j := open(t, directory, false)
	put(t, j, Entry{ID: "3", Time: at})
	for _, reader := range []*Journal{j, open(t, directory, false)} {
		have := entries(t, reader)
		require.Len(t, have, 2)
		assert.Equal(t, "3", have[1].ID)
	}
}

func TestALargeJournalIsWrittenAnew(t *testing.T) {
	directory := t.TempDir()
	operator := open(t, directory, false)
	old := Entry{ID: "old", Time: time.Now().Add(-40 * 24 * time.Hour).UTC(), Reason: strings.Repeat("x", int(usualLimits.size/2))}
	active := Entry{ID: "active", Time: old.Time, Active: true}
	recent := Entry{ID: "recent", Time: time.Now().UTC()}
	for _, e := range []Entry{old, active, recent, old} {
		put(t, operator, e)
	}
	agent := open(t, directory, true)
	assert.Equal(t, []Entry{active, recent}, entries(t, agent))
	assert.Equal(t, []Entry{active, recent}, entries(t, operator), "notices that the file is another one")
	info, err := os.Stat(filepath.Join(directory, fileName))
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(1000))
}

func TestAJournalDoesNotGrowWithoutEnd(t *testing.T) {
	directory := t.TempDir()
	agent := open(t, directory, true)
	agent.limits = limits{size: 1, age: time.Hour, entries: 2}
	now := time.Now().UTC()
	active, last := Entry{ID: "active", Time: now, Active: true}, Entry{ID: "last", Time: now}
	for _, e := range []Entry{active, {ID: "1", Time: now}, {ID: "2", Time: now}, {ID: "3", Time: now}, {ID: "old", Time: now.Add(-2 * time.Hour)}, last} {
		put(t, agent, e)
	}
	require.NoError(t, agent.Compact())
	assert.Equal(t, []Entry{active, last}, entries(t, agent), "the old one is one of the two latest")
	before, err := os.Stat(filepath.Join(directory, fileName))
	require.NoError(t, err)
	require.NoError(t, agent.Compact())
	after, err := os.Stat(filepath.Join(directory, fileName))
	require.NoError(t, err)
	assert.True(t, os.SameFile(before, after), "it has not grown since")

	require.NoError(t, os.Mkdir(filepath.Join(directory, fileName+".new"), 0o700))
	for range 3 {
		put(t, agent, active)
	}
	require.Error(t, agent.Compact())
	assert.Len(t, entries(t, agent), 2, "nothing is lost where it cannot be written")
}
