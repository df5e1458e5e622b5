// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/response"
	"github.com/vedette-sec/vedette/internal/response/journal"
	"github.com/vedette-sec/vedette/internal/response/target"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/users"
)

func TestResponseListOfNothing(t *testing.T) {
	state := filepath.Join(t.TempDir(), "none")
	stdout, stderr, err := execute(t, host(), "response", "list", "--state-directory", state)
	require.NoError(t, err)
	assert.Equal(t, "Nothing is recorded.\n", stdout)
	assert.Empty(t, stderr)
	stdout, _, err = execute(t, host(), "response", "list", "--json", "--state-directory", state)
	require.NoError(t, err)
	assert.JSONEq(t, "[]", stdout)
	assert.NoDirExists(t, state)
	_, stderr, err = execute(t, host(), "response", "list", "--state-directory", "/etc/passwd")
	require.Error(t, err, "that there is nothing is not known where it cannot be looked for")
	assert.Contains(t, stderr, "/etc/passwd/response/responses.jsonl: not a directory")
	_, _, err = execute(t, host(), "response", "lst")
	require.ErrorContains(t, err, `unknown command "lst"`)
	_, stderr, err = execute(t, host(), "response", "undo", "x", "--state-directory", state)
	require.Error(t, err)
	assert.Equal(t, "vedette: open the journal of responses: "+state+"/response: nothing was recorded\n", stderr)
}

// quarantined returns a state directory whose journal has one file in quarantine, its id and its path.
func quarantined(t *testing.T) (state, id, path string) {
	state = t.TempDir()
	path = filepath.Join(t.TempDir(), "evil\x1b[2J")
	require.NoError(t, os.WriteFile(path, []byte("evil"), 0o640))
	var stat syscall.Stat_t
	require.NoError(t, syscall.Stat(path, &stat))
	agent, err := response.Open(response.Config{
		StateDirectory: filepath.Join(state, response.Directory), Vault: filepath.Join(state, "quarantine"),
		Allow: enforcement.Actions(), Protection: target.Protection{Names: users.New("/etc/passwd", time.Now)},
	}, response.Create, true)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, agent.Close()) })
	result := agent.Apply(enforcement.Request{
		Action: enforcement.QuarantineFile, File: enforcement.File{Path: path, Inode: stat.Ino}, Rule: enforcement.Rule{Title: "Bad file"},
	})
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	return state, result.UndoID, path
}

func TestResponseListAndRestore(t *testing.T) {
	ring.Require(t, ring.Native)
	state, id, path := quarantined(t)
	stdout, _, err := execute(t, host(), "response", "list", "--active", "--state-directory", state)
	require.NoError(t, err)
	for _, part := range []string{id, "quarantine_file", `evil\x1b[2J"`, "done", "in force", "Bad file"} {
		assert.Contains(t, stdout, part)
	}
	assert.NotContains(t, stdout, "\x1b")

	_, stderr, err := execute(t, host(), "response", "undo", id, "--state-directory", state)
	require.Error(t, err)
	assert.Contains(t, stderr, "`vedette response restore "+id+"` puts it back")
	stdout, _, err = execute(t, host(), "response", "restore", id, "--json", "--state-directory", state)
	require.NoError(t, err)
	var entry journal.Entry
	require.NoError(t, json.Unmarshal([]byte(stdout), &entry))
	assert.Equal(t, enforcement.Undo, entry.End.Step)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode())

	stdout, _, err = execute(t, host(), "response", "list", "--state-directory", state)
	require.NoError(t, err)
	assert.Contains(t, stdout, "ended (undo)")
	_, stderr, err = execute(t, host(), "response", "restore", id, "--state-directory", state)
	require.Error(t, err)
	assert.Contains(t, stderr, "is not in force: it ended at")
}
