// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package detectionprocessor

import (
	"context"
	"net/netip"
	"os"
	command "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/vedette-sec/vedette/extension/enforcementextension"
	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

// respondingHost is a host with a real enforcement extension.
func respondingHost(t *testing.T, allow ...string) component.Host {
	factory := enforcementextension.NewFactory()
	cfg := factory.CreateDefaultConfig().(*enforcementextension.Config)
	cfg.StateDirectory = t.TempDir()
	cfg.Policies.Pins = "" // nothing outlives the test
	cfg.Response.Enabled, cfg.Response.DryRun, cfg.Response.Allow = true, false, allow
	cfg.Response.QuarantineDirectory = filepath.Join(cfg.StateDirectory, "quarantine")
	ext, err := factory.Create(context.Background(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return hostWith{component.NewID(factory.Type()), ext}
}

// victim starts a process and gives the event of its start.
func victim(t *testing.T) (*command.Cmd, testEvent) {
	cmd := command.Command("sleep", "300")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	stat, err := process.ProcFS{Root: "/proc"}.ReadStat(uint32(cmd.Process.Pid))
	require.NoError(t, err)
	return cmd, sleeper(cmd.Process.Pid, stat.Key.EntityID(strings.TrimSpace(string(boot))))
}

func sleeper(pid int, entity string) testEvent {
	return testEvent{name: event.KindProcessExec, attrs: map[string]any{
		event.AttrProcessExecutablePath: "/usr/bin/sleep", event.AttrProcessPID: pid, event.AttrProcessEntityID: entity}}
}

const killing = `title: Sleeper
id: 6c7f5b0e-0000-4000-8000-00000000000b
logsource: {product: linux, category: process_creation}
detection:
  selection: {Image|endswith: /sleep}
  condition: selection
response: [kill_process, quarantine_file]
`

func TestResponseIsCarriedOutAndTold(t *testing.T) {
	ring.Require(t, ring.Native)
	cfg, _ := correlating(t, OutputAlerts, killing)
	sink := new(consumertest.LogsSink)
	p, err := NewFactory().CreateLogs(context.Background(), processortest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), respondingHost(t, "kill_process")))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })

	cmd, started := victim(t)
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, started)))
	err = cmd.Wait()
	var ended *command.ExitError
	require.ErrorAs(t, err, &ended)
	assert.Equal(t, syscall.SIGKILL, ended.Sys().(syscall.WaitStatus).Signal())

	require.Eventually(t, func() bool { return sink.LogRecordCount() == 3 }, 30*time.Second, 10*time.Millisecond)
	outcomes := map[any]any{}
	var alert plog.LogRecord
	for _, log := range given(sink) {
		if log.EventName() == event.KindSecurityAlert {
			alert = log
			continue
		}
		assert.Equal(t, event.KindResponseAction, log.EventName())
		outcomes[attr(log, event.AttrVedetteResponseAction)] = attr(log, event.AttrVedetteResponseOutcome)
		assert.Equal(t, "Sleeper", attr(log, event.AttrSecurityRuleName))
		assert.Equal(t, int64(cmd.Process.Pid), attr(log, event.AttrProcessPID))
	}
	assert.Equal(t, map[any]any{"kill_process": "done", "quarantine_file": "not_allowed"}, outcomes)
	for _, log := range given(sink) {
		if log.EventName() == event.KindResponseAction {
			assert.Equal(t, attr(alert, event.AttrEventID), attr(log, event.AttrVedetteResponseAlertID))
		}
	}
	for _, logs := range sink.AllLogs() {
		boot, _ := logs.ResourceLogs().At(0).Resource().Attributes().Get(event.AttrHostBootID)
		assert.Equal(t, "b0071d", boot.Str(), "the outcome is about the alert's host")
	}
}

func TestAnotherProcessWithTheSameIdIsSpared(t *testing.T) {
	ring.Require(t, ring.Native)
	cfg, _ := correlating(t, OutputAlerts, killing)
	sink := new(consumertest.LogsSink)
	p, err := NewFactory().CreateLogs(context.Background(), processortest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), respondingHost(t, "kill_process")))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	cmd, _ := victim(t)
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, sleeper(cmd.Process.Pid, "0123456789abcdef0123456789abcdef"))))
	require.Eventually(t, func() bool { return sink.LogRecordCount() == 3 }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(cmd.Process.Pid, 0))
}

func TestRequestOfAnAlert(t *testing.T) {
	f := func(attrs map[string]any) *finding {
		logs := batch(t, testEvent{name: event.KindNetworkAccept, attrs: attrs})
		scope := logs.ResourceLogs().At(0).ScopeLogs().At(0)
		cfg, _ := correlating(t, OutputAlerts, killing)
		p := start(t, cfg, consumertest.NewNop())
		resource := logs.ResourceLogs().At(0)
		return &finding{
			resource: resource, scope: scope, origin: originOf(resource, scope), log: scope.LogRecords().At(0), rule: p.current.rules[0], message: "why",
		}
	}
	ends := map[string]any{
		event.AttrSourceAddress: "192.0.2.1", event.AttrSourcePort: 50000, event.AttrDestinationAddress: "192.0.2.2", event.AttrDestinationPort: 22,
		event.AttrNetworkDirection: "ingress", event.AttrProcessExecutablePath: "/usr/sbin/sshd",
	}
	in := f(ends).request(enforcement.BlockAddress)
	assert.Equal(t, netip.MustParseAddr("192.0.2.1"), in.Address)
	assert.Equal(t, uint16(50000), in.Port)
	assert.Equal(t, enforcement.File{Path: "/usr/sbin/sshd"}, in.File)
	assert.Equal(t, "why", in.Reason)
	assert.Equal(t, "6c7f5b0e-0000-4000-8000-00000000000b", in.Rule.ID)
	ends[event.AttrNetworkDirection] = "egress"
	out := f(ends).request(enforcement.BlockAddress)
	assert.Equal(t, netip.MustParseAddr("192.0.2.2"), out.Address)
	file := f(map[string]any{event.AttrFilePath: "/tmp/x", event.AttrFileInode: strconv.Itoa(77), event.AttrProcessExecutablePath: "/bin/cp"}).request(enforcement.QuarantineFile)
	assert.Equal(t, enforcement.File{Path: "/tmp/x", Inode: 77}, file.File)
	assert.False(t, file.Address.IsValid())
}
