// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"context"
	"errors"
	"os"
	"slices"
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
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/sensor"
	"github.com/vedette-sec/vedette/receiver/ebpfreceiver/internal/metadata"
)

// create makes a receiver as the Collector does; tel may be nil.
func create(t *testing.T, tel *componenttest.Telemetry, next consumer.Logs, events ...string) *ebpfReceiver {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if len(events) > 0 {
		cfg.Events = events
	}
	set := receivertest.NewNopSettings(metadata.Type)
	if tel != nil {
		set.TelemetrySettings = tel.NewTelemetrySettings()
	}
	made, err := NewFactory().CreateLogs(t.Context(), set, cfg, next)
	require.NoError(t, err)
	return made.(*ebpfReceiver)
}

func start(t *testing.T, r *ebpfReceiver) {
	t.Helper()
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
}

// shutdown also works when the test's context has ended.
func shutdown(t *testing.T, r *ebpfReceiver) {
	t.Helper()
	require.NoError(t, r.Shutdown(context.Background()))
}

func newTelemetry(t *testing.T) *componenttest.Telemetry {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	return tel
}

func sum(t *testing.T, tel *componenttest.Telemetry, name, by string) map[string]int64 {
	t.Helper()
	m, err := tel.GetMetric(name)
	require.NoError(t, err)
	counts := map[string]int64{}
	for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
		value, _ := point.Attributes.Value(attributeKey(by))
		counts[value.AsString()] += point.Value
	}
	return counts
}

func TestShutdownWithoutStart(t *testing.T) {
	r := create(t, nil, consumertest.NewNop())
	shutdown(t, r)
	shutdown(t, r)
}

func TestSensorOptions(t *testing.T) {
	lifecycle := []sensor.Kind{sensor.KindFork, sensor.KindExec, sensor.KindExit}
	for name, tc := range map[string]struct {
		events []string
		tiers  map[string]string
		kinds  []sensor.Kind
		force  map[sensor.Kind]sensor.Tier
	}{
		"the process table needs process lifecycle":   {[]string{"file.open"}, nil, append(slices.Clone(lifecycle), sensor.KindOpen), nil},
		"remote stdio needs streams and connections":  {[]string{"process.remote_stdio"}, nil, append(slices.Clone(lifecycle), sensor.KindStdio, sensor.KindConnect, sensor.KindAccept), nil},
		"a kind that is needed and asked for is once": {[]string{"network.accept", "process.remote_stdio"}, nil, append(slices.Clone(lifecycle), sensor.KindAccept, sensor.KindStdio, sensor.KindConnect), nil},
		"a tier": {[]string{"process.exec"}, map[string]string{"file.open": "kprobe"}, lifecycle, map[sensor.Kind]sensor.Tier{sensor.KindOpen: sensor.Kprobe}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			cfg.Events, cfg.Tiers = tc.events, tc.tiers
			opts := sensorOptions(cfg)
			assert.Equal(t, tc.kinds, opts.Kinds)
			assert.Len(t, opts.Force, len(tc.force))
			for kind, tier := range tc.force {
				assert.Equal(t, tier, opts.Force[kind])
			}
			assert.EqualValues(t, 8<<20, opts.ProcessRing)
			assert.EqualValues(t, 16<<20, opts.ActivityRing)
		})
	}
	assert.Len(t, kindNames, len(allKinds), "every kind has a kernel record")
}

func TestTierThatDoesNotServe(t *testing.T) {
	ring.Require(t, ring.Native)
	r := create(t, nil, consumertest.NewNop(), event.KindProcessExec)
	r.config.Tiers = map[string]string{event.KindProcessExec: "lsm"}
	err := r.Start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, "load the kernel programs: exec events: the tier asked for does not serve this kind")
	shutdown(t, r)
}

func TestBootTime(t *testing.T) {
	first := bootTime()
	assert.Less(t, bootTime().Sub(first).Abs(), clockSet)
	assert.True(t, first.Before(time.Now()))
	assert.NotContains(t, first.String(), " m=", "the difference of two must be the wall clock's")
}

// TestEvents runs a program that does something of every kind and looks at all that two receivers say of it.
func TestEvents(t *testing.T) {
	ring.Require(t, ring.Native)
	tel := newTelemetry(t)
	all, derived := &consumertest.LogsSink{}, &consumertest.LogsSink{}
	everything := create(t, tel, all, allKinds...)
	start(t, everything)
	remoteOnly := create(t, nil, derived, event.KindProcessRemoteStdio)
	start(t, remoteOnly)
	tiers := map[string]sensor.Tier{}
	for _, tier := range everything.sensor.Tiers() {
		require.NoError(t, tier.Err)
		tiers[kindNames[tier.Kind]] = tier.Tier
	}
	pid, dir := runSubject(t)
	// What happened right before the end is delivered too.
	shutdown(t, everything)
	shutdown(t, remoteOnly)
	records := recordsOf(all)
	mine := slices.DeleteFunc(slices.Clone(records), func(r record) bool {
		return r.integer(event.AttrProcessPID) != pid && r.integer(event.AttrProcessParentPID) != pid
	})

	t.Run("what happened, in its order", func(t *testing.T) {
		var have []string
		for _, r := range mine {
			have = append(have, r.describe(pid, dir))
		}
		assertInOrder(t, []string{
			"process.fork",
			"process.exec an argument",
			"file.create DIR/new write",
			"file.open DIR/new write append",
			"file.access /etc/shadow read",
			"file.create DIR/link -> /etc/passwd",
			"file.create DIR/hard",
			"file.create DIR/dir",
			"file.create DIR/\uFFFD write",
			"process.image_load DIR/new",
			"file.attributes DIR/new 4755 setuid",
			"file.rename DIR/dir/renamed",
			"file.delete DIR/dir/renamed",
			"network.bind 127.0.0.1",
			"network.listen 127.0.0.1",
			"network.connect true",
			"network.accept false",
			"dns.query example.org TXT",
			"process.access mem_read",
			"process.inject mem_write",
			"child process.fork",
			"child process.setid 0 to 1001",
			"child process.exec remote",
			"child process.remote_stdio socket egress",
			"child process.exit signal 9",
			"process.exit 3",
		}, have)
	})
	t.Run("attributes are those of the vocabulary", func(t *testing.T) {
		for _, r := range records {
			assertVocabulary(t, r)
		}
		seen := map[string]bool{}
		for _, r := range mine {
			seen[r.EventName()] = true
			assertPromised(t, r)
			assertOutcome(t, r, tiers[r.EventName()])
		}
		for _, kind := range allKinds {
			if known, _ := event.KindByName(kind); known.Class != "kernel" { // these have a test of their own
				assert.True(t, seen[kind], kind)
			}
		}
	})
	// Each of these led to the next. Those of processes that have nothing to do with each other may come a little out of order.
	t.Run("order", func(t *testing.T) {
		for i := 1; i < len(mine); i++ {
			require.LessOrEqual(t, mine[i-1].Timestamp(), mine[i].Timestamp(), "%s before %s", mine[i-1].EventName(), mine[i].EventName())
		}
	})
	t.Run("resource and scope", func(t *testing.T) { assertEnvelope(t, all) })
	t.Run("a kind that was not asked for is not emitted", func(t *testing.T) {
		found := 0
		for _, r := range recordsOf(derived) {
			assert.Equal(t, event.KindProcessRemoteStdio, r.EventName())
			if r.integer(event.AttrProcessParentPID) == pid {
				found++
				assert.Equal(t, "egress", r.text(event.AttrNetworkDirection))
			}
		}
		assert.Equal(t, 1, found, "remote_stdio is derived from connections that nobody asked for")
	})
	t.Run("metrics", func(t *testing.T) {
		emitted := map[string]int64{}
		for _, r := range records {
			emitted[r.EventName()]++
		}
		assert.Equal(t, emitted, sum(t, tel, "otelcol_receiver_ebpf_events", "kind"))
		processes, err := tel.GetMetric("otelcol_receiver_ebpf_processes")
		require.NoError(t, err)
		points := processes.Data.(metricdata.Gauge[int64]).DataPoints
		require.Len(t, points, 1)
		assert.Positive(t, points[0].Value)
	})
}

// TestRefusedEventsAreCounted has a pipeline that refuses until it has seen the subject, then takes.
func TestRefusedEventsAreCounted(t *testing.T) {
	ring.Require(t, ring.Native)
	tel := newTelemetry(t)
	var mutex sync.Mutex
	var refused int64
	taking := false
	sink := &consumertest.LogsSink{}
	next, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
		mutex.Lock()
		defer mutex.Unlock()
		if taking {
			return sink.ConsumeLogs(ctx, logs)
		}
		refused += int64(logs.LogRecordCount())
		return errors.New("the queue is full")
	})
	require.NoError(t, err)
	r := create(t, tel, next, event.KindProcessExec, event.KindProcessExit)
	start(t, r)
	runSubject(t)
	shutdown(t, r)
	require.GreaterOrEqual(t, refused, int64(4), "two programs began and ended")
	assert.Equal(t, map[string]int64{"refused": refused}, sum(t, tel, "otelcol_receiver_ebpf_events_lost", "cause"))
	_, err = tel.GetMetric("otelcol_receiver_ebpf_events")
	assert.Error(t, err, "what was refused was not emitted")

	// It can be started again, and begins to count anew.
	taking = true
	start(t, r)
	pid, _ := runSubject(t)
	shutdown(t, r)
	assert.Contains(t, lostTotals(sink), int64(0))
	assert.True(t, slices.ContainsFunc(recordsOf(sink), func(r record) bool { return r.integer(event.AttrProcessPID) == pid }))
}

// TestLossIsTold has a pipeline that refuses its first events: what comes later says so.
func TestLossIsTold(t *testing.T) {
	ring.Require(t, ring.Native)
	var refused int64
	first := make(chan struct{})
	sink := &consumertest.LogsSink{}
	next, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
		if refused > 0 {
			return sink.ConsumeLogs(ctx, logs)
		}
		refused = int64(logs.LogRecordCount())
		close(first)
		return errors.New("the queue is full")
	})
	require.NoError(t, err)
	r := create(t, nil, next, event.KindProcessExec)
	start(t, r)
	runSubject(t)
	<-first
	runSubject(t)
	shutdown(t, r)
	require.NotEmpty(t, lostTotals(sink))
	for _, total := range lostTotals(sink) {
		assert.Equal(t, refused, total)
	}
}

func lostTotals(sink *consumertest.LogsSink) []int64 {
	var list []int64
	for _, logs := range sink.AllLogs() {
		total, _ := logs.ResourceLogs().At(0).ScopeLogs().At(0).Scope().Attributes().Get(event.AttrVedetteEventsLostTotal)
		list = append(list, total.Int())
	}
	return list
}

func assertEnvelope(t *testing.T, sink *consumertest.LogsSink) {
	t.Helper()
	name, err := os.Hostname()
	require.NoError(t, err)
	for _, logs := range sink.AllLogs() {
		require.Equal(t, 1, logs.ResourceLogs().Len())
		attrs := logs.ResourceLogs().At(0).Resource().Attributes().AsRaw()
		assert.Equal(t, name, attrs[event.AttrHostName])
		assert.Equal(t, "linux", attrs[event.AttrOSType])
		assert.Equal(t, "vedette", attrs[event.AttrServiceName])
		for _, key := range []string{event.AttrHostID, event.AttrHostBootID, event.AttrOSVersion} {
			assert.NotEmpty(t, attrs[key], key)
		}
		assert.Len(t, attrs, 6)
		scope := logs.ResourceLogs().At(0).ScopeLogs().At(0).Scope()
		assert.Equal(t, metadata.ScopeName, scope.Name())
		lost, ok := scope.Attributes().Get(event.AttrVedetteEventsLostTotal)
		assert.True(t, ok)
		assert.Zero(t, lost.Int())
	}
}

// record is a log record with shorter words.
type record struct{ plog.LogRecord }

func recordsOf(sink *consumertest.LogsSink) []record {
	var list []record
	for _, logs := range sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, r := range scope.LogRecords().All() {
					list = append(list, record{r})
				}
			}
		}
	}
	return list
}

func (r record) value(name string) pcommon.Value {
	if v, ok := r.Attributes().Get(name); ok {
		return v
	}
	return pcommon.NewValueEmpty()
}

func (r record) text(name string) string { return r.value(name).Str() }

func (r record) integer(name string) int64 { return r.value(name).Int() }

func (r record) words(name string) []string {
	v := r.value(name)
	if v.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	var list []string
	for _, word := range v.Slice().All() {
		list = append(list, word.Str())
	}
	return list
}

// describe says in a line what the record says of the subject with that pid or of its child.
func (r record) describe(pid int64, dir string) string {
	words := []string{r.EventName()}
	if r.integer(event.AttrProcessPID) != pid {
		words = []string{"child", r.EventName()}
	}
	add := func(list ...string) { words = append(words, list...) }
	switch r.EventName() {
	case event.KindProcessExec:
		add(r.words(event.AttrProcessCommandArgs)[1:]...)
	case event.KindProcessExit:
		if signal, ok := r.Attributes().Get(event.AttrProcessExitSignal); ok {
			add("signal", signal.AsString())
		} else {
			add(r.value(event.AttrProcessExitCode).AsString())
		}
	case event.KindProcessRemoteStdio:
		add(r.text(event.AttrProcessIOVia), r.text(event.AttrNetworkDirection))
	case event.KindNetworkConnect, event.KindNetworkAccept:
		add(r.text(event.AttrNetworkInitiated))
	case event.KindNetworkBind, event.KindNetworkListen:
		add(r.text(event.AttrSourceAddress))
	case event.KindProcessSetid:
		add(r.value(event.AttrProcessOldGroupID).AsString(), "to", r.value(event.AttrProcessGroupID).AsString())
	case event.KindProcessImageLoad:
		add(strings.Replace(r.text(event.AttrDllPath), dir, "DIR", 1))
	case event.KindFileAttributes:
		add(strings.Replace(r.text(event.AttrFilePath), dir, "DIR", 1), r.text(event.AttrFileMode))
		add(r.words(event.AttrFilePrivilegeBits)...)
	case event.KindProcessAccess, event.KindProcessInject:
		add(r.text(event.AttrProcessAccessCall))
	case event.KindDNSQuery:
		add(r.text(event.AttrDNSQuestionName), r.text(event.AttrDNSQuestionType))
	case event.KindProcessFork:
	default:
		add(strings.Replace(r.text(event.AttrFilePath), dir, "DIR", 1))
		if target := r.text(event.AttrFileTargetPath); target != "" {
			add("->", target)
		}
		// Once the kernel has acted, it no longer knows of these two.
		add(slices.DeleteFunc(r.words(event.AttrFileFlags), func(flag string) bool { return flag == "create" || flag == "truncate" })...)
	}
	return strings.Join(words, " ")
}

// assertInOrder wants the lines in this order; what is between does not matter.
func assertInOrder(t *testing.T, want, have []string) {
	t.Helper()
	rest := have
	for _, line := range want {
		at := slices.Index(rest, line)
		require.GreaterOrEqual(t, at, 0, "%q, in this order, in\n%s", line, strings.Join(have, "\n"))
		rest = rest[at+1:]
	}
}
