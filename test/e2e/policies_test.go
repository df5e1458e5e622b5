// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// dataPolicy protects a directory against everybody but one program and what that starts.
const dataPolicy = `
policy: data
mode: %s
severity: critical
attack: [T1565.001]
rules:
  - {name: content, files: {paths: [%s/**], operations: tamper}, allow: [{executable: %s}]}
`

// place is a service with its data: a script, and another one that it calls.
type place struct {
	t                     *testing.T
	file, service, script string
	policies, state       string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	p := &place{t, filepath.Join(dir, "data", "file"), filepath.Join(dir, "service"), filepath.Join(dir, "script"), filepath.Join(dir, "policies"),
		filepath.Join(dir, "state")}
	require.NoError(t, os.Mkdir(filepath.Dir(p.file), 0o755))
	t.Cleanup(func() { // programs are detached a moment after the agent has ended
		require.Eventually(t, func() bool { return os.RemoveAll(filepath.Dir(p.file)) == nil }, patience, 100*time.Millisecond)
	})
	require.NoError(t, os.Mkdir(p.policies, 0o755))
	require.NoError(t, os.WriteFile(p.file, []byte("content\n"), 0o600))
	require.NoError(t, os.WriteFile(p.service, []byte("#!/bin/sh\necho more >> "+p.file+" && "+p.script+"\n"), 0o755))
	require.NoError(t, os.WriteFile(p.script, []byte("#!/bin/sh\necho by script >> "+p.file+"\n"), 0o755))
	return p
}

func (p *place) write(mode string) {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(filepath.Join(p.policies, "data.yaml"), fmt.Appendf(nil, dataPolicy, mode, filepath.Dir(p.file), p.service), 0o600))
}

func (p *place) content() string {
	p.t.Helper()
	content, err := os.ReadFile(p.file)
	require.NoError(p.t, err)
	return string(content)
}

// told waits for an alert about the policy.
func told(a *agent, word string, is func(alert) bool) alert {
	found := a.wait(word, func(one alert) bool {
		return one.Rule.Name == "policy data, rule content" && strings.HasPrefix(one.Message, word) && is(one)
	})
	return found[len(found)-1]
}

// A policy in YAML, an intruder who is root, EPERM, an alert that says who tried; and the service and its script still can. In guests
// the kernel keeps the policy in its security hooks.
func TestPolicyKeepsAnIntruderOut(t *testing.T) {
	ring.Require(t, ring.Native)
	p := newPlace(t)
	p.write("audit")
	a := startAgent(t, "--set=extensions.enforcement.policies.directories=["+p.policies+"]",
		"--set=extensions.enforcement.policies.protect_agent=false", // which would refuse the signal that ends it here
		"--set=extensions.enforcement.policies.on_stop=release", "--set=extensions.enforcement.policies.reload_interval=1s", "--set=extensions.enforcement.state_directory="+p.state)
	intrude := func() error { return exec.Command("sh", "-c", "echo evil >> "+p.file).Run() }

	require.NoError(t, intrude())
	told(a, "Would be denied: ", func(alert) bool { return true })

	p.write("enforce")
	require.Eventually(t, func() bool { return intrude() != nil }, patience, 200*time.Millisecond)
	before := p.content()
	require.Error(t, intrude())
	refused := told(a, "Denied:", func(alert) bool { return true })
	assert.Equal(t, "critical", refused.Log.Level)
	assert.Equal(t, p.file, refused.File.Path)
	assert.Equal(t, []string{"T1565.001"}, refused.Threat.Technique.Subtechnique.ID)
	assert.Equal(t, "root", refused.Process.User.Name)
	assert.Contains(t, fmt.Sprint(refused.Process.Ancestors), fmt.Sprintf("[%d]", os.Getpid()), "the chain of the intruder")
	if ring.InGuest() {
		removed := exec.Command("rm", "-f", p.file)
		require.Error(t, removed.Run())
		told(a, "Denied:", func(one alert) bool { return one.Process.PID == removed.Process.Pid })
		require.ErrorIs(t, os.Remove(p.file), unix.EPERM)
		require.ErrorIs(t, os.Rename(filepath.Dir(p.file), filepath.Dir(p.file)+"-away"), unix.EPERM)
	}
	require.NoError(t, exec.Command(p.service).Run(), "the service still can")
	assert.Equal(t, before+"more\nby script\n", p.content(), "nobody else has written")
}
