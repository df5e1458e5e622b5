// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
)

// TelemetryBuilder holds the component's instruments.
type TelemetryBuilder struct {
	ReceiverBaselineScans metric.Int64Counter
}

// NewTelemetryBuilder makes the instruments on the Collector's meter.
func NewTelemetryBuilder(settings component.TelemetrySettings) (*TelemetryBuilder, error) {
	var b TelemetryBuilder
	var err error
	b.ReceiverBaselineScans, err = settings.MeterProvider.Meter(ScopeName).Int64Counter(
		"otelcol_receiver_baseline_scans",
		metric.WithDescription("Number of scans, by outcome: done, failed or refused by the pipeline. [Alpha]"),
		metric.WithUnit("{scans}"),
	)
	return &b, err
}
