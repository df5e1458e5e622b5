// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/recording"
	"github.com/vedette-sec/vedette/processor/detectionprocessor"
)

// explanation says why alerts that everyday work raises are right to be raised.
type explanation struct {
	Rule    string `yaml:"rule"`
	Message string `yaml:"message"` // regular expression
	Alerts  int    `yaml:"alerts"`  // how many there are
	Work    string `yaml:"work"`    // that raises them
	Why     string `yaml:"why"`
}

// TestEverydayWork replays two hours of everyday work of a server through the processor as it is shipped. Every alert of
// level medium or above must be explained.
func TestEverydayWork(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "everyday.explained.yaml"))
	require.NoError(t, err)
	var explained []explanation
	require.NoError(t, yaml.Unmarshal(text, &explained))
	seen, messages := make([]int, len(explained)), make([]*regexp.Regexp, len(explained))
	for i, e := range explained {
		messages[i] = regexp.MustCompile(e.Message)
		assert.NotEmpty(t, e.Why, e.Message)
	}
	for _, alert := range replay(t, filepath.Join("testdata", "everyday.otlp.zst")) {
		if alert.SeverityNumber() < plog.SeverityNumberWarn {
			continue
		}
		name, _ := alert.Attributes().Get(event.AttrSecurityRuleName)
		fits := 0
		for i, e := range explained {
			if e.Rule == name.Str() && messages[i].MatchString(alert.Body().Str()) {
				seen[i]++
				fits++
			}
		}
		assert.Equal(t, 1, fits, "explanations for %s at %s: %s", name.Str(), alert.Timestamp().AsTime().Format(time.TimeOnly), alert.Body().Str())
	}
	for i, e := range explained {
		assert.Equal(t, e.Alerts, seen[i], "alerts of %s that fit %s", e.Rule, e.Message)
	}
}

// replay gives the alerts that a recording raises.
func replay(t *testing.T, path string) []plog.LogRecord {
	t.Helper()
	reader, err := recording.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, reader.Close()) }()
	factory := detectionprocessor.NewFactory()
	sink := new(consumertest.LogsSink)
	detection, err := factory.CreateLogs(t.Context(), processortest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig(), sink)
	require.NoError(t, err)
	require.NoError(t, detection.Start(t.Context(), componenttest.NewNopHost()))
	for logs, err := range reader.All() {
		require.NoError(t, err)
		require.NoError(t, detection.ConsumeLogs(t.Context(), logs))
	}
	require.NoError(t, detection.Shutdown(t.Context()))
	var alerts []plog.LogRecord
	for _, logs := range sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, alert := range scope.LogRecords().All() {
					alerts = append(alerts, alert)
				}
			}
		}
	}
	return alerts
}
