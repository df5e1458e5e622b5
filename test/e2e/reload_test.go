// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

// answersHangups is what the agent says when SIGHUP is its own to answer: the Collector asks for it as it starts.
const answersHangups = "SIGHUP has files read anew while everything runs"

func TestHangupReadsAnewWithoutStopping(t *testing.T) {
	ring.RequireOnHost(t)
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules")
	require.NoError(t, os.Mkdir(rules, 0o700))
	rule := func(name, program string) {
		text := "title: " + name + "\nlogsource: {category: process_creation}\nlevel: low\ndetection:\n  s: {Image|endswith: /" + program + "}\n  condition: s\n"
		require.NoError(t, os.WriteFile(filepath.Join(rules, name+".yml"), []byte(text), 0o600))
	}
	rule("First", "vedette-one")
	shipped, err := os.ReadFile(shippedConfig)
	require.NoError(t, err)
	// Only the signal reads anew, so that the test knows what did.
	text := strings.Replace(string(shipped), "      builtin: true\n",
		"      builtin: true\n      directories: ["+rules+"]\n      reload_interval: 0\n", 1)
	config := filepath.Join(dir, "vedette.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(config, []byte(text), 0o600)) }
	write(text)
	a := startAgentWith(t, config)

	run := func(name string) {
		path := filepath.Join(dir, name)
		self, err := os.ReadFile("/proc/self/exe")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, self, 0o700))
		cmd := exec.Command(path)
		cmd.Env = append(os.Environ(), endAtOnce+"=1")
		require.NoError(t, cmd.Run())
	}
	raised := func(rule, name string) bool {
		run(name)
		for _, alert := range a.settle() {
			if alert.Rule.Name == rule {
				return true
			}
		}
		return false
	}
	said := func(text string) func() bool {
		return func() bool { return strings.Contains(a.stderr.String(), text) }
	}
	require.Eventually(t, said(answersHangups), patience, 20*time.Millisecond)
	require.True(t, raised("First", "vedette-one"))
	require.False(t, raised("Second", "vedette-two"))

	rule("Second", "vedette-two")
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, said(`"generation": 2`), patience, 20*time.Millisecond)
	require.True(t, raised("Second", "vedette-two"))

	require.NoError(t, os.WriteFile(filepath.Join(rules, "broken.yml"), []byte("title: ["), 0o600))
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, said("broken.yml:1"), patience, 20*time.Millisecond)
	require.True(t, raised("Second", "vedette-two"), "the rules from before stay in force")
	require.NoError(t, os.Remove(filepath.Join(rules, "broken.yml")))

	write(text + "receivers: [\n")
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, said("the configuration is broken; the one from before stays in force"), patience, 20*time.Millisecond)
	require.True(t, raised("First", "vedette-one"))
	assert.NotContains(t, a.stderr.String(), "Config updated", "nothing was started anew")

	write(strings.Replace(text, "output: alerts", "output: append", 1))
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, said("Config updated"), patience, 20*time.Millisecond)
	require.Eventually(t, func() bool { return strings.Count(a.stderr.String(), "Everything is ready") == 2 }, patience, 20*time.Millisecond)

	write(text)
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGHUP))
	require.NoError(t, a.stop(syscall.SIGTERM), "an agent that is told to end while it reads anew")
}
