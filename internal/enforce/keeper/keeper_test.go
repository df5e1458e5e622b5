// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/policy"
)

func parsed(t *testing.T, text string) *policy.Set {
	t.Helper()
	policies, err := policy.Parse("p.yaml", []byte(text))
	require.NoError(t, err)
	return &policy.Set{Policies: policies}
}

const onTrial = "policy: a\nmode: enforce\ncommit_confirm: 5m\nrules:\n  - {name: r, kernel: [kexec]}\n"

func TestTrialsOutliveRestartsAndEnd(t *testing.T) {
	file, at := filepath.Join(t.TempDir(), "state", "policies.json"), time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	set := parsed(t, onTrial)
	var s state
	require.NoError(t, s.read(file))
	out := s.trials(set, at)
	assert.Equal(t, at.Add(5*time.Minute), out.deadline["a"])
	assert.False(t, out.reverted["a"])
	require.NoError(t, s.write(file))

	var later state
	require.NoError(t, later.read(file))
	out = later.trials(parsed(t, "\n\n"+onTrial), at.Add(4*time.Minute))
	assert.Equal(t, at.Add(5*time.Minute), out.deadline["a"], "neither a restart nor another place in the file begins it anew")
	assert.True(t, later.trials(set, at.Add(5*time.Minute)).reverted["a"])

	confirmed, err := later.confirm()
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, confirmed)
	assert.Empty(t, later.trials(set, at.Add(time.Hour)).deadline)
	assert.NotEmpty(t, later.trials(parsed(t, strings.Replace(onTrial, "kexec", "bpf", 1)), at.Add(time.Hour)).deadline, "it says something else")
	_, err = later.confirm("b")
	require.ErrorContains(t, err, `found no policy "b"`)

	later.trials(&policy.Set{}, at)
	require.NoError(t, later.write(file))
	assert.NoFileExists(t, file, "nothing is to be remembered")
}

func TestBrokenStateIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policies.json")
	require.NoError(t, (&state{Panic: true}).write(file))
	var s state
	require.NoError(t, s.read(file))
	assert.True(t, s.Panic)
	require.ErrorContains(t, s.read(t.TempDir()), "read what is known of policies")
}

func TestOnlyNewProblemsKeepTheOldPolicies(t *testing.T) {
	known := &policy.Error{Position: policy.Position{File: "a.yaml", Line: 1}, Msg: "broken"}
	fresh := &policy.Error{Position: policy.Position{File: "b.yaml", Line: 1}, Msg: "broken"}
	assert.Equal(t, []error{fresh}, newProblems([]string{known.Error()}, []error{known, fresh}))
}

func TestRevertedPolicyAudits(t *testing.T) {
	set := parsed(t, "policy: a\nmode: enforce\nrules:\n  - {name: r, kernel: [kexec]}\n  - {name: s, mode: enforce, kernel: [bpf]}\n")
	out := effective(set, map[string]bool{"a": true})
	assert.False(t, enforces(out.Policies[0]))
	assert.True(t, enforces(set.Policies[0]), "what was read stays as it is")
}

func TestAskWithoutAgent(t *testing.T) {
	_, err := Ask(t.Context(), filepath.Join(t.TempDir(), "socket"), Command{Do: Confirm})
	require.ErrorContains(t, err, "nobody takes commands at")
}

func FuzzReadCommand(f *testing.F) {
	f.Add(`{"do":"confirm","policies":["a"]}`)
	f.Add(`{"do":7}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := readCommand(strings.NewReader(text))
		if err != nil && c.Do == Confirm && len(text) == 0 {
			t.Error("a command out of nothing")
		}
	})
}

func TestSocketOfAKilledAgentIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	// The kernel takes connections for an agent that ends, and closes them when it has come to its socket.
	ending, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	ending.SetUnlinkOnClose(false)
	time.AfterFunc(100*time.Millisecond, func() { assert.NoError(t, ending.Close()) })
	listener, err := listen(t.Context(), path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, listener.Close())
}
