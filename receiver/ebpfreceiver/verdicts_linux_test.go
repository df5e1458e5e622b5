// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/extension/enforcementextension"
	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/hostid"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/sensor"
	"github.com/vedette-sec/vedette/internal/users"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// withPolicies is a host whose enforcement extension keeps the policy of a file.
type withPolicies struct{ extension component.Component }

func (h withPolicies) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{component.MustNewID("enforcement"): h.extension}
}

func keeping(t *testing.T, text string) withPolicies {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o600))
	factory := enforcementextension.NewFactory()
	cfg := factory.CreateDefaultConfig().(*enforcementextension.Config)
	cfg.StateDirectory = filepath.Join(dir, "state")
	cfg.Policies.Directories = []string{dir}
	cfg.Policies.StatusFile, cfg.Policies.Socket, cfg.Policies.Pins = "", "", ""
	cfg.Policies.ProtectAgent = false
	ext, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, ext.Shutdown(context.Background())) })
	return withPolicies{ext}
}

func TestVerdictsBecomeEventsWithTheirChain(t *testing.T) {
	ring.Require(t, ring.Native)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, nil, 0o600))
	host := keeping(t, fmt.Sprintf(`
policy: secrets
mode: enforce
severity: critical
attack: [T1552.004]
rules:
  - {name: key, files: {paths: [%s], operations: [read]}}
`, secret))
	sink := &consumertest.LogsSink{}
	r := create(t, nil, sink, event.KindProcessExec)
	require.NoError(t, r.Start(t.Context(), host))
	require.Error(t, exec.Command("sh", "-c", "cat "+secret+"; exit 1").Run())
	var found plog.LogRecord
	require.Eventually(t, func() bool {
		for _, logs := range sink.AllLogs() {
			for _, log := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
				if log.EventName() == event.KindEnforcementDenied {
					found = log
					return true
				}
			}
		}
		return false
	}, 2*time.Minute, 20*time.Millisecond)
	shutdown(t, r)
	attrs := found.Attributes().AsRaw()
	kind, _ := event.KindByName(event.KindEnforcementDenied)
	for name := range attrs {
		assert.Contains(t, kind.Attributes, name)
	}
	assert.Equal(t, secret, attrs[event.AttrFilePath])
	assert.Equal(t, "read", attrs[event.AttrVedettePolicyOperation])
	assert.Equal(t, "prevented", attrs[event.AttrVedettePolicyStrength])
	assert.Equal(t, "EPERM", attrs[event.AttrErrorType])
	assert.Equal(t, []any{"T1552.004"}, attrs[event.AttrVedettePolicyAttack])
	assert.NotEmpty(t, attrs[event.AttrProcessAncestors])
	assert.Contains(t, attrs[event.AttrProcessCommandLine], secret)
	assert.Equal(t, plog.SeverityNumberFatal, found.SeverityNumber())
	assert.Regexp(t, `^Denied: \w+\[\d+\] run by root: read `+secret+` \(policy secrets, rule key\)$`, found.Body().Str())
}

// A process that acts and ends at once is known all the same: its verdict waits for what the kernel reported before.
func TestVerdictsWaitForTheirProcess(t *testing.T) {
	ring.Require(t, ring.Native)
	sink := &consumertest.LogsSink{}
	r := create(t, nil, sink, event.KindProcessExec)
	require.NoError(t, r.open(t.Context(), componenttest.NewNopHost())) // this test reads
	verdicts := make(chan enforcement.Verdict, 1)
	r.verdicts = verdicts

	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	stat, err := process.ProcFS{Root: "/proc"}.ReadStat(uint32(cmd.Process.Pid))
	require.NoError(t, err)
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	v := enforcement.Verdict{Verdict: enforce.Verdict{Policy: "p", Rule: "r", Mode: policy.Enforce, Strength: enforce.Prevented, Time: time.Now(),
		PID: stat.Key.PID, TID: stat.Key.PID, Start: stat.Key.Start * uint64(10*time.Millisecond)}, Severity: policy.High}
	verdicts <- v
	told := func() (found []plog.LogRecord) {
		for _, logs := range sink.AllLogs() {
			for _, log := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
				if log.EventName() == event.KindEnforcementDenied {
					found = append(found, log)
				}
			}
		}
		return found
	}
	r.tellVerdicts()
	require.Empty(t, told(), "nothing was read yet")
	var batch sensor.Batch
	for deadline := time.Now().Add(2 * time.Minute); len(told()) == 0 && time.Now().Before(deadline); time.Sleep(sensor.Settle) {
		r.cycle(&batch, r.sensor.Read)
		r.tellVerdicts()
	}
	require.Len(t, told(), 1)
	attrs := told()[0].Attributes().AsRaw()
	assert.NotEmpty(t, attrs[event.AttrProcessAncestors])
	assert.Equal(t, "cat", attrs[event.AttrProcessCommandLine])

	v.Time = time.Now().Add(time.Hour)
	verdicts <- v
	r.cycle(&batch, r.sensor.Read)
	r.tellVerdicts()
	require.Len(t, told(), 1)
	r.follow()
	shutdown(t, r)
	assert.Len(t, told(), 2, "at the end nothing waits any more")
}

func TestVerdictMessages(t *testing.T) {
	actor := &process.Process{Key: process.Key{PID: 7}, EntityID: "e", Executable: "/usr/bin/nc"}
	target := &process.Process{Key: process.Key{PID: 8}, EntityID: "t", Executable: "/usr/sbin/sshd", CommandLine: "sshd -D"}
	for _, one := range []struct {
		verdict enforce.Verdict
		mode    policy.Mode
		want    string
		attrs   map[string]any
	}{
		{enforce.Verdict{Mode: policy.Enforce, Strength: enforce.Prevented, Operation: policy.Connect, Errno: 1, Folded: 3,
			Object: enforce.Object{Address: netip.MustParseAddrPort("203.0.113.9:443"), Protocol: policy.TCP}}, policy.Enforce,
			"Denied: nc[7] run by root: connect 203.0.113.9:443/tcp (policy p, rule r), and 3 more",
			map[string]any{event.AttrDestinationAddress: "203.0.113.9", event.AttrDestinationPort: int64(443), event.AttrEventOutcome: "failure"}},
		{enforce.Verdict{Mode: policy.Audit, Strength: enforce.Detected, Operation: policy.Bind,
			Object: enforce.Object{Address: netip.MustParseAddrPort("[::]:53"), Protocol: policy.UDP}}, policy.Audit,
			"Would be denied: nc[7] run by root: bind [::]:53/udp (policy p, rule r)",
			map[string]any{event.AttrSourcePort: int64(53), event.AttrNetworkTransport: "udp", event.AttrEventOutcome: "success"}},
		{enforce.Verdict{Mode: policy.Audit, Strength: enforce.Detected, Operation: policy.Rename,
			Object: enforce.Object{Path: "/a/b", NewPath: "/a/c", Inode: 5, Device: unix.Mkdev(8, 1)}}, policy.Enforce,
			"Not prevented: nc[7] run by root: rename /a/b to /a/c (policy p, rule r)",
			map[string]any{event.AttrFilePath: "/a/c", event.AttrFileOriginalPath: "/a/b", event.AttrVedettePolicyDevice: "8:1"}},
		{enforce.Verdict{Mode: policy.Enforce, Strength: enforce.Killed, Operation: policy.Signal, Object: enforce.Object{PID: 8}}, policy.Enforce,
			"Killed: nc[7] run by root: signal sshd[8] (policy p, rule r)",
			map[string]any{event.AttrProcessTargetCommandLine: "sshd -D", event.AttrEventOutcome: "unknown"}},
	} {
		v := enforcement.Verdict{Verdict: one.verdict, RuleMode: one.mode, Severity: policy.High}
		v.Policy, v.Rule, v.PID, v.Time = "p", "r", 7, time.Now()
		b := newLogBuilder(nil, hostid.Host{}, users.New("/etc/passwd", time.Now))
		b.begin(time.Now(), 0)
		b.verdict(actor, target, &v)
		logs, _ := b.take()
		log := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		assert.Equal(t, one.want, log.Body().Str())
		for name, want := range one.attrs {
			assert.Equal(t, want, log.Attributes().AsRaw()[name], name)
		}
	}
}
