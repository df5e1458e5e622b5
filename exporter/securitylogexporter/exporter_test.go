// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/vedette-sec/vedette/exporter/securitylogexporter/internal/metadata"
	"github.com/vedette-sec/vedette/internal/event"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)

func testConfig(t testing.TB) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Directory = filepath.Join(t.TempDir(), "log")
	cfg.Terminal = terminalNever
	cfg.RetryConfig.Enabled = false
	return cfg
}

func (c *Config) path() string { return filepath.Join(c.Directory, c.FileName) }

func newExporter(t *testing.T, cfg *Config) exporter.Logs {
	exp, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	return exp
}

func startExporter(t *testing.T, cfg *Config) exporter.Logs {
	exp := newExporter(t, cfg)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, exp.Shutdown(context.Background())) })
	return exp
}

// fillAlert makes the record an alert about a reverse shell.
func fillAlert(t testing.TB, lr plog.LogRecord) {
	lr.SetEventName(event.KindSecurityAlert)
	lr.SetTimestamp(pcommon.NewTimestampFromTime(at))
	lr.SetSeverityNumber(plog.SeverityNumberFatal)
	lr.Body().SetStr("Reverse shell: nc of www-data to 203.0.113.9:4444")
	require.NoError(t, lr.Attributes().FromRaw(map[string]any{
		event.AttrProcessPID: 1301, event.AttrProcessExecutableName: "nc",
		event.AttrProcessExecutablePath: "/usr/bin/nc.openbsd", event.AttrProcessUserName: "www-data",
		event.AttrProcessAncestors: []any{"/usr/bin/bash[1022]", "/usr/sbin/sshd[812]", "/usr/sbin/init[1]"},
		event.AttrContainerID:      "c0ffee", event.AttrContainerRuntimeName: "docker",
		event.AttrDestinationAddress: "203.0.113.9", event.AttrDestinationPort: 4444,
		event.AttrSecurityRuleName:              "Reverse shell",
		event.AttrThreatTechniqueID:             []any{"T1059", "T1071"},
		event.AttrThreatTechniqueName:           []any{"Command and Scripting Interpreter", "Application Layer Protocol"},
		event.AttrThreatTechniqueSubtechniqueID: []any{"T1059.004"}, event.AttrThreatTechniqueSubtechniqueName: []any{"Unix Shell"},
	}))
}

func alerts(t testing.TB, n int) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr(event.AttrHostName, "web-1")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		lr := records.AppendEmpty()
		fillAlert(t, lr)
		lr.Attributes().PutStr(event.AttrEventID, fmt.Sprint(i))
	}
	return logs
}

// readLines parses a file of JSON lines.
func readLines(t testing.TB, path string) []map[string]any {
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var documents []map[string]any
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var document map[string]any
		require.NoError(t, json.Unmarshal(lines.Bytes(), &document), "%q", lines.Bytes())
		documents = append(documents, document)
	}
	require.NoError(t, lines.Err())
	return documents
}

func modeOf(t testing.TB, path string) os.FileMode {
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func TestShutdownWithoutStart(t *testing.T) {
	require.NoError(t, newExporter(t, testConfig(t)).Shutdown(t.Context()))
}

func TestLinesReachTheFile(t *testing.T) {
	cfg := testConfig(t)
	exp := startExporter(t, cfg)
	require.NoError(t, exp.ConsumeLogs(t.Context(), alerts(t, 2)))
	require.NoError(t, exp.ConsumeLogs(t.Context(), plog.NewLogs()))
	require.NoError(t, exp.ConsumeLogs(t.Context(), alerts(t, 1)))
	have := readLines(t, cfg.path())
	require.Len(t, have, 3)
	assert.Equal(t, "2026-03-04T05:06:07.000000089Z", have[1]["@timestamp"])
	assert.Equal(t, "Reverse shell: nc of www-data to 203.0.113.9:4444", have[1]["message"])
	assert.Equal(t, map[string]any{"name": "web-1"}, have[1]["host"])
	assert.Equal(t, "1", have[1]["event"].(map[string]any)["id"])
	assert.Equal(t, os.FileMode(0o600), modeOf(t, cfg.path()))
	assert.Equal(t, os.FileMode(0o700), modeOf(t, cfg.Directory))
}

func TestFindings(t *testing.T) {
	cfg := testConfig(t)
	cfg.Format = formatOCSF
	exp := startExporter(t, cfg)
	require.NoError(t, exp.ConsumeLogs(t.Context(), alerts(t, 2)))
	have := readLines(t, cfg.path())
	require.Len(t, have, 2)
	assert.Equal(t, 2004.0, have[1]["class_uid"])
	assert.Equal(t, "web-1", have[1]["device"].(map[string]any)["hostname"])
	assert.Equal(t, "1", have[1]["finding_info"].(map[string]any)["uid"])
}

func TestRestartAppends(t *testing.T) {
	cfg := testConfig(t)
	for range 2 {
		exp := newExporter(t, cfg)
		require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
		require.NoError(t, exp.ConsumeLogs(t.Context(), alerts(t, 1)))
		require.NoError(t, exp.Shutdown(t.Context()))
	}
	assert.Len(t, readLines(t, cfg.path()), 2)
}

func TestQueueIsFlushedAtShutdown(t *testing.T) {
	cfg := testConfig(t)
	cfg.QueueConfig.GetOrInsertDefault()
	exp := newExporter(t, cfg)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	for range 20 {
		require.NoError(t, exp.ConsumeLogs(t.Context(), alerts(t, 5)))
	}
	require.NoError(t, exp.Shutdown(t.Context()))
	assert.Len(t, readLines(t, cfg.path()), 100)
}

func TestConcurrentBatchesKeepLinesWhole(t *testing.T) {
	cfg := testConfig(t)
	exp := startExporter(t, cfg)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				assert.NoError(t, exp.ConsumeLogs(t.Context(), alerts(t, 3)))
			}
		})
	}
	wg.Wait()
	assert.Len(t, readLines(t, cfg.path()), 240)
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		arrange func(t *testing.T, cfg *Config)
		want    string
	}{
		"directory is a file": {func(t *testing.T, cfg *Config) {
			require.NoError(t, os.WriteFile(cfg.Directory, nil, 0o600))
		}, "directory: the one of the security log PATH cannot be made: mkdir DIR: not a directory; run as root or name one you may write to"},
		"file is a directory": {func(t *testing.T, cfg *Config) {
			require.NoError(t, os.MkdirAll(cfg.path(), 0o700))
		}, "file_name: the security log PATH is a directory, expected a regular file; remove it or choose another name"},
		"parent is unwritable": {func(_ *testing.T, cfg *Config) {
			cfg.Directory = "/proc/vedette"
		}, "directory: the one of the security log PATH cannot be made: mkdir DIR: no such file or directory; run as root or name one you may write to"},
		"file is unwritable": {func(_ *testing.T, cfg *Config) {
			cfg.Directory = "/proc/sys/kernel"
		}, "directory: the security log PATH cannot be opened for writing: open PATH: no such file or directory; run as root or name one you may write to"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			tc.arrange(t, cfg)
			exp := newExporter(t, cfg)
			err := exp.Start(t.Context(), componenttest.NewNopHost())
			assert.EqualError(t, err, strings.NewReplacer("PATH", cfg.path(), "DIR", cfg.Directory).Replace(tc.want))
			require.NoError(t, exp.Shutdown(t.Context()))
		})
	}
}

func TestMetrics(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
	cfg := testConfig(t)
	exp, err := NewFactory().CreateLogs(t.Context(), exporter.Settings{
		ID: component.NewID(metadata.Type), TelemetrySettings: tel.NewTelemetrySettings(),
	}, cfg)
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, exp.ConsumeLogs(t.Context(), alerts(t, 4)))
	require.NoError(t, exp.Shutdown(t.Context()))

	info, err := os.Stat(cfg.path())
	require.NoError(t, err)
	assert.Equal(t, int64(4), counter(t, tel, "otelcol_exporter_securitylog_lines"))
	assert.Equal(t, info.Size(), counter(t, tel, "otelcol_exporter_securitylog_written"))
}

func counter(t *testing.T, tel *componenttest.Telemetry, name string) int64 {
	m, err := tel.GetMetric(name)
	require.NoError(t, err)
	points := m.Data.(metricdata.Sum[int64]).DataPoints
	require.Len(t, points, 1)
	return points[0].Value
}
