// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

const scans = `title: Port scanner
id: 6c7f5b0e-0000-4000-8000-000000000001
name: scanner
logsource: {product: linux, category: process_creation}
detection:
  selection: {Image|endswith: /nmap}
  condition: selection
---
title: Many scans
id: 6c7f5b0e-0000-4000-8000-000000000002
level: high
tags: [attack.discovery, attack.t1046]
correlation:
  type: event_count
  rules: [scanner]
  group-by: [User]
  timespan: 10m
  condition: {gte: 3}
output: '{User} scans a lot'
`

// correlating is the configuration that loads one file of rules, without lateness.
func correlating(t *testing.T, output Output, text string) (*Config, string) {
	file := filepath.Join(t.TempDir(), "rules.yml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	cfg := testConfig(output)
	cfg.Rules.Builtin, cfg.Rules.Directories = false, []string{filepath.Dir(file)}
	cfg.Correlation.AllowedLateness = 0
	return cfg, file
}

func scan(after time.Duration, user string) testEvent {
	e := exec("/usr/bin/nmap", map[string]any{event.AttrProcessUserName: user, event.AttrProcessPID: int(after.Seconds())})
	e.after = after
	return e
}

func TestCorrelationMakesOneAlert(t *testing.T) {
	cfg, _ := correlating(t, OutputAlerts, scans)
	sink := new(consumertest.LogsSink)
	p := start(t, cfg, sink)
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, scan(0, "ann"), scan(1*time.Second, "bob"), scan(2*time.Second, "ann"))))
	require.Empty(t, sink.AllLogs(), "the rule itself is silent")
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, scan(3*time.Second, "ann"), scan(4*time.Second, "ann"))))
	alerts := given(sink)
	require.Len(t, alerts, 1)
	a := alerts[0]
	assert.Equal(t, "ann scans a lot", a.Body().Str())
	assert.Equal(t, "high", a.SeverityText())
	assert.Equal(t, testTime.Add(3*time.Second), a.Timestamp().AsTime())
	assert.Equal(t, "Many scans", attr(a, event.AttrSecurityRuleName))
	assert.Equal(t, []any{"T1046"}, attr(a, event.AttrThreatTechniqueID))
	assert.Equal(t, "/usr/bin/nmap", attr(a, event.AttrProcessExecutablePath), "the latest event's process")
	assert.Equal(t, int64(3), attr(a, event.AttrProcessPID))
	facts := attr(a, event.AttrVedetteCorrelation).(map[string]any)
	assert.Equal(t, "event_count", facts["type"])
	assert.Equal(t, 3.0, facts["value"])
	assert.Equal(t, map[string]any{"User": "ann"}, facts["group"])
	assert.Equal(t, "2026-11-23T12:00:00Z", facts["first"])
	assert.Len(t, facts["events"], 3)
	assert.Nil(t, attr(a, event.AttrVedetteMatched))
	resource := sink.AllLogs()[0].ResourceLogs().At(0)
	assert.Equal(t, map[string]any{event.AttrHostBootID: "b0071d"}, resource.Resource().Attributes().AsRaw())
}

func TestCorrelationFollowsEventsInOtherOutputs(t *testing.T) {
	for output, want := range map[Output][]string{
		OutputAppend:   {"process.exec", "process.exec", "process.exec", "security.alert"},
		OutputAnnotate: {"process.exec", "process.exec", "process.exec", "security.alert"},
	} {
		cfg, _ := correlating(t, output, scans)
		sink := new(consumertest.LogsSink)
		p := start(t, cfg, sink)
		require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, scan(0, "ann"), scan(time.Second, "ann"), scan(2*time.Second, "ann"))))
		var got []string
		for _, log := range given(sink) {
			got = append(got, log.EventName())
		}
		assert.Equal(t, want, got, output)
	}
}

func TestGenerateLetsTheRuleAlertToo(t *testing.T) {
	cfg, _ := correlating(t, OutputAlerts, strings.Replace(scans, "level: high", "generate: true\nlevel: high", 1))
	sink := new(consumertest.LogsSink)
	p := start(t, cfg, sink)
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, scan(0, "ann"), scan(time.Second, "ann"), scan(2*time.Second, "ann"))))
	var ids []any
	alerts := given(sink)
	require.Len(t, alerts, 4)
	for _, a := range alerts[:3] {
		ids = append(ids, attr(a, event.AttrEventID))
	}
	assert.Equal(t, ids, attr(alerts[3], event.AttrVedetteCorrelation).(map[string]any)["events"], "the alerts it counted")
}

// The lateness lets earlier events come in; the alert then comes by the clock.
func TestCorrelationAlertsWithoutAFurtherEvent(t *testing.T) {
	cfg, _ := correlating(t, OutputAlerts, scans)
	cfg.Correlation.AllowedLateness = 3 * time.Second
	sink := new(consumertest.LogsSink)
	p := start(t, cfg, sink)
	begin := time.Since(testTime)
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t,
		scan(begin-time.Second, "ann"), scan(begin-3*time.Second, "ann"), scan(begin-2*time.Second, "ann"))))
	require.Eventually(t, func() bool { return sink.LogRecordCount() == 1 }, 30*time.Second, 50*time.Millisecond)
}

// Without correlations the clock stands; it must go again when a reload brings some.
func TestReloadBringsTheFirstCorrelation(t *testing.T) {
	cfg, file := correlating(t, OutputAlerts, toolRule)
	cfg.Correlation.AllowedLateness = 3 * time.Second
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	sink := new(consumertest.LogsSink)
	p := startWith(t, set, cfg, sink)
	require.Eventually(t, func() bool {
		_, err := tel.GetMetric("otelcol_processor_detection_correlation_groups")
		return err == nil
	}, 30*time.Second, 20*time.Millisecond, "the clock has ticked once")

	require.NoError(t, os.WriteFile(file, []byte(scans), 0o600))
	require.NoError(t, p.reload(context.Background()))
	begin := time.Since(testTime)
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t,
		scan(begin-time.Second, "ann"), scan(begin-3*time.Second, "ann"), scan(begin-2*time.Second, "ann"))))
	require.Eventually(t, func() bool { return sink.LogRecordCount() == 1 }, 30*time.Second, 50*time.Millisecond)
}

func TestReloadKeepsWhatCorrelationsRemember(t *testing.T) {
	cfg, file := correlating(t, OutputAlerts, scans)
	sink := new(consumertest.LogsSink)
	p := start(t, cfg, sink)
	ctx := context.Background()
	require.NoError(t, p.ConsumeLogs(ctx, batch(t, scan(0, "ann"), scan(time.Second, "ann"))))

	require.NoError(t, os.WriteFile(file, []byte(scans+"---\ntitle: Another\nlogsource: {category: process_creation}\ndetection:\n  s: {Image: /bin/x}\n  condition: s\n"), 0o600))
	require.NoError(t, p.reload(ctx))
	assert.Equal(t, int64(2), p.current.number)
	require.NoError(t, p.ConsumeLogs(ctx, batch(t, scan(2*time.Second, "ann"))))
	require.Len(t, given(sink), 1, "two events before the reload and one after it")
	assert.Equal(t, int64(2), attr(given(sink)[0], event.AttrVedetteRulesGeneration))

	require.NoError(t, os.WriteFile(file, []byte("title: Broken\n"), 0o600))
	require.ErrorContains(t, p.reload(ctx), "rules.yml:1")
	assert.Equal(t, int64(2), p.current.number, "the last good set stays in force")
	require.NoError(t, os.RemoveAll(filepath.Dir(file)))
	require.ErrorContains(t, p.reload(ctx), "does not exist")
	assert.Equal(t, int64(2), p.current.number)
}

// hostWith is a host with one extension.
type hostWith struct {
	id        component.ID
	extension extension.Extension
}

func (h hostWith) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{h.id: h.extension}
}

func fileStorage(t *testing.T, dir string) hostWith {
	factory := filestorage.NewFactory()
	cfg := factory.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = dir
	ext, err := factory.Create(context.Background(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return hostWith{component.NewID(factory.Type()), ext}
}

func TestCorrelationsOutliveARestart(t *testing.T) {
	host := fileStorage(t, t.TempDir())
	cfg, _ := correlating(t, OutputAlerts, scans)
	cfg.Storage = &host.id
	ctx := context.Background()
	sink := new(consumertest.LogsSink)
	live := func(events ...testEvent) {
		p, err := NewFactory().CreateLogs(ctx, processortest.NewNopSettings(metadata.Type), cfg, sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(ctx, host))
		require.NoError(t, p.ConsumeLogs(ctx, batch(t, events...)))
		require.NoError(t, p.Shutdown(ctx))
	}
	live(scan(0, "ann"), scan(time.Second, "ann"))
	require.Empty(t, sink.AllLogs())
	live(scan(2*time.Second, "ann"))
	require.Len(t, given(sink), 1)
}

func TestStorageThatIsNone(t *testing.T) {
	cfg, _ := correlating(t, OutputAlerts, scans)
	id := component.MustNewID("nothing")
	cfg.Storage = &id
	p, err := NewFactory().CreateLogs(context.Background(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	assert.EqualError(t, p.Start(context.Background(), componenttest.NewNopHost()), "storage: the extension nothing is not in service::extensions")
	ext, err := extensiontest.NewNopFactory().Create(context.Background(), extensiontest.NewNopSettings(extensiontest.NopType), nil)
	require.NoError(t, err)
	assert.EqualError(t, p.Start(context.Background(), hostWith{id, ext}), "storage: the extension nothing stores nothing, expected one such as file_storage")
	require.NoError(t, p.Shutdown(context.Background()))
}

func TestCorrelationsAreMeasured(t *testing.T) {
	cfg, _ := correlating(t, OutputAlerts, scans)
	cfg.Correlation.MaxGroups = 2
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	p := startWith(t, set, cfg, consumertest.NewNop())
	nobody := scan(3*time.Second, "")
	delete(nobody.attrs, event.AttrProcessUserName)
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, scan(0, "ann"), scan(time.Second, "bob"), scan(2*time.Second, "eve"), nobody)))
	// They are counted one after the other, so that a look may find a part of them.
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		incomplete, err := tel.GetMetric("otelcol_processor_detection_correlation_incomplete")
		require.NoError(t, err)
		sums := map[string]int64{}
		for _, point := range incomplete.Data.(metricdata.Sum[int64]).DataPoints {
			cause, _ := point.Attributes.Value("cause")
			sums[cause.AsString()] = point.Value
		}
		assert.Equal(t, map[string]int64{"max_groups": 1, "ungrouped": 1}, sums)
		groups, err := tel.GetMetric("otelcol_processor_detection_correlation_groups")
		require.NoError(t, err)
		assert.Equal(t, int64(2), groups.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
	}, 30*time.Second, 20*time.Millisecond)
	status := p.current.correlationStatus()
	require.Len(t, status, 1)
	assert.Equal(t, 2, status[0].Groups)
	assert.Equal(t, map[string]uint64{"max_groups": 1, "ungrouped": 1}, status[0].Incomplete)
}
