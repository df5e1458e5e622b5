// SPDX-License-Identifier: Apache-2.0

// Package metadatatest compares the metadata.yaml of a component with what the component says and measures. The code that
// metadata.yaml describes is written by hand.
package metadatatest

import (
	"context"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.yaml.in/yaml/v3"
)

// document is what is compared of metadata.yaml.
type document struct {
	Type   string
	Status struct {
		Class     string
		Stability map[string][]string
	}
	Telemetry struct {
		Metrics map[string]instrument
	}
}

type instrument struct {
	Stability   string
	Description string
	Unit        string
	Histogram   *struct {
		Boundaries []float64 `yaml:"bucket_boundaries"`
	}
}

// Check reads metadata.yaml of the directory that the test runs in. newBuilder makes the component's instruments, of which
// every one has to be a field of what it returns.
func Check[B any](t *testing.T, class string, factory component.Factory, newBuilder func(component.TelemetrySettings) (*B, error)) {
	t.Helper()
	text, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var doc document
	require.NoError(t, yaml.Unmarshal(text, &doc))
	assert.Equal(t, doc.Type, factory.Type().String())
	assert.Equal(t, class, doc.Status.Class)
	assert.Equal(t, stability(factory), doc.Status.Stability)

	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
	builder, err := newBuilder(tel.NewTelemetrySettings())
	require.NoError(t, err)
	use(t, builder)
	assert.Equal(t, len(doc.Telemetry.Metrics), reflect.TypeOf(*builder).NumField(), "instruments of which metadata.yaml says nothing")
	for name, want := range doc.Telemetry.Metrics {
		want.check(t, tel, name)
	}
}

func (i instrument) check(t *testing.T, tel *componenttest.Telemetry, name string) {
	t.Helper()
	have, err := tel.GetMetric("otelcol_" + name)
	if !assert.NoError(t, err) {
		return
	}
	assert.Equal(t, i.Description+" ["+strings.ToUpper(i.Stability[:1])+i.Stability[1:]+"]", have.Description)
	assert.Equal(t, i.Unit, have.Unit, name)
	if i.Histogram != nil {
		assert.Equal(t, i.Histogram.Boundaries, have.Data.(metricdata.Histogram[float64]).DataPoints[0].Bounds)
	}
}

// stability is what a factory says, as metadata.yaml has it: signals by level.
func stability(factory component.Factory) map[string][]string {
	said := map[string][]string{}
	add := func(signal string, level component.StabilityLevel) {
		if level != component.StabilityLevelUndefined {
			name := strings.ToLower(level.String())
			said[name] = append(said[name], signal)
		}
	}
	if f, ok := factory.(interface {
		LogsStability() component.StabilityLevel
		MetricsStability() component.StabilityLevel
		TracesStability() component.StabilityLevel
	}); ok {
		add("logs", f.LogsStability())
		add("metrics", f.MetricsStability())
		add("traces", f.TracesStability())
	}
	if f, ok := factory.(interface {
		Stability() component.StabilityLevel
	}); ok {
		add("extension", f.Stability())
	}
	return said
}

// use measures something with every instrument, as one that never did is not seen.
func use(t *testing.T, builder any) {
	t.Helper()
	v := reflect.ValueOf(builder).Elem()
	for i := range v.NumField() {
		switch used := v.Field(i).Interface().(type) {
		case metric.Int64Counter:
			used.Add(t.Context(), 1)
		case metric.Int64Gauge:
			used.Record(t.Context(), 1)
		case metric.Float64Gauge:
			used.Record(t.Context(), 1)
		case metric.Float64Histogram:
			used.Record(t.Context(), 1)
		default:
			require.Fail(t, "an instrument of an unknown kind", "%s: %T", v.Type().Field(i).Name, used)
		}
	}
}
