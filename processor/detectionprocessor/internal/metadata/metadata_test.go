// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"context"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.yaml.in/yaml/v3"
)

type document struct {
	Type   string
	Status struct {
		Class     string
		Stability map[string][]string
	}
	Telemetry struct {
		Metrics map[string]struct {
			Stability   string
			Description string
			Unit        string
			Histogram   *struct {
				Boundaries []float64 `yaml:"bucket_boundaries"`
			}
		}
	}
}

// The code in this package is written by hand, so metadata.yaml is held against it.
func TestMetadataYAML(t *testing.T) {
	src, err := os.ReadFile("../../metadata.yaml")
	require.NoError(t, err)
	var doc document
	require.NoError(t, yaml.Unmarshal(src, &doc))

	assert.Equal(t, doc.Type, Type.String())
	assert.Equal(t, "processor", doc.Status.Class)
	assert.Equal(t, map[string][]string{strings.ToLower(LogsStability.String()): {"logs"}}, doc.Status.Stability)

	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	builder, err := NewTelemetryBuilder(tel.NewTelemetrySettings())
	require.NoError(t, err)
	touchAll(t, builder)

	assert.Equal(t, len(doc.Telemetry.Metrics), reflect.TypeOf(*builder).NumField())
	for name, want := range doc.Telemetry.Metrics {
		got, err := tel.GetMetric("otelcol_" + name)
		if !assert.NoError(t, err) {
			continue
		}
		assert.Equal(t, want.Description+" ["+strings.ToUpper(want.Stability[:1])+want.Stability[1:]+"]", got.Description)
		assert.Equal(t, want.Unit, got.Unit, name)
		if want.Histogram != nil {
			assert.Equal(t, want.Histogram.Boundaries, got.Data.(metricdata.Histogram[float64]).DataPoints[0].Bounds)
		}
	}
}

func touchAll(t *testing.T, builder *TelemetryBuilder) {
	v := reflect.ValueOf(*builder)
	for i := range v.NumField() {
		switch inst := v.Field(i).Interface().(type) {
		case metric.Int64Counter:
			inst.Add(context.Background(), 1)
		case metric.Int64Gauge:
			inst.Record(context.Background(), 1)
		case metric.Float64Histogram:
			inst.Record(context.Background(), 1)
		default:
			t.Fatalf("unknown kind of instrument %T", inst)
		}
	}
}
