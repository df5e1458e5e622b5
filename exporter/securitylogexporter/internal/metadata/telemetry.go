// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
)

// TelemetryBuilder holds the component's instruments.
type TelemetryBuilder struct {
	ExporterSecuritylogLines        metric.Int64Counter
	ExporterSecuritylogWritten      metric.Int64Counter
	ExporterSecuritylogTerminalLost metric.Int64Counter
}

// NewTelemetryBuilder makes the instruments on the Collector's meter.
func NewTelemetryBuilder(settings component.TelemetrySettings) (*TelemetryBuilder, error) {
	meter := settings.MeterProvider.Meter(ScopeName)
	var b TelemetryBuilder
	var lines, written, lost error
	b.ExporterSecuritylogLines, lines = meter.Int64Counter(
		"otelcol_exporter_securitylog_lines",
		metric.WithDescription("Number of lines written to the security log. [Alpha]"),
		metric.WithUnit("{lines}"),
	)
	b.ExporterSecuritylogWritten, written = meter.Int64Counter(
		"otelcol_exporter_securitylog_written",
		metric.WithDescription("Number of bytes written to the security log. [Alpha]"),
		metric.WithUnit("By"),
	)
	b.ExporterSecuritylogTerminalLost, lost = meter.Int64Counter(
		"otelcol_exporter_securitylog_terminal_lost",
		metric.WithDescription("Number of records that the terminal did not take. The security log has them. [Alpha]"),
		metric.WithUnit("{records}"),
	)
	return &b, errors.Join(lines, written, lost)
}
