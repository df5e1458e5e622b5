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

	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

const judgedBy = `template: own
title: Own
rules:
  - id: shadow
    title: Nobody else reads the passwords
    check: {file: {paths: [/etc/shadow], expect: {mode: {at_most: 0640}}}}
`

// sensing is the pipeline of the sensor in the shipped configuration.
const sensing = `    logs/alerts:
      receivers: [ebpf]
      processors: [detection]
      exporters: [securitylog]
`

// TestDriftIsToldAtOnceWhileTheSensorRuns has the agent as it is shipped judge a host of the test's own, by its schedule once, and then takes
// the sensor out of its configuration.
func TestDriftIsToldAtOnceWhileTheSensorRuns(t *testing.T) {
	ring.RequireOnHost(t)
	dir := t.TempDir()
	root, templates, approved := filepath.Join(dir, "root"), filepath.Join(dir, "templates"), filepath.Join(dir, "approved.json")
	shadow, config := filepath.Join(root, "etc/shadow"), filepath.Join(dir, "vedette.yaml")
	require.NoError(t, os.MkdirAll(filepath.Dir(shadow), 0o755))
	require.NoError(t, os.Mkdir(templates, 0o700))
	require.NoError(t, os.WriteFile(shadow, nil, 0o640))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/group"), []byte("root:x:0:\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(templates, "own.yaml"), []byte(judgedBy), 0o600))
	out, err := exec.Command(program(t), "baseline", "approve", "own", "--by", "ana", "--from", templates, "--root", root, "--file", approved).CombinedOutput()
	require.NoError(t, err, string(out))

	shipped, err := os.ReadFile(shippedConfig)
	require.NoError(t, err)
	text := strings.Replace(string(shipped), "      - id: mlps-l2\n", "      - id: own\n    directories: ["+templates+"]\n    root: "+root+
		"\n    approved: "+approved+"\n    initial_delay: 0s\n    jitter: 0s\n    interval: 1h\n    pressure: {limit: 0}\n", 1)
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	a := startAgentWith(t, config)
	// What came before these does not count.
	var saidBefore, toldBefore int
	said := func(text string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(a.stderr.String()[saidBefore:], text) }, patience, 20*time.Millisecond, text)
	}
	records := func() string {
		text, _ := os.ReadFile(filepath.Join(filepath.Dir(a.log), "baseline.jsonl")) // it comes with the first record
		return string(text)
	}
	isTold := func(before int, texts ...string) bool {
		for line := range strings.Lines(records()[before:]) {
			if containsAll(line, texts) {
				return true
			}
		}
		return false
	}
	told := func(texts ...string) {
		t.Helper()
		require.Eventually(t, func() bool { return isTold(toldBefore, texts...) }, patience, 20*time.Millisecond, texts)
	}
	said("A sensor of this agent tells of changes of files")
	told(`"trigger":"schedule"`)
	// A scan because of events that were lost, or because the sensor began after the first scan, tells of a change, too.
	for give := time.Now().Add(patience); !isTold(0, `"trigger":"files"`, `"change_source":"sensor"`); {
		require.True(t, time.Now().Before(give), "no change was told because of the sensor")
		toldBefore = len(records())
		require.NoError(t, exec.Command("chmod", "604", shadow).Run())
		told(`"baseline_drift"`, `"begun"`)
		require.NoError(t, exec.Command("chmod", "640", shadow).Run())
		told(`"baseline_drift"`, `"ended"`)
	}

	said(answersHangups)
	without := strings.Replace(text, sensing, "", 1)
	require.NotEqual(t, text, without)
	require.NoError(t, os.WriteFile(config, []byte(without), 0o600))
	saidBefore, toldBefore = len(a.stderr.String()), len(records())
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGHUP))
	said("No sensor tells of changes of files between scans")
	told(`"change_source":"stamps"`)
	require.NoError(t, a.stop(syscall.SIGTERM))
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}
