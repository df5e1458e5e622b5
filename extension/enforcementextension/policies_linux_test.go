// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package enforcementextension

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/extension/enforcementextension/internal/metadata"
	"github.com/vedette-sec/vedette/internal/bpffs"
	enforcers "github.com/vedette-sec/vedette/internal/enforce/host"
	"github.com/vedette-sec/vedette/internal/enforce/keeper"
	"github.com/vedette-sec/vedette/internal/policystatus"
	"github.com/vedette-sec/vedette/internal/reload"
	"github.com/vedette-sec/vedette/internal/response"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// guarded is an extension that keeps the policies of a directory, and a file that they are about.
type guarded struct {
	t        *testing.T
	cfg      *Config
	hub      *reload.Hub
	file     string
	verdicts <-chan enforcement.Verdict
	tel      *componenttest.Telemetry

	extension extension.Extension // the last that was started
}

func guard(t *testing.T, text string) *guarded {
	t.Helper()
	g := &guarded{t: t, cfg: testConfig(t), hub: &reload.Hub{}, tel: componenttest.NewTelemetry()}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	g.file = filepath.Join(dir, "protected")
	require.NoError(t, os.WriteFile(g.file, nil, 0o600))
	g.cfg.Policies.Directories = []string{filepath.Join(dir, "policies")}
	g.cfg.Policies.ReloadInterval = 0 // only when asked
	g.cfg.Policies.StatusFile = filepath.Join(dir, "run", "policies.json")
	g.cfg.Policies.Socket = filepath.Join(dir, "run", "policies.sock")
	g.write(text)
	g.start()
	return g
}

// write writes the policy, with the file in place of FILE.
func (g *guarded) write(text string) {
	require.NoError(g.t, os.MkdirAll(g.cfg.Policies.Directories[0], 0o755))
	require.NoError(g.t, os.WriteFile(filepath.Join(g.cfg.Policies.Directories[0], "p.yaml"), fmt.Appendf(nil, text, g.file), 0o600))
}

func (g *guarded) start() {
	settings := extensiontest.NewNopSettings(metadata.Type)
	settings.TelemetrySettings = g.tel.NewTelemetrySettings()
	ext, err := NewFactory().Create(g.t.Context(), settings, g.cfg)
	require.NoError(g.t, err)
	g.extension = ext
	require.NoError(g.t, ext.Start(reload.NewContext(g.t.Context(), g.hub), componenttest.NewNopHost()))
	g.t.Cleanup(func() { assert.NoError(g.t, ext.Shutdown(context.Background())) })
	teller, found := enforcement.FindTeller(host{ext})
	require.True(g.t, found)
	g.verdicts, _ = teller.Verdicts(100)
}

func (g *guarded) status() *policystatus.Status {
	s, err := policystatus.Read(g.cfg.Policies.StatusFile)
	require.NoError(g.t, err)
	return s
}

func (g *guarded) ask(c keeper.Command) string {
	text, err := keeper.Ask(g.t.Context(), g.cfg.Policies.Socket, c)
	require.NoError(g.t, err)
	return text
}

// mode is what becomes of changes of the file.
func (g *guarded) mode() policy.Mode {
	s := g.status()
	require.Len(g.t, s.Policies, 1)
	if s.Panic {
		return policy.Audit
	}
	return s.Policies[0].Rules[0].Mode
}

// protectsItself tries to get at the agent, which is this process, from a program that is not the agent's.
func (g *guarded) protectsItself() {
	intruder := filepath.Join(g.t.TempDir(), "intruder")
	content, err := os.ReadFile("/proc/self/exe")
	require.NoError(g.t, err)
	require.NoError(g.t, os.WriteFile(intruder, content, 0o755))
	program, err := os.Executable()
	require.NoError(g.t, err)
	file := filepath.Join(g.cfg.Policies.Directories[0], "p.yaml")
	pid := strconv.Itoa(os.Getpid())
	tries := [][]string{
		{"kill", pid, "0"}, {"kill", pid, "9"}, {"kill", pid, "19"}, {"kill", pid, "6"}, {"trace", pid},
		{"open", file}, {"remove", file}, {"open", filepath.Join(filepath.Dir(file), "new.yaml")}, {"remove", filepath.Dir(file)},
		{"remove", program}, {"remove", g.cfg.Policies.Socket}, {"remove", g.cfg.Policies.Pins}, {"unmount", bpffs.Root},
		{"open", "/proc/sys/kernel/ftrace_enabled"},
	}
	try := func(act []string) error {
		c := exec.Command(intruder)
		c.Env = append(os.Environ(), actVariable+"="+strings.Join(act, "|"))
		text, err := c.CombinedOutput()
		if strings.HasPrefix(string(text), unix.EPERM.Error()) {
			return unix.EPERM
		}
		return err
	}
	for _, act := range tries {
		require.ErrorIs(g.t, try(act), unix.EPERM, act)
		require.Eventually(g.t, func() bool { // those of the acts before may come late
			v := <-g.verdicts
			return v.Policy == keeper.ProtectionPolicy && v.Severity == policy.Critical
		}, time.Minute, time.Millisecond, act)
	}
	if ring.InGuest() { // where init and dpkg are busybox, which is the shell too
		for _, line := range []string{"kill -9 " + pid, ": >> " + file, "rm " + program} {
			out, err := exec.Command("/bin/busybox", "sh", "-c", line).CombinedOutput()
			require.Error(g.t, err, line)
			require.Contains(g.t, string(out), "not permitted", line)
		}
	}
	token := g.ask(keeper.Command{Do: keeper.Lock})
	for _, c := range []keeper.Command{{Do: keeper.Lock}, {Do: keeper.Unlock}, {Do: keeper.PanicOn, Token: "another"}} {
		_, err := keeper.Ask(g.t.Context(), g.cfg.Policies.Socket, c)
		require.ErrorContains(g.t, err, "the agent is locked")
	}
	g.ask(keeper.Command{Do: keeper.Unlock, Token: token})
	require.NoError(g.t, try([]string{"open", file}), "the operator has unlocked it")
	require.NoError(g.t, try([]string{"kill", pid, "0"}))
}

// actVariable makes the test binary an intruder, who does one thing.
const actVariable = "VEDETTE_EXTENSION_TEST_ACT"

func init() {
	if act := os.Getenv(actVariable); act != "" {
		os.Exit(intrude(act))
	}
}

// intrude does it, and gives the exit status.
func intrude(act string) int {
	words := strings.Split(act, "|")
	number := func(i int) int {
		n, _ := strconv.Atoi(words[i]) // the tests write numbers
		return n
	}
	var err error
	switch words[0] {
	case "kill":
		err = unix.Kill(number(1), unix.Signal(number(2)))
	case "trace":
		err = unix.PtraceSeize(number(1))
	case "open":
		var fd int
		if fd, err = unix.Open(words[1], unix.O_RDWR|unix.O_CREAT, 0o600); err == nil {
			err = unix.Close(fd)
		}
	case "remove":
		if err = unix.Rename(words[1], words[1]+"-away"); err == nil {
			err = unix.Unlink(words[1] + "-away")
		}
	case "unmount":
		err = unix.Unmount(words[1], unix.MNT_DETACH)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

const protecting = `
policy: file
mode: enforce
severity: critical
attack: [T1565.001]
rules:
  - {name: content, files: {paths: [%s], operations: tamper}}
`

func TestPoliciesAreKept(t *testing.T) {
	ring.Require(t, ring.Native)
	g := guard(t, protecting)
	last := g.extension
	s := g.status()
	mechanism := "fallback"
	if ring.InGuest() { // guests are started with BPF LSM
		mechanism = "lsm"
	}
	assert.Equal(t, mechanism, s.Mechanism)
	assert.EqualValues(t, 1, s.Generation)
	assert.Equal(t, policy.Enforce, g.mode())
	assert.Equal(t, mechanism == "fallback", len(s.Policies[0].Rules[0].Weaker) > 0)

	g.hub.Reload(t.Context())
	assert.EqualValues(t, 2, g.status().Generation)

	g.write("policy: file\nrules: 7 # %s\n")
	g.hub.Reload(t.Context())
	s = g.status()
	require.NotNil(t, s.Failure)
	assert.Contains(t, s.Failure.Error, "p.yaml:2:")
	assert.EqualValues(t, 2, s.Generation, "those from before stay in force")
	assert.Equal(t, policy.Enforce, g.mode())

	g.write("policy: file\nrules:\n  - {name: content, files: {paths: [%s], operations: [read]}}\n")
	g.hub.Reload(t.Context())
	s = g.status()
	assert.Nil(t, s.Failure)
	assert.Equal(t, policy.Audit, g.mode())
	failures, err := g.tel.GetMetric("otelcol_extension_enforcement_policies_reload_failures")
	require.NoError(t, err)
	assert.NotNil(t, failures)

	g.write(protecting)
	g.hub.Reload(t.Context())
	require.NoError(t, last.Shutdown(t.Context()))
	if mechanism == "lsm" {
		g.outlivesTheAgent()
	} else {
		require.NoError(t, os.Remove(g.file), "the fallback ends with the agent")
	}
}

// outlivesTheAgent restarts the agent with the same policies, and then without any.
func (g *guarded) outlivesTheAgent() {
	before := g.status().Generation
	require.ErrorIs(g.t, os.Remove(g.file), unix.EPERM, "without an agent")
	held, err := enforcers.Look(g.cfg.Policies.Pins)
	require.NoError(g.t, err)
	assert.Equal(g.t, "file", held.Policies[0].Name)
	g.start()
	require.ErrorIs(g.t, os.Remove(g.file), unix.EPERM, "with another agent")
	assert.Equal(g.t, before+1, g.status().Generation, "which goes on with what was there")
	require.NoError(g.t, g.extension.Shutdown(g.t.Context()))
	g.cfg.Policies.ProtectAgent = true
	g.start()
	g.protectsItself()
	require.NoError(g.t, g.extension.Shutdown(g.t.Context()))
	g.cfg.Policies.Directories = nil
	g.start()
	assert.NoDirExists(g.t, g.cfg.Policies.Pins, "without policies there is nothing to keep")
	// Each program is detached by itself, a moment after it is told to be.
	assert.Eventually(g.t, func() bool {
		return os.RemoveAll(filepath.Dir(g.file)) == nil && os.RemoveAll(g.cfg.StateDirectory) == nil
	}, time.Minute, 50*time.Millisecond)
}

func TestVerdictsSayWhatThePolicySays(t *testing.T) {
	ring.RequireOnHost(t)
	g := guard(t, `
policy: file
severity: critical
attack: [T1565.001]
description: Nobody reads it.
rules:
  - {name: content, files: {paths: [%s], operations: [read]}}
`)
	require.NoError(t, runCat(t, g.file))
	select {
	case v := <-g.verdicts:
		assert.Equal(t, policy.Critical, v.Severity)
		assert.Equal(t, []string{"T1565.001"}, v.Attack)
		assert.Equal(t, "Nobody reads it.", v.Description)
		assert.Equal(t, g.file, v.Object.Path)
		assert.EqualValues(t, 1, v.Generation)
	case <-time.After(30 * time.Second):
		require.Fail(t, "no verdict came")
	}
}

func TestPanicOutlivesTheAgent(t *testing.T) {
	ring.RequireOnHost(t)
	g := guard(t, protecting)
	g.ask(keeper.Command{Do: keeper.PanicOn})
	assert.Equal(t, policy.Audit, g.mode())
	require.NoError(t, runShell(t, "echo >> "+g.file))

	g.cfg.Policies.Socket += "2"
	g.cfg.Policies.StatusFile += "2" // the first agent goes on writing its own
	g.start()
	assert.Equal(t, policy.Audit, g.mode(), "the next agent knows of it")
	g.ask(keeper.Command{Do: keeper.PanicOff})
	assert.Equal(t, policy.Enforce, g.mode())
	require.Error(t, runShell(t, "echo >> "+g.file))
}

func TestUnconfirmedPolicyGoesBackToAudit(t *testing.T) {
	ring.RequireOnHost(t)
	trial := "policy: file\nmode: enforce\ncommit_confirm: %s\nrules:\n  - {name: content, files: {paths: [%%s], operations: tamper}}\n"
	g := guard(t, fmt.Sprintf(trial, "2s"))
	assert.Eventually(t, func() bool { return g.status().Policies[0].Reverted }, 30*time.Second, 50*time.Millisecond)
	assert.Equal(t, policy.Audit, g.mode())
	assert.Equal(t, "enforcing from now on: file", g.ask(keeper.Command{Do: keeper.Confirm}))
	assert.Equal(t, policy.Enforce, g.mode())
	assert.Equal(t, "no policy waits to be confirmed", g.ask(keeper.Command{Do: keeper.Confirm}))

	g.write(fmt.Sprintf(trial, "1h"))
	g.hub.Reload(t.Context())
	s := g.status()
	assert.Equal(t, policy.Enforce, g.mode())
	assert.False(t, s.Policies[0].Confirm.IsZero(), "it says something else, and is to be confirmed again")
	_, err := keeper.Ask(t.Context(), g.cfg.Policies.Socket, keeper.Command{Do: keeper.Confirm, Policies: []string{"other"}})
	require.ErrorContains(t, err, `found no policy "other"`)
}

func TestModesOfTheConfigurationWin(t *testing.T) {
	ring.RequireOnHost(t)
	g := guard(t, "policy: file\nrules:\n  - {name: content, files: {paths: [%s], operations: tamper}}\n")
	assert.Equal(t, policy.Audit, g.mode())
	g.cfg.Policies.Modes = map[string]string{"file": "enforce"}
	g.cfg.Policies.Socket += "2"
	g.cfg.Policies.StatusFile += "2" // the first agent goes on writing its own
	g.start()
	assert.Equal(t, policy.Enforce, g.mode())
}

func TestWithoutPoliciesNothingIsTouched(t *testing.T) {
	cfg := testConfig(t)
	dir := t.TempDir()
	cfg.Policies.Directories = []string{filepath.Join(dir, "none")}
	cfg.Policies.StatusFile, cfg.Policies.Socket = filepath.Join(dir, "status"), filepath.Join(dir, "socket")
	startExtension(t, cfg)
	s, err := policystatus.Read(cfg.Policies.StatusFile)
	require.NoError(t, err)
	assert.Empty(t, s.Mechanism)
	assert.Zero(t, s.Generation)
	assert.NoDirExists(t, cfg.StateDirectory)
}

func TestLockoutIsRefused(t *testing.T) {
	ring.RequireOnHost(t)
	g := guard(t, "policy: file\nmode: enforce\nrules:\n  - {name: everything, exec: {only: {paths: [%s]}}}\n")
	s := g.status()
	assert.Empty(t, s.Policies)
	require.NotEmpty(t, s.Refused)
	assert.Contains(t, s.Refused[0], "p.yaml:4:")
}

func runShell(t *testing.T, text string) error {
	t.Helper()
	return exec.Command("sh", "-c", text).Run()
}

func runCat(t *testing.T, file string) error {
	t.Helper()
	return exec.Command("cat", file).Run()
}

func TestBlockedProgramCannotBeRun(t *testing.T) {
	ring.RequireOnHost(t)
	cfg := enabled(t, "block_executable")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	cfg.Policies.StatusFile, cfg.Policies.Socket = filepath.Join(dir, "status"), filepath.Join(dir, "socket")
	tool, link := filepath.Join(dir, "tool"), filepath.Join(dir, "link")
	content, err := os.ReadFile("/bin/true")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(tool, content, 0o755))
	require.NoError(t, os.Link(tool, link))
	var stat unix.Stat_t
	require.NoError(t, unix.Stat(tool, &stat))
	responder, results := startExtension(t, cfg)
	ask := func(inode uint64) enforcement.Result {
		responder.Submit(enforcement.Request{Action: enforcement.BlockExecutable, File: enforcement.File{Path: tool, Inode: inode}, Reason: "a test"})
		return next(t, results)
	}
	assert.Equal(t, enforcement.Refused, ask(stat.Ino+1).Outcome, "another file is there")
	result := ask(stat.Ino)
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	assert.False(t, result.Expires.IsZero())
	require.ErrorIs(t, exec.Command(tool).Run(), os.ErrPermission)
	require.ErrorIs(t, exec.Command(link).Run(), os.ErrPermission)
	require.NoError(t, exec.Command("true").Run())

	operator, err := response.Open(response.Config{StateDirectory: filepath.Join(cfg.StateDirectory, response.Directory)}, !response.Create, false)
	require.NoError(t, err)
	_, err = operator.Undo(result.UndoID)
	require.NoError(t, err)
	require.NoError(t, operator.Close())
	assert.Equal(t, enforcement.Undo, next(t, results).Step)
	require.NoError(t, exec.Command(tool).Run())
}

func TestTwoAgentsDoNotShareASocket(t *testing.T) {
	ring.RequireOnHost(t)
	g := guard(t, protecting)
	other := newExtension(t, g.cfg)
	require.ErrorContains(t, other.Start(t.Context(), componenttest.NewNopHost()), "another agent takes commands at "+g.cfg.Policies.Socket)
	require.NoError(t, other.Shutdown(t.Context()))
	assert.Equal(t, "no policy waits to be confirmed", g.ask(keeper.Command{Do: keeper.Confirm}), "the first goes on")
}

func TestPoliciesAreKeptWithoutASocketToo(t *testing.T) {
	ring.RequireOnHost(t)
	g := guard(t, protecting)
	g.cfg.Policies.Socket = filepath.Join(t.TempDir(), strings.Repeat("long", 30), "socket") // longer than addresses are
	g.cfg.Policies.StatusFile += "2"
	g.start()
	assert.Equal(t, policy.Enforce, g.mode())
}
