// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
)

// Meter returns the meter under the component's scope.
func Meter(settings component.TelemetrySettings) metric.Meter {
	return settings.MeterProvider.Meter(ScopeName)
}

// TelemetryBuilder holds the component's instruments.
type TelemetryBuilder struct {
	ProcessorDetectionAlerts             metric.Int64Counter
	ProcessorDetectionAlertsSuppressed   metric.Int64Counter
	ProcessorDetectionEvaluationDuration metric.Float64Histogram
	ProcessorDetectionEvents             metric.Int64Counter
	ProcessorDetectionRulesLoaded        metric.Int64Gauge
	ProcessorDetectionRulesRefused       metric.Int64Gauge
}

// NewTelemetryBuilder makes the instruments.
func NewTelemetryBuilder(settings component.TelemetrySettings) (*TelemetryBuilder, error) {
	meter := Meter(settings)
	var builder TelemetryBuilder
	var err, errs error
	builder.ProcessorDetectionAlerts, err = meter.Int64Counter(
		"otelcol_processor_detection_alerts",
		metric.WithDescription("Number of alerts passed on, or of matches annotated, by level [Development]"),
		metric.WithUnit("{alerts}"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionAlertsSuppressed, err = meter.Int64Counter(
		"otelcol_processor_detection_alerts_suppressed",
		metric.WithDescription("Number of alerts folded into an earlier one of their deduplication group, by level [Development]"),
		metric.WithUnit("{alerts}"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionEvaluationDuration, err = meter.Float64Histogram(
		"otelcol_processor_detection_evaluation_duration",
		metric.WithDescription("Time that judging one batch of log records took [Development]"),
		metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(0.00001, 0.0001, 0.001, 0.01, 0.1, 1, 10),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionEvents, err = meter.Int64Counter(
		"otelcol_processor_detection_events",
		metric.WithDescription("Number of log records received [Development]"),
		metric.WithUnit("{records}"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionRulesLoaded, err = meter.Int64Gauge(
		"otelcol_processor_detection_rules_loaded",
		metric.WithDescription("Number of rules in force [Development]"),
		metric.WithUnit("{rules}"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionRulesRefused, err = meter.Int64Gauge(
		"otelcol_processor_detection_rules_refused",
		metric.WithDescription("Number of faults for which rules or rule files were refused [Development]"),
		metric.WithUnit("{faults}"),
	)
	errs = errors.Join(errs, err)
	return &builder, errs
}
