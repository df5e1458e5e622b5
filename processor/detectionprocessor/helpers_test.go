// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

var testTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// testRules is the configuration that loads the rules in testdata alone.
func testRules(output Output) *Config {
	cfg := testConfig(output)
	cfg.Rules.Builtin, cfg.Rules.Directories = false, []string{"testdata/rules"}
	return cfg
}

func builtinRules(output Output) *Config {
	return testConfig(output)
}

// testConfig is the default one, but strict, without a status file and without looking for changes.
func testConfig(output Output) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Output, cfg.StatusFile = output, ""
	cfg.Rules.OnError, cfg.Rules.ReloadInterval = OnErrorFail, 0
	return cfg
}

func start(t testing.TB, cfg *Config, next consumer.Logs) *detection {
	return startWith(t, processortest.NewNopSettings(metadata.Type), cfg, next)
}

func startWith(t testing.TB, set processor.Settings, cfg *Config, next consumer.Logs) *detection {
	p, err := NewFactory().CreateLogs(context.Background(), set, cfg, next)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.Background())) })
	return p.(*detection)
}

// testEvent is one log record of a batch. Its attributes follow those of a process.
type testEvent struct {
	name  string
	after time.Duration // after testTime
	body  string
	attrs map[string]any
}

func batch(t testing.TB, events ...testEvent) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr(event.AttrHostBootID, "b0071d")
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName("sensor")
	for _, e := range events {
		log := scope.LogRecords().AppendEmpty()
		log.SetEventName(e.name)
		log.SetTimestamp(pcommon.NewTimestampFromTime(testTime.Add(e.after)))
		if e.body != "" {
			log.Body().SetStr(e.body)
		}
		require.NoError(t, log.Attributes().FromRaw(e.attrs))
	}
	return logs
}

func exec(image string, more map[string]any) testEvent {
	attrs := map[string]any{event.AttrProcessExecutablePath: image, event.AttrProcessUserName: "ann"}
	for name, value := range more {
		attrs[name] = value
	}
	return testEvent{name: event.KindProcessExec, attrs: attrs}
}

// given is every record that reached the end of the pipeline, in order.
func given(sink *consumertest.LogsSink) []plog.LogRecord {
	var all []plog.LogRecord
	for _, logs := range sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, log := range scope.LogRecords().All() {
					all = append(all, log)
				}
			}
		}
	}
	return all
}

func attr(log plog.LogRecord, name string) any {
	value, ok := log.Attributes().Get(name)
	if !ok {
		return nil
	}
	return value.AsRaw()
}
