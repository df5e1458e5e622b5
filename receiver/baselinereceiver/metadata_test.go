// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/hostid"
	"github.com/vedette-sec/vedette/pkg/baseline"
	"github.com/vedette-sec/vedette/receiver/baselinereceiver/internal/metadata"
)

// described is what metadata.yaml says of a metric.
type described struct {
	Description, Unit, Stability string
	Attributes                   []string
}

// TestMetadata compares metadata.yaml with what the component says and measures.
func TestMetadata(t *testing.T) {
	text, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var want struct {
		Type   string
		Status struct {
			Class     string
			Stability map[string][]string
		}
		Metrics   map[string]described
		Telemetry struct{ Metrics map[string]described }
	}
	require.NoError(t, yaml.Unmarshal(text, &want))
	factory := NewFactory()
	assert.Equal(t, want.Type, factory.Type().String())
	assert.Equal(t, "receiver", want.Status.Class)
	assert.Equal(t, map[string][]string{"alpha": {"logs", "metrics"}}, want.Status.Stability)
	assert.Equal(t, component.StabilityLevelAlpha, factory.LogsStability())
	assert.Equal(t, component.StabilityLevelAlpha, factory.MetricsStability())
	assert.Equal(t, component.StabilityLevelUndefined, factory.TracesStability())

	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
	b, err := metadata.NewTelemetryBuilder(tel.NewTelemetrySettings())
	require.NoError(t, err)
	b.ReceiverBaselineScans.Add(t.Context(), 1)
	assert.Len(t, want.Telemetry.Metrics, 1)
	for name, m := range want.Telemetry.Metrics {
		have, err := tel.GetMetric("otelcol_" + name)
		require.NoError(t, err)
		assert.Equal(t, m.Description+" [Alpha]", have.Description)
		assert.Equal(t, m.Unit, have.Unit)
	}

	rule := &baseline.Rule{ID: "a", Severity: baseline.High}
	report := &baseline.Report{Baseline: &baseline.Baseline{ID: "x"}, Results: []*baseline.Result{{Rule: rule, Verdict: baseline.Pass}}}
	f := &finding{subject: &subject{}, report: report, approval: &baselines.Approval{}}
	found := map[string]described{}
	for _, m := range metricsOf([]*finding{f}, hostid.Host{}, time.Now()).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		attributes := slices.Collect(maps.Keys(m.Gauge().DataPoints().At(0).Attributes().AsRaw()))
		slices.Sort(attributes)
		found[m.Name()] = described{m.Description(), m.Unit(), "alpha", attributes}
	}
	for name, m := range want.Metrics {
		slices.Sort(m.Attributes)
		want.Metrics[name] = m
	}
	assert.Equal(t, want.Metrics, found)
}
