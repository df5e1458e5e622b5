// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

func TestKilledAgentLeavesNothingInTheKernel(t *testing.T) {
	ring.Require(t, ring.Native)
	a := startAgent(t)
	ids := programsOf(t, a.cmd.Process.Pid)
	require.True(t, slices.ContainsFunc(ids, isLoaded), ids)
	require.Error(t, a.stop(syscall.SIGKILL))
	require.Eventually(t, func() bool { return !slices.ContainsFunc(ids, isLoaded) }, patience, 100*time.Millisecond,
		"programs of the killed agent are still loaded")
	// What it watched still works.
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	require.NoError(t, exec.Command("/bin/sh", "-c", "exit 0").Run())
	// And the next agent starts beside what is left of the log.
	next := startAgent(t)
	require.NoError(t, next.stop(syscall.SIGTERM))
}

func TestTerminationWritesWhatHappenedBefore(t *testing.T) {
	ring.RequireOnHost(t)
	a := startAgent(t)
	// Many alerts at once, and no time between the last and the signal.
	const n = 50
	dir := t.TempDir()
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	for i := range n {
		name := filepath.Join("/dev/shm", filepath.Base(filepath.Dir(dir))+"-"+string(rune('a'+i%26))+string(rune('a'+i/26)))
		require.NoError(t, os.WriteFile(name, self, 0o700))
		t.Cleanup(func() { _ = os.Remove(name) })
		cmd := exec.Command(name)
		cmd.Env = append(os.Environ(), endAtOnce+"=1")
		require.NoError(t, cmd.Run())
	}
	require.NoError(t, a.stop(syscall.SIGTERM), "a clean end has status 0")
	assert.Len(t, a.next(), n)
	info, err := os.Stat(a.log)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestWithoutRootOneSentence(t *testing.T) {
	ring.RequireOnHost(t)
	// The program has to be where anybody may run it.
	dir, err := os.MkdirTemp("/var/tmp", "vedette")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	text, err := os.ReadFile(program(t))
	require.NoError(t, err)
	name := filepath.Join(dir, "vedette")
	require.NoError(t, os.WriteFile(name, text, 0o755))
	config, err := os.ReadFile(shippedConfig)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vedette.yaml"), config, 0o644))

	cmd := exec.Command(name, "--config", filepath.Join(dir, "vedette.yaml"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = "/"
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	assert.Error(t, cmd.Run(), "the status is not 0")
	assert.Empty(t, stdout.String())
	assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one line: %s", stderr.String())
	assert.Contains(t, stderr.String(), "needs root")
}

func TestBrokenInput(t *testing.T) {
	ring.RequireOnHost(t)
	shipped, err := os.ReadFile(shippedConfig)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := string(shipped)
	lineOf := func(text, part string) string {
		before, _, found := strings.Cut(text, part)
		require.True(t, found, part)
		return lineNumber(before)
	}
	replace := func(old, with string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, with, 1)
	}
	unknownKey := replace("    output: alerts\n", "    output: alerts\n    outptu: alerts\n")
	badValue := replace("    output: alerts\n", "    output: everything\n")
	badKind := replace("  ebpf:\n", "  ebpf:\n    events: [process.start]\n")
	syntax := replace("receivers: [ebpf]", "receivers: [ebpf")
	noRules := replace("      builtin: true\n", "      builtin: true\n      directories: ["+dir+"/none]\n")
	noLog := replace("directory: ${env:VEDETTE_LOG_DIR:-/var/log/vedette}", "directory: /proc/nothing")
	component := replace("exporters: [securitylog]", "exporters: [securitylgo]")

	for _, test := range []struct {
		name, config string
		expect       []string
	}{
		{"unknown key", unknownKey, []string{"unknown-key.yaml:" + lineOf(unknownKey, "outptu"), "outptu", "output", "rules"}},
		{"bad value", badValue, []string{"bad-value.yaml:" + lineOf(badValue, "output: everything"), "everything", "alerts", "annotate", "append"}},
		{"bad kind", badKind, []string{"bad-kind.yaml:" + lineOf(badKind, "events:"), "process.start", "process.exec"}},
		{"syntax", syntax, []string{"syntax.yaml:"}},
		{"component", component, []string{"component.yaml:" + lineOf(component, "securitylgo"), "securitylgo"}},
		{"missing rules directory", noRules, []string{"missing-rules-directory.yaml:" + lineOf(noRules, "directories: ["+dir), dir + "/none", "expected a directory"}},
		{"unreadable log directory", noLog, []string{"unreadable-log-directory.yaml:" + lineOf(noLog, "directory: /proc"), "/proc/nothing"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := write(strings.ReplaceAll(test.name, " ", "-")+".yaml", test.config)
			cmd := exec.Command(program(t), "--config", path)
			cmd.Env = append(os.Environ(), "VEDETTE_LOG_DIR="+dir)
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			t.Logf("%s", out)
			for _, expect := range test.expect {
				assert.Contains(t, string(out), expect)
			}
		})
	}
}

func TestBrokenRuleFileIsReportedAndTheOthersWork(t *testing.T) {
	ring.RequireOnHost(t)
	rules := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(rules, "broken.yml"), []byte("title: Broken\nlogsource: {product: linux, category: process_creation}\ndetection:\n  selection:\n    Image|endswiht: /x\n  condition: selection\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(rules, "good.yml"), []byte("title: Good\nid: 6f1a7f0e-3d0f-4f0a-9c61-8a2a0d1b7c55\nlogsource: {product: linux, category: process_creation}\nlevel: low\ndetection:\n  selection:\n    CommandLine|contains: vedette-marker\n  condition: selection\n"), 0o600))
	a := startAgent(t, "--set=processors::detection::rules::directories=["+rules+"]")
	assert.Contains(t, a.stderr.String(), filepath.Join(rules, "broken.yml")+":5")
	require.NoError(t, exec.Command("/bin/sh", "-c", ": vedette-marker").Run())
	a.wait("the good rule", func(one alert) bool { return one.Rule.Name == "Good" })
}

func lineNumber(before string) string {
	return strconv.Itoa(strings.Count(before, "\n") + 1)
}

// programsOf gives the ids of the BPF programs that a process holds, by themselves or by what links them: others are loaded
// by whoever else is at work on the host.
func programsOf(t *testing.T, pid int) []ebpf.ProgramID {
	t.Helper()
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	require.NoError(t, err)
	var ids []ebpf.ProgramID
	for _, info := range infos {
		text, err := os.ReadFile(info)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has been closed since
		}
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if value, found := strings.CutPrefix(line, "prog_id:"); found {
				id, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
				require.NoError(t, err)
				ids = append(ids, ebpf.ProgramID(id))
			}
		}
	}
	return ids
}

func isLoaded(id ebpf.ProgramID) bool {
	next, err := ebpf.ProgramGetNextID(id - 1)
	return err == nil && next == id
}
