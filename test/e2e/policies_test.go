// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

// A policy in YAML, an intruder who is root, EPERM, an alert that says who tried; and the service and its script still can.
func TestPolicyKeepsAnIntruderOut(t *testing.T) {
	ring.RequireOnHost(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	file, script, policies := filepath.Join(dir, "data", "file"), filepath.Join(dir, "script"), filepath.Join(dir, "policies")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o755))
	require.NoError(t, os.Mkdir(policies, 0o755))
	require.NoError(t, os.WriteFile(file, []byte("content\n"), 0o600))
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho more >> "+file+"\n"), 0o755))
	write := func(mode string) {
		require.NoError(t, os.WriteFile(filepath.Join(policies, "data.yaml"), fmt.Appendf(nil, `
policy: data
mode: %s
severity: critical
attack: [T1565.001]
rules:
  - {name: content, files: {paths: [%s/**], operations: tamper}, allow: [{executable: %s}]}
`, mode, filepath.Dir(file), script), 0o600))
	}
	write("audit")
	a := startAgent(t, "--set=extensions.enforcement.policies.directories=["+policies+"]",
		"--set=extensions.enforcement.policies.reload_interval=1s", "--set=extensions.enforcement.state_directory="+filepath.Join(dir, "state"))
	intrude := func() error { return exec.Command("sh", "-c", "echo evil >> "+file).Run() }

	require.NoError(t, intrude())
	found := a.wait("the audited write", func(one alert) bool { return one.Rule.Name == "policy data, rule content" })
	assert.Contains(t, found[len(found)-1].Message, "Would be denied: ")

	write("enforce")
	require.Eventually(t, func() bool { return intrude() != nil }, patience, 200*time.Millisecond)
	found = a.wait("the refused write", func(one alert) bool {
		return one.Rule.Name == "policy data, rule content" && one.Log.Level == "critical" && one.Message[:7] == "Denied:"
	})
	refused := found[len(found)-1]
	assert.Equal(t, file, refused.File.Path)
	assert.Equal(t, []string{"T1565.001"}, refused.Threat.Technique.Subtechnique.ID)
	assert.Equal(t, "root", refused.Process.User.Name)
	assert.NotEmpty(t, refused.Process.Ancestors)
	require.NoError(t, exec.Command(script).Run(), "the service still can")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(content), "more\n")
}
