// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/internal/doctor"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/kernel"
	"github.com/vedette-sec/vedette/receiver/ebpfreceiver"
)

func TestMain(m *testing.M) {
	// What waits for a confirmation is the program itself, started anew.
	if len(os.Args) > 2 && os.Args[1] == "baseline" {
		if err := Run(context.Background(), settings(), os.Args[1:], Streams{os.Stdout, os.Stderr}); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func factories() (otelcol.Factories, error) {
	receivers, err := otelcol.MakeFactoryMap[receiver.Factory](ebpfreceiver.NewFactory(), otlpreceiver.NewFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	exporters, err := otelcol.MakeFactoryMap[exporter.Factory](debugexporter.NewFactory())
	return otelcol.Factories{Receivers: receivers, Exporters: exporters, Telemetry: otelconftelemetry.NewFactory()}, err
}

func settings() otelcol.CollectorSettings {
	return otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "vedette", Description: "Guards.", Version: "1.2.3"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory()},
			DefaultScheme:     "file",
		}},
	}
}

// host is one on which everything works, for a process with these capabilities.
func host(capabilities ...string) doctor.Host {
	return doctor.Host{
		Facts: func() kernel.Facts { return kernel.Facts{BTF: true, Capabilities: capabilities} },
		Probes: func() []kernel.Probe {
			return []kernel.Probe{{Ability: kernel.RingBuffer, OK: true}, {Ability: kernel.BTFTracepoint, OK: true}}
		},
		Tiers: func() ([]doctor.KindTier, error) {
			return []doctor.KindTier{
				{Kind: "process.exec", Tier: "tracepoint"}, {Kind: "process.fork", Tier: "tracepoint"},
				{Kind: "process.exit", Tier: "tracepoint"}, {Kind: "network.connect", Tier: "lsm"},
			}, nil
		},
		Held: func() (*enforce.Held, error) { return nil, nil },
	}
}

func execute(t *testing.T, host doctor.Host, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(context.Background(), settings(), host, args, Streams{&out, &errs})
	return out.String(), errs.String(), err
}

func config(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

const watching = `receivers: {ebpf/host: , otlp: {protocols: {grpc: {endpoint: "localhost:0"}}}}
exporters: {debug: }
service:
  telemetry: {logs: {level: error}, metrics: {level: none}}
  pipelines:
    logs: {receivers: [otlp, ebpf/host], exporters: [debug]}
`

func TestStartWithoutRights(t *testing.T) {
	path := config(t, watching)
	stdout, stderr, err := execute(t, host(), "--config", path)
	require.Error(t, err)
	assert.Empty(t, stdout)
	assert.Equal(t, "vedette: the receiver ebpf/host needs root, or the capabilities CAP_BPF, CAP_PERFMON, "+
		"CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, to watch the kernel (`vedette doctor` tells more).\n", stderr)
}

func TestStartInUserNamespace(t *testing.T) {
	h := host()
	h.Facts = func() kernel.Facts {
		return kernel.Facts{Capabilities: []string{"CAP_SYS_ADMIN"}, UserNamespace: true}
	}
	_, stderr, err := execute(t, h, "--config", config(t, watching))
	require.Error(t, err)
	assert.Equal(t, "vedette: the receiver ebpf/host cannot watch the kernel from inside a user namespace; "+
		"run it in the host's own (`vedette doctor` tells more).\n", stderr)
}

func TestValidateNeedsNoRights(t *testing.T) {
	stdout, stderr, err := execute(t, host(), "validate", "--config", config(t, watching))
	require.NoError(t, err)
	assert.Empty(t, stdout+stderr)
}

func TestSensorThatIsNotUsedNeedsNoRights(t *testing.T) {
	for name, pipelines := range map[string]any{
		"other receivers": map[string]any{"logs": map[string]any{"receivers": []any{"otlp", "ebpfx"}}},
		"wrong forms":     map[string]any{"logs": []any{1}, "traces": map[string]any{"receivers": "ebpf"}, "x": map[string]any{"receivers": []any{1, nil, "a b"}}},
		"a list":          []any{"logs"},
		"nothing":         nil,
	} {
		t.Run(name, func(t *testing.T) {
			guard := rightsGuard{facts: host().Facts, starting: true}
			conf := confmap.NewFromStringMap(map[string]any{"service": map[string]any{"pipelines": pipelines}})
			assert.NoError(t, guard.Convert(context.Background(), conf))
		})
	}
}

func TestBrokenConfiguration(t *testing.T) {
	path := config(t, "receivers:\n  ebpf:\n    colour: red\nexporters: {debug: }\n")
	for _, args := range [][]string{{"--config", path}, {"validate", "--config", path}} {
		_, stderr, err := execute(t, host("CAP_SYS_ADMIN"), args...)
		require.Error(t, err)
		assert.Equal(t, path+":3: receivers::ebpf has no key \"colour\"; expected one of: "+
			"activity_ring_size, events, poll_interval, process_ring_size, tiers, watch_reads\n", stderr)
	}
}

func TestWrongCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--colour"}, "vedette: unknown flag: --colour\n"},
		{[]string{}, "vedette: at least one config flag must be provided\n"},
		{[]string{"doctor", "me"}, "vedette: unknown command \"me\" for \"vedette doctor\"\n"},
	} {
		stdout, stderr, err := execute(t, host("CAP_SYS_ADMIN"), tt.args...)
		require.Error(t, err)
		assert.Empty(t, stdout)
		assert.Equal(t, tt.want, stderr)
	}
}

func TestDoctor(t *testing.T) {
	well := host("CAP_BPF", "CAP_PERFMON")
	stdout, stderr, err := execute(t, well, "doctor")
	require.NoError(t, err)
	assert.Empty(t, stderr)
	assert.Contains(t, stdout, "✓ Vedette 1.2.3 can do its main job here.")
	assert.NotContains(t, stdout, "\x1b", "no colours without a terminal")

	stdout, stderr, err = execute(t, host(), "doctor")
	require.Error(t, err)
	assert.Empty(t, stderr)
	assert.Contains(t, stdout, "✗ Vedette 1.2.3 cannot do its main job here: load programs.")

	stdout, _, err = execute(t, well, "doctor", "--json")
	require.NoError(t, err)
	var report doctor.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	assert.True(t, report.OK)
}
