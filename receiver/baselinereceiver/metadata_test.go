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
	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/hostid"
	"github.com/vedette-sec/vedette/internal/metadatatest"
	"github.com/vedette-sec/vedette/pkg/baseline"
	"github.com/vedette-sec/vedette/receiver/baselinereceiver/internal/metadata"
)

// described is what metadata.yaml says of a metric.
type described struct {
	Description, Unit, Stability string
	Attributes                   []string
}

func TestMetadata(t *testing.T) {
	metadatatest.Check(t, "receiver", NewFactory(), metadata.NewTelemetryBuilder)
}

// TestMetrics compares metadata.yaml with the metrics that are made.
func TestMetrics(t *testing.T) {
	text, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var want struct{ Metrics map[string]described }
	require.NoError(t, yaml.Unmarshal(text, &want))
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
