// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGoldenAlert(t *testing.T) {
	sink := new(consumertest.LogsSink)
	logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(read(t, filepath.Join("testdata", "reverse_shell.json")))
	require.NoError(t, err)
	require.NoError(t, start(t, builtinRules(OutputAlerts), sink).ConsumeLogs(context.Background(), logs))
	require.Len(t, sink.AllLogs(), 1)

	src, err := (&plog.JSONMarshaler{}).MarshalLogs(sink.AllLogs()[0])
	require.NoError(t, err)
	var got bytes.Buffer
	require.NoError(t, json.Indent(&got, src, "", "  "))
	got.WriteByte('\n')
	golden := filepath.Join("testdata", "golden", "reverse_shell.json")
	if *update {
		require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o600))
	}
	assert.Equal(t, string(read(t, golden)), got.String())
}

func read(t *testing.T, path string) []byte {
	src, err := os.ReadFile(path)
	require.NoError(t, err)
	return src
}

func TestOutputs(t *testing.T) {
	in := func() plog.Logs {
		return batch(t,
			exec("/bin/true", nil),
			exec("/opt/tool", map[string]any{event.AttrProcessUserID: 0, event.AttrProcessCommandLine: "tool -x"}),
			exec("/bin/false", nil),
			exec("/opt/tool", map[string]any{event.AttrProcessUserID: 1000}))
	}
	cases := map[Output][]string{
		OutputAlerts:   {"security.alert Tool run", "security.alert Tool run by root", "security.alert Tool run"},
		OutputAnnotate: {"process.exec", "process.exec Tool run by root", "process.exec", "process.exec Tool run"},
		OutputAppend: {"process.exec", "process.exec", "security.alert Tool run", "security.alert Tool run by root",
			"process.exec", "process.exec", "security.alert Tool run"},
	}
	for output, want := range cases {
		t.Run(string(output), func(t *testing.T) {
			sink := new(consumertest.LogsSink)
			require.NoError(t, start(t, testRules(output), sink).ConsumeLogs(context.Background(), in()))
			var got []string
			for _, log := range given(sink) {
				line := log.EventName()
				if title := attr(log, event.AttrSecurityRuleName); title != nil {
					line += fmt.Sprint(" ", title)
				}
				got = append(got, line)
			}
			assert.Equal(t, want, got)
			resource := sink.AllLogs()[0].ResourceLogs().At(0)
			assert.Equal(t, map[string]any{event.AttrHostBootID: "b0071d"}, resource.Resource().Attributes().AsRaw())
			assert.Equal(t, "sensor", resource.ScopeLogs().At(0).Scope().Name())
		})
	}
}

func TestAlertsOutputLeavesTheBatchAlone(t *testing.T) {
	logs := batch(t, exec("/opt/tool", nil))
	logs.MarkReadOnly()
	assert.NoError(t, start(t, testRules(OutputAlerts), consumertest.NewNop()).ConsumeLogs(context.Background(), logs))
}

func TestAlertsOutputKeepsResourcesApart(t *testing.T) {
	logs := batch(t, exec("/opt/tool", nil))
	for _, name := range []string{"second", "third"} {
		other := logs.ResourceLogs().AppendEmpty()
		batch(t, exec("/opt/tool", nil), exec("/opt/tool", nil)).ResourceLogs().At(0).CopyTo(other)
		other.Resource().Attributes().PutStr(event.AttrHostBootID, name)
	}
	sink := new(consumertest.LogsSink)
	require.NoError(t, start(t, testRules(OutputAlerts), sink).ConsumeLogs(context.Background(), logs))
	got := map[any]int{}
	for _, resource := range sink.AllLogs()[0].ResourceLogs().All() {
		boot, _ := resource.Resource().Attributes().Get(event.AttrHostBootID)
		got[boot.Str()] += resource.ScopeLogs().At(0).LogRecords().Len()
	}
	assert.Equal(t, map[any]int{"b0071d": 1, "second": 2, "third": 2}, got)
}

func TestAnnotation(t *testing.T) {
	sink := new(consumertest.LogsSink)
	p := start(t, testRules(OutputAnnotate), sink)
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, exec("/opt/tool", map[string]any{event.AttrProcessUserID: 0}))))
	assert.Equal(t, map[string]any{
		"process.executable.path": "/opt/tool", "process.user.name": "ann", "process.user.id": int64(0),
		"vedette.rules_generation":   int64(1),
		"vedette.matched_rules":      []any{"0f0c6a0e-6f5b-4c0e-9c39-5f6b8f3a0001", "0f0c6a0e-6f5b-4c0e-9c39-5f6b8f3a0002"},
		"security_rule.uuid":         "0f0c6a0e-6f5b-4c0e-9c39-5f6b8f3a0002",
		"security_rule.name":         "Tool run by root",
		"security_rule.ruleset.name": "testdata/rules",
		"security_rule.version":      "2026-11-24",
		"security_rule.category":     "process_creation",
		"security_rule.level":        "high",
		"threat.framework":           "MITRE ATT&CK",
		"threat.technique.id":        []any{"T1548"}, "threat.technique.name": []any{"Abuse Elevation Control Mechanism"},
		"threat.technique.subtechnique.id": []any{"T1548.003"}, "threat.technique.subtechnique.name": []any{"Sudo and Sudo Caching"},
		"threat.tactic.id": []any{"TA0004"}, "threat.tactic.name": []any{"Privilege Escalation"},
		"vedette.matched": map[string]any{"selection": map[string]any{"process.executable.path": "/opt/tool", "UserId": int64(0)}},
	}, given(sink)[0].Attributes().AsRaw())
}

func TestMessagesAndSeverities(t *testing.T) {
	sink := new(consumertest.LogsSink)
	p := start(t, testRules(OutputAlerts), sink)
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t,
		exec("/opt/tool", map[string]any{event.AttrProcessUserID: 0, event.AttrProcessCommandLine: "tool\n-x", event.AttrProcessPID: 7}),
		testEvent{body: "Failed password for ann"})))
	alerts := given(sink)
	require.Len(t, alerts, 3)
	assert.Equal(t, "Tool run: /opt/tool (7) run by ann, child of -", alerts[0].Body().Str())
	assert.Equal(t, `root ran tool\n-x with -`, alerts[1].Body().Str())
	assert.Equal(t, "Password refused", alerts[2].Body().Str())
	assert.Equal(t, plog.SeverityNumberInfo2, alerts[0].SeverityNumber())
	assert.Equal(t, plog.SeverityNumberError, alerts[1].SeverityNumber())
	assert.Equal(t, "high", alerts[1].SeverityText())
	assert.Nil(t, attr(alerts[2], event.AttrVedetteEventName))
	assert.NotEqual(t, attr(alerts[0], event.AttrEventID), attr(alerts[1], event.AttrEventID))
}

func TestRecordsWithoutRulesPass(t *testing.T) {
	for _, e := range []testEvent{
		{name: "process.unheard_of", body: "Failed password", attrs: map[string]any{event.AttrProcessExecutablePath: "/opt/tool"}},
		{name: event.KindProcessExit, attrs: map[string]any{event.AttrProcessExecutablePath: "/opt/tool"}},
		{body: "Accepted password", attrs: map[string]any{event.AttrProcessExecutablePath: "/opt/tool"}},
	} {
		sink := new(consumertest.LogsSink)
		require.NoError(t, start(t, testRules(OutputAlerts), sink).ConsumeLogs(context.Background(), batch(t, e)))
		assert.Empty(t, sink.AllLogs(), e.name)
	}
}

func TestFolding(t *testing.T) {
	at := func(after time.Duration, user string) testEvent {
		e := exec("/opt/repeated", map[string]any{event.AttrProcessUserName: user})
		e.after = after
		return e
	}
	sink := new(consumertest.LogsSink)
	p := start(t, testRules(OutputAlerts), sink)
	for _, e := range []testEvent{
		at(0, "ann"), at(time.Second, "ann"), at(2*time.Second, "bob"), at(59*time.Second, "ann"),
		at(60*time.Second, "ann"), at(70*time.Second, "ann"), at(200*time.Second, "ann"), at(400*time.Second, "ann"),
	} {
		require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, e)))
	}
	var got []string
	for _, log := range given(sink) {
		got = append(got, fmt.Sprint(log.Timestamp().AsTime().Sub(testTime), " ", attr(log, event.AttrProcessUserName), " ",
			attr(log, event.AttrVedetteSuppressedCount)))
	}
	assert.Equal(t, []string{"0s ann <nil>", "2s bob <nil>", "1m0s ann 2", "3m20s ann 1", "6m40s ann <nil>"}, got)
}

// The connection that bash opens and the streams that lead to it are one reverse shell, and so is
// what the shell starts.
func TestReverseShellIsOneAlert(t *testing.T) {
	connect := testEvent{name: event.KindNetworkConnect, attrs: map[string]any{
		event.AttrProcessEntityID: "e1", event.AttrProcessExecutablePath: "/usr/bin/gawk",
		event.AttrNetworkInitiated: "true", event.AttrDestinationPort: 4444}}
	streams := func(id string, ancestry ...any) testEvent {
		return testEvent{name: event.KindProcessRemoteStdio, after: time.Millisecond, attrs: map[string]any{
			event.AttrProcessEntityID: id, event.AttrProcessAncestry: ancestry, event.AttrProcessExecutablePath: "/usr/bin/bash",
			event.AttrProcessIOVia: "socket", event.AttrNetworkDirection: "egress", event.AttrDestinationPort: 4444}}
	}
	cases := map[string]struct {
		batches [][]testEvent
		want    []string
	}{
		"one batch":   {[][]testEvent{{connect, streams("e1")}}, []string{"critical"}},
		"two batches": {[][]testEvent{{connect}, {streams("e1")}}, []string{"high"}},
		"a child":     {[][]testEvent{{streams("e1", "init")}, {streams("e2", "e1", "init"), streams("e3", "e2", "e1", "init")}}, []string{"critical"}},
		"a sibling":   {[][]testEvent{{streams("e1", "init")}, {streams("e2", "init")}}, []string{"critical", "critical"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			sink := new(consumertest.LogsSink)
			p := start(t, builtinRules(OutputAlerts), sink)
			for _, events := range c.batches {
				require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, events...)))
			}
			var got []string
			for _, log := range given(sink) {
				got = append(got, log.SeverityText())
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func withLoss(logs plog.Logs, total int64) plog.Logs {
	logs.ResourceLogs().At(0).ScopeLogs().At(0).Scope().Attributes().PutInt(event.AttrVedetteEventsLostTotal, total)
	return logs
}

func TestLostEvents(t *testing.T) {
	sink := new(consumertest.LogsSink)
	p := start(t, testRules(OutputAlerts), sink)
	tool, other := exec("/opt/tool", nil), exec("/bin/true", nil)
	for _, logs := range []plog.Logs{
		withLoss(batch(t, tool, tool), 5),
		withLoss(batch(t, other), 9),
		withLoss(batch(t, tool), 12),
		withLoss(batch(t, tool), 12),
		withLoss(batch(t, tool), 2), // the receiver began anew
		batch(t, tool),
	} {
		require.NoError(t, p.ConsumeLogs(context.Background(), logs))
	}
	var got []any
	for _, log := range given(sink) {
		got = append(got, attr(log, event.AttrVedetteEventsLost))
	}
	assert.Equal(t, []any{int64(5), int64(0), int64(7), int64(0), int64(2), nil}, got)
}

// moody refuses every batch while its error is set.
type moody struct {
	consumertest.LogsSink
	err error
}

func (m *moody) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	if m.err != nil {
		return m.err
	}
	return m.LogsSink.ConsumeLogs(ctx, logs)
}

var _ consumer.Logs = (*moody)(nil)

func TestRefusedBatchIsGivenAgain(t *testing.T) {
	next := &moody{err: errors.New("queue is full")}
	p := start(t, testRules(OutputAlerts), next)
	logs := func() plog.Logs {
		return withLoss(batch(t, exec("/opt/repeated", nil), exec("/opt/repeated", nil)), 3)
	}
	for range 2 {
		assert.ErrorIs(t, p.ConsumeLogs(context.Background(), logs()), next.err)
	}
	next.err = nil
	require.NoError(t, p.ConsumeLogs(context.Background(), logs()))
	alerts := given(&next.LogsSink)
	require.Len(t, alerts, 1)
	assert.Equal(t, int64(3), attr(alerts[0], event.AttrVedetteEventsLost))
	assert.Nil(t, attr(alerts[0], event.AttrVedetteSuppressedCount))
}

func TestConcurrentBatches(t *testing.T) {
	const workers, rounds = 8, 50
	sink := new(consumertest.LogsSink)
	p := start(t, testRules(OutputAppend), sink)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				logs := withLoss(batch(t, exec("/opt/repeated", nil), exec("/opt/tool", nil), exec("/bin/true", nil)), 1)
				assert.NoError(t, p.ConsumeLogs(context.Background(), logs))
			}
		})
	}
	wg.Wait()
	titles := map[any]int{}
	var lost int64
	for _, log := range given(sink) {
		titles[attr(log, event.AttrSecurityRuleName)]++
		if n, ok := attr(log, event.AttrVedetteEventsLost).(int64); ok {
			lost += n
		}
	}
	assert.Equal(t, map[any]int{nil: 3 * workers * rounds, "Tool run": workers * rounds, "Repeated tool": 1}, titles)
	assert.Equal(t, int64(1), lost)
}

func TestBrokenRules(t *testing.T) {
	dir := t.TempDir()
	good := read(t, "testdata/rules/folded.yaml")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "deeper"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".hidden"), 0o700))
	broken := filepath.Join(dir, "deeper", "broken.yml")
	for path, src := range map[string][]byte{
		filepath.Join(dir, "good.yaml"):             good,
		filepath.Join(dir, "twin.yml"):              good,
		filepath.Join(dir, "notes.txt"):             []byte("no rule"),
		filepath.Join(dir, ".hidden", "broken.yml"): []byte("title: ["),
		broken: bytes.Replace(bytes.Replace(good, []byte("condition: selection"), []byte("condition: selection and nothing"), 1), []byte("0003"), []byte("0013"), 1),
	} {
		require.NoError(t, os.WriteFile(path, src, 0o600))
	}
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "gone.yml")))
	cfg := testRules(OutputAlerts)
	cfg.Rules.Directories, cfg.Rules.OnError = []string{dir}, OnErrorReport

	core, logged := observer.New(zap.InfoLevel)
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	sink := new(consumertest.LogsSink)
	p := startWith(t, set, cfg, sink)
	var faults []string
	for _, entry := range logged.FilterMessage("Rule refused").All() {
		faults = append(faults, fmt.Sprint(entry.ContextMap()["error"]))
	}
	require.Len(t, faults, 3)
	assert.Regexp(t, "^"+broken+`:\d+:\d+: .*nothing`, faults[0])
	assert.Equal(t, filepath.Join(dir, "gone.yml")+": cannot be read, expected a file of rules: no such file or directory", faults[1])
	assert.Regexp(t, "^"+filepath.Join(dir, "twin.yml")+`:1: id .* is already used by the document at `+filepath.Join(dir, "good.yaml")+":1;", faults[2])
	summary := logged.FilterMessage("Rules loaded").All()
	require.Len(t, summary, 1)
	assert.Equal(t, map[string]any{"generation": int64(1), "loaded": int64(1), "degraded": int64(0), "disabled": int64(0), "refused": int64(3)},
		summary[0].ContextMap())
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t, exec("/opt/repeated", nil))))
	assert.Len(t, given(sink), 1)

	cfg.Rules.OnError = OnErrorFail
	refusing, err := NewFactory().CreateLogs(context.Background(), set, cfg, sink)
	require.NoError(t, err)
	err = refusing.Start(context.Background(), componenttest.NewNopHost())
	assert.ErrorContains(t, err, "rules::on_error is fail and these rules are broken:\n"+strings.Join(faults, "\n"))
	require.NoError(t, refusing.Shutdown(context.Background()))
}

func TestDirectoriesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file.yml")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):      "rules::directories: " + dir + "/none does not exist, expected a directory",
		file:                            "rules::directories: " + file + " is a file, expected a directory",
		filepath.Join(file, "file.yml"): "rules::directories: " + file + "/file.yml cannot be read, expected a directory: stat " + file + "/file.yml: not a directory",
	} {
		cfg := builtinRules(OutputAlerts)
		cfg.Rules.Directories = []string{path}
		p, err := NewFactory().CreateLogs(context.Background(), processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
		require.NoError(t, err)
		assert.EqualError(t, p.Start(context.Background(), componenttest.NewNopHost()), want)
		assert.NoError(t, p.Shutdown(context.Background()))
	}
}

func TestMetrics(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = tel.NewTelemetrySettings()
	p := startWith(t, set, testRules(OutputAlerts), consumertest.NewNop())
	require.NoError(t, p.ConsumeLogs(context.Background(), batch(t,
		exec("/opt/repeated", nil), exec("/opt/repeated", nil), exec("/opt/tool", map[string]any{event.AttrProcessUserID: 0}), exec("/bin/true", nil))))

	level := func(name string, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("level", name))}
	}
	sum := func(points ...metricdata.DataPoint[int64]) metricdata.Sum[int64] {
		return metricdata.Sum[int64]{Temporality: metricdata.CumulativeTemporality, IsMonotonic: true, DataPoints: points}
	}
	state := func(name string, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("state", name))}
	}
	for name, want := range map[string]metricdata.Aggregation{
		"events":            sum(metricdata.DataPoint[int64]{Value: 4}),
		"alerts":            sum(level("low", 1), level("high", 1), level("medium", 1)),
		"alerts_suppressed": sum(level("medium", 1)),
		"rules":             metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{state("loaded", 4), state("degraded", 1), state("disabled", 0), state("refused", 0)}},
		"rules_generation":  metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{{Value: 1}}},
	} {
		got, err := tel.GetMetric("otelcol_processor_detection_" + name)
		require.NoError(t, err)
		metricdatatest.AssertAggregationsEqual(t, want, got.Data, metricdatatest.IgnoreTimestamp())
	}
	got, err := tel.GetMetric("otelcol_processor_detection_evaluation_duration")
	require.NoError(t, err)
	assert.Equal(t, uint64(1), got.Data.(metricdata.Histogram[float64]).DataPoints[0].Count)
}

func TestEventTime(t *testing.T) {
	log := plog.NewLogRecord()
	before := time.Now()
	assert.False(t, eventTime(log).Before(before))
	log.SetObservedTimestamp(pcommon.NewTimestampFromTime(testTime))
	assert.Equal(t, testTime, eventTime(log))
	log.SetTimestamp(pcommon.NewTimestampFromTime(testTime.Add(-time.Second)))
	assert.Equal(t, testTime.Add(-time.Second), eventTime(log))
}
