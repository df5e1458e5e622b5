// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package enforcementextension

import (
	"context"
	"crypto/rand"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/extension/enforcementextension/internal/metadata"
	"github.com/vedette-sec/vedette/internal/bpffs"
	enforcers "github.com/vedette-sec/vedette/internal/enforce/host"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/response"
	"github.com/vedette-sec/vedette/internal/response/firewall"
	"github.com/vedette-sec/vedette/internal/ring"
)

func testConfig(t *testing.T) *Config {
	ring.TwoProcessors(t)
	cfg := createDefaultConfig().(*Config)
	cfg.StateDirectory = filepath.Join(t.TempDir(), "state")
	cfg.Response.QuarantineDirectory = filepath.Join(t.TempDir(), "vault")
	cfg.Policies.ProtectAgent = false // of tests that write its files
	cfg.Policies.Pins = filepath.Join(bpffs.Root, "vedette-test-"+rand.Text())
	t.Cleanup(func() { assert.NoError(t, enforcers.Release(cfg.Policies.Pins, started(), "")) })
	return cfg
}

// host is a host with one extension.
type host struct{ extension component.Component }

func (h host) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{component.NewID(metadata.Type): h.extension}
}

func newExtension(t *testing.T, cfg *Config) extension.Extension {
	ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	return ext
}

// startExtension starts one and finds it as other components do.
func startExtension(t *testing.T, cfg *Config) (enforcement.Responder, <-chan enforcement.Result) {
	ext := newExtension(t, cfg)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, ext.Shutdown(context.Background())) })
	responder, found := enforcement.Find(host{ext})
	require.True(t, found)
	results, _ := responder.Subscribe(10)
	return responder, results
}

func next(t *testing.T, results <-chan enforcement.Result) enforcement.Result {
	select {
	case result := <-results:
		return result
	case <-time.After(30 * time.Second):
		require.Fail(t, "no result came")
		return enforcement.Result{}
	}
}

func TestLifecycle(t *testing.T) {
	t.Run("shutdown without start", func(t *testing.T) {
		require.NoError(t, newExtension(t, testConfig(t)).Shutdown(t.Context()))
	})
	t.Run("twice", func(t *testing.T) {
		ext := newExtension(t, testConfig(t))
		for range 2 {
			require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
			require.NoError(t, ext.Shutdown(t.Context()))
		}
	})
	t.Run("two", func(t *testing.T) {
		ring.Require(t, ring.Native)
		cfg := testConfig(t)
		cfg.Response.Enabled = true
		startExtension(t, cfg)
		second := newExtension(t, cfg)
		assert.ErrorContains(t, second.Start(t.Context(), componenttest.NewNopHost()), "another agent uses this directory")
		require.NoError(t, second.Shutdown(t.Context()))
	})
}

func TestByDefaultNothingIsDone(t *testing.T) {
	cfg := testConfig(t)
	responder, results := startExtension(t, cfg)
	responder.Submit(enforcement.Request{Action: enforcement.KillProcess})
	result := next(t, results)
	assert.Equal(t, enforcement.NotAllowed, result.Outcome)
	assert.Equal(t, "responses are not enabled", result.Reason)
	assert.NoDirExists(t, cfg.StateDirectory)
}

func enabled(t *testing.T, actions ...string) *Config {
	cfg := testConfig(t)
	cfg.Response.Enabled, cfg.Response.DryRun, cfg.Response.Allow = true, false, actions
	return cfg
}

func sleeper(t *testing.T) (*exec.Cmd, enforcement.Process) {
	cmd := exec.Command("sleep", "600")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	stat, err := process.ProcFS{Root: "/proc"}.ReadStat(uint32(cmd.Process.Pid))
	require.NoError(t, err)
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	return cmd, enforcement.Process{PID: stat.Key.PID, EntityID: stat.Key.EntityID(strings.TrimSpace(string(boot)))}
}

func TestKill(t *testing.T) {
	ring.Require(t, ring.Native)
	responder, results := startExtension(t, enabled(t, "kill_process"))
	cmd, p := sleeper(t)
	responder.Submit(enforcement.Request{Action: enforcement.KillProcess, Process: p, AlertID: "a"})
	result := next(t, results)
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	assert.Equal(t, "a", result.Request.AlertID)
	assert.ErrorContains(t, cmd.Wait(), "killed")
	responder.Submit(enforcement.Request{Action: enforcement.Suspend, Process: p})
	assert.Equal(t, enforcement.NotAllowed, next(t, results).Outcome)
}

func TestQuarantineHasAQueueOfItsOwn(t *testing.T) {
	ring.Require(t, ring.Native)
	cfg := enabled(t, "quarantine_file")
	responder, results := startExtension(t, cfg)
	path := filepath.Join(t.TempDir(), "evil")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	responder.Submit(enforcement.Request{Action: enforcement.QuarantineFile, File: enforcement.File{Path: path}})
	assert.Equal(t, enforcement.Refused, next(t, results).Outcome)
	assert.FileExists(t, path)
}

func TestAnExpiryIsTold(t *testing.T) {
	ring.Require(t, ring.Native)
	responder, results := startExtension(t, enabled(t, "suspend"))
	_, p := sleeper(t)
	responder.Submit(enforcement.Request{Action: enforcement.Suspend, Process: p, Expiry: 100 * time.Millisecond})
	applied := next(t, results)
	require.Equal(t, enforcement.Done, applied.Outcome, applied.Reason)
	expired := next(t, results)
	assert.Equal(t, enforcement.Expire, expired.Step)
	assert.Equal(t, applied.UndoID, expired.UndoID)
}

// TestAnEndIsToldAfterWhatItEnds lets the end come before anybody is told that the action began.
func TestAnEndIsToldAfterWhatItEnds(t *testing.T) {
	ring.Require(t, ring.Native)
	cfg := enabled(t, "suspend")
	var results <-chan enforcement.Result
	settings := extensiontest.NewNopSettings(metadata.Type)
	settings.Logger = zap.New(&told{Core: zapcore.NewNopCore(), tell: func(step enforcement.Step) {
		if step != enforcement.Apply {
			return
		}
		assert.Eventually(t, func() bool { return hasEnded(t, cfg) }, time.Minute, 10*time.Millisecond)
		for start := time.Now(); len(results) == 0 && time.Since(start) < 2*tick; { // for who does not wait to get ahead
			time.Sleep(10 * time.Millisecond)
		}
	}})
	ext, err := NewFactory().Create(t.Context(), settings, cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, ext.Shutdown(context.Background())) })
	responder, found := enforcement.Find(host{ext})
	require.True(t, found)
	results, _ = responder.Subscribe(10)
	_, p := sleeper(t)
	responder.Submit(enforcement.Request{Action: enforcement.Suspend, Process: p, Expiry: time.Millisecond})
	assert.Equal(t, []enforcement.Step{enforcement.Apply, enforcement.Expire}, []enforcement.Step{next(t, results).Step, next(t, results).Step})
}

// hasEnded tells whether the one action that there is has ended.
func hasEnded(t *testing.T, cfg *Config) bool {
	operator, err := response.Open(response.Config{StateDirectory: journalDirectory(cfg)}, !response.Create, false)
	if !assert.NoError(t, err) {
		return false
	}
	defer operator.Close()
	all, err := operator.Entries()
	return assert.NoError(t, err) && len(all) == 1 && all[0].End != nil
}

// told hears of results when they are logged, which is just before subscribers do.
type told struct {
	zapcore.Core
	tell func(enforcement.Step)
}

func (o *told) Enabled(zapcore.Level) bool { return true }

func (o *told) With([]zapcore.Field) zapcore.Core { return o }

func (o *told) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return checked.AddCore(entry, o)
}

func (o *told) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	for _, f := range fields {
		if entry.Message == "Response" && f.Key == "step" {
			o.tell(enforcement.Step(f.String))
		}
	}
	return nil
}

func TestWhatIsInForceIsEndedEvenWhenResponsesAreDisabledAgain(t *testing.T) {
	ring.Require(t, ring.Native)
	cfg := enabled(t, "suspend")
	ext := newExtension(t, cfg)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	responder, _ := enforcement.Find(host{ext})
	results, _ := responder.Subscribe(10)
	_, p := sleeper(t)
	responder.Submit(enforcement.Request{Action: enforcement.Suspend, Process: p, Expiry: 10 * time.Second})
	require.Equal(t, enforcement.Done, next(t, results).Outcome)
	require.NoError(t, ext.Shutdown(t.Context()))
	_, open := <-results
	assert.False(t, open)

	cfg.Response.Enabled = false
	_, results = startExtension(t, cfg)
	assert.Equal(t, enforcement.Expire, next(t, results).Step)
}

// TestABlockInTheRootCgroup uses an address that nobody has.
func TestABlockInTheRootCgroup(t *testing.T) {
	ring.Require(t, ring.Native)
	if _, err := firewall.RootCgroup(); err != nil {
		ring.Cannot(t, err.Error())
	}
	cfg := enabled(t, "block_address")
	responder, results := startExtension(t, cfg)
	address := netip.MustParseAddr("203.0.113.222")
	responder.Submit(enforcement.Request{Action: enforcement.BlockAddress, Address: address, Expiry: time.Minute})
	result := next(t, results)
	require.Equal(t, enforcement.Done, result.Outcome, result.Reason)
	config, err := engineConfig(cfg)
	require.NoError(t, err)
	operator, err := response.Open(config, false, false)
	require.NoError(t, err)
	defer operator.Close()
	state, err := config.Firewall.State()
	require.NoError(t, err)
	assert.Contains(t, state.Blocks, address)
	_, err = operator.Undo(result.UndoID)
	require.NoError(t, err)
	undone := next(t, results)
	assert.Equal(t, enforcement.Undo, undone.Step)
	assert.Equal(t, address, undone.Request.Address)
}
