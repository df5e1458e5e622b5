// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/exporter/elasticsearchexporter/internal/metadata"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
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
		Telemetry struct {
			Metrics map[string]struct {
				Description, Unit, Stability string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &want))

	factory := NewFactory()
	assert.Equal(t, want.Type, factory.Type().String())
	assert.Equal(t, "exporter", want.Status.Class)
	assert.Equal(t, map[string][]string{"alpha": {"logs"}}, want.Status.Stability)
	assert.Equal(t, component.StabilityLevelAlpha, factory.LogsStability())
	assert.Equal(t, component.StabilityLevelUndefined, factory.TracesStability())
	assert.Equal(t, component.StabilityLevelUndefined, factory.MetricsStability())

	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
	b, err := metadata.NewTelemetryBuilder(tel.NewTelemetrySettings())
	require.NoError(t, err)
	b.ExporterElasticsearchDocuments.Add(t.Context(), 1)
	b.ExporterElasticsearchRequests.Add(t.Context(), 1)
	b.ExporterElasticsearchSent.Add(t.Context(), 1)
	assert.Len(t, want.Telemetry.Metrics, 3)
	for name, m := range want.Telemetry.Metrics {
		have, err := tel.GetMetric("otelcol_" + name)
		require.NoError(t, err)
		assert.Equal(t, m.Description+" [Alpha]", have.Description)
		assert.Equal(t, m.Unit, have.Unit)
		assert.Equal(t, "alpha", m.Stability)
	}
}
