// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

func TestPolicyLearn(t *testing.T) {
	ring.RequireOnHost(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told, tell := io.Pipe()
	var out bytes.Buffer
	command := new(policyCommand).learn()
	command.SetArgs([]string{"1h", "--path", dir, "--name", "mine"})
	command.SetOut(&out)
	command.SetErr(tell)
	done := make(chan error, 1)
	go func() { done <- command.ExecuteContext(ctx) }()
	_, err := bufio.NewReader(told).ReadString('\n')
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, told) }() // It ends with the pipe.
	defer told.Close()
	require.NoError(t, exec.Command("touch", filepath.Join(dir, "new")).Run())
	cancel()
	require.NoError(t, <-done)
	parsed, err := policy.Parse("learned.yaml", out.Bytes())
	require.NoError(t, err, out.String())
	assert.Equal(t, "mine", parsed[0].Name)
	require.NotEmpty(t, parsed[0].Rules[0].Allow, out.String())
	assert.Contains(t, out.String(), "create, last "+filepath.Join(dir, "new"))
}

func TestPolicyLearnRefusesWhatIsNoTime(t *testing.T) {
	_, stderr, ok := runPolicy(t, "learn", "soon", "--path", t.TempDir())
	assert.False(t, ok)
	assert.Contains(t, stderr, `found the duration "soon", expected one such as 10m or 24h`)
}

func TestPolicyReplay(t *testing.T) {
	g := newGuarded(t)
	log := filepath.Join(g.dir, "log.jsonl")
	require.NoError(t, os.WriteFile(log, []byte(`{"@timestamp":"2026-03-04T05:06:07Z","event":{"action":"delete","kind":"event","dataset":"vedette.file"},"file":{"path":"`+
		g.dir+`/www/page"},"process":{"executable":"/usr/bin/rm","user":{"name":"root"}}}`+"\n"), 0o600))
	policies := filepath.Join(g.dir, "policies")
	require.NoError(t, os.Mkdir(policies, 0o755))
	require.NoError(t, os.Rename(g.policy, filepath.Join(policies, "p.yaml")))
	stdout, stderr, ok := runPolicy(t, "replay", log, policies)
	require.True(t, ok, stderr)
	assert.Contains(t, stdout, "denied 1: policy test, rule content")
	_, stderr, ok = runPolicy(t, "replay", policies)
	assert.False(t, ok)
	assert.Contains(t, stderr, "expected a file of recorded events")
}
