// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/eventlog"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
	"github.com/vedette-sec/vedette/processor/detectionprocessor"
)

// alertsOf has the detection processor judge records by the built-in rules, and returns its alerts as lines of a security log.
func alertsOf(t *testing.T, logs plog.Logs) [][]byte {
	factory := detectionprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig().(*detectionprocessor.Config)
	cfg.StatusFile = ""
	sink := new(consumertest.LogsSink)
	p, err := factory.CreateLogs(context.Background(), processortest.NewNopSettings(factory.Type()), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeLogs(context.Background(), logs))
	require.NoError(t, p.Shutdown(context.Background()))
	var lines [][]byte
	encoder := ecs.NewEncoder()
	for _, alerts := range sink.AllLogs() {
		for _, resource := range alerts.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, log := range scope.LogRecords().All() {
					lines = append(lines, encoder.AppendDocument(nil, resource.Resource(), log))
				}
			}
		}
	}
	return lines
}

// What the security log says of an alert is enough to judge its event again, with the same verdict and the same message.
func TestAlertsAreJudgedAgain(t *testing.T) {
	set := loadWith(t, ruleset.Config{Builtin: true})
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, r := range set.Rules {
		for _, test := range r.Tests {
			for _, f := range (sigmaEvent{source: r.LogSource, fields: test.Event, keywords: test.Keywords}).forms() {
				at = at.Add(time.Hour)
				f.log.SetTimestamp(pcommon.NewTimestampFromTime(at))
				f.log.MoveTo(records.AppendEmpty())
			}
		}
	}
	lines := alertsOf(t, logs)
	require.Greater(t, len(lines), len(set.Rules))
	decoder := eventlog.NewDecoder()
	for _, line := range lines {
		found, err := decoder.Decode(line)
		require.NoError(t, err)
		message := found[0].Log.Body().Str()
		p, err := NewReplay(set, correlation.DefaultLimits(), "")
		require.NoError(t, err)
		p.Take(found[0])
		assert.True(t, slices.ContainsFunc(p.Report().Raised, func(r *Raised) bool { return slices.Contains(r.Samples, message) }), "%s", line)
	}
}
