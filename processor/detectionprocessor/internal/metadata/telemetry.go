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
	ProcessorDetectionAlerts                metric.Int64Counter
	ProcessorDetectionAlertsSuppressed      metric.Int64Counter
	ProcessorDetectionEvaluationDuration    metric.Float64Histogram
	ProcessorDetectionEvents                metric.Int64Counter
	ProcessorDetectionAlertsLost            metric.Int64Counter
	ProcessorDetectionCorrelationGroups     metric.Int64Gauge
	ProcessorDetectionCorrelationIncomplete metric.Int64Counter
	ProcessorDetectionCorrelationMemory     metric.Int64Gauge
	ProcessorDetectionRules                 metric.Int64Gauge
	ProcessorDetectionRulesGeneration       metric.Int64Gauge
	ProcessorDetectionRulesLoadTime         metric.Int64Gauge
	ProcessorDetectionRulesReloadFailures   metric.Int64Counter
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
	builder.ProcessorDetectionAlertsLost, err = meter.Int64Counter(
		"otelcol_processor_detection_alerts_lost",
		metric.WithDescription("Number of alerts of correlations that the pipeline would not take [Development]"),
		metric.WithUnit("{alerts}"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionCorrelationGroups, err = meter.Int64Gauge(
		"otelcol_processor_detection_correlation_groups",
		metric.WithDescription("Number of groups that correlations remember [Development]"),
		metric.WithUnit("{groups}"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionCorrelationIncomplete, err = meter.Int64Counter(
		"otelcol_processor_detection_correlation_incomplete",
		metric.WithDescription("Number of matches and groups that correlations could not take into account, by cause [Development]"),
		metric.WithUnit("{matches}"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionCorrelationMemory, err = meter.Int64Gauge(
		"otelcol_processor_detection_correlation_memory",
		metric.WithDescription("About the memory that correlations take [Development]"),
		metric.WithUnit("By"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionRules, err = meter.Int64Gauge(
		"otelcol_processor_detection_rules",
		metric.WithDescription("Number of rules and correlations by what became of them [Development]"),
		metric.WithUnit("{rules}"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionRulesGeneration, err = meter.Int64Gauge(
		"otelcol_processor_detection_rules_generation",
		metric.WithDescription("Which set of rules is in force; 1 is the one of the start [Development]"),
		metric.WithUnit("1"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionRulesLoadTime, err = meter.Int64Gauge(
		"otelcol_processor_detection_rules_load_time",
		metric.WithDescription("When the rules came into force, in seconds since 1970 [Development]"),
		metric.WithUnit("s"),
	)
	errs = errors.Join(errs, err)
	builder.ProcessorDetectionRulesReloadFailures, err = meter.Int64Counter(
		"otelcol_processor_detection_rules_reload_failures",
		metric.WithDescription("Number of reloads after which the rules from before stayed in force [Development]"),
		metric.WithUnit("{reloads}"),
	)
	errs = errors.Join(errs, err)
	return &builder, errs
}
