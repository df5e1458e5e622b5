// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
)

// TelemetryBuilder holds the component's instruments.
type TelemetryBuilder struct {
	ReceiverEbpfEvents     metric.Int64Counter
	ReceiverEbpfEventsLost metric.Int64Counter
	ReceiverEbpfProcesses  metric.Int64Gauge
}

// NewTelemetryBuilder makes the instruments on the Collector's meter.
func NewTelemetryBuilder(settings component.TelemetrySettings) (*TelemetryBuilder, error) {
	meter := settings.MeterProvider.Meter(ScopeName)
	var b TelemetryBuilder
	var events, lost, processes error
	b.ReceiverEbpfEvents, events = meter.Int64Counter(
		"otelcol_receiver_ebpf_events",
		metric.WithDescription("Number of events emitted, by kind. [Alpha]"),
		metric.WithUnit("{events}"),
	)
	b.ReceiverEbpfEventsLost, lost = meter.Int64Counter(
		"otelcol_receiver_ebpf_events_lost",
		metric.WithDescription("Number of events lost in the kernel or after, by kind and cause. [Alpha]"),
		metric.WithUnit("{events}"),
	)
	b.ReceiverEbpfProcesses, processes = meter.Int64Gauge(
		"otelcol_receiver_ebpf_processes",
		metric.WithDescription("Number of processes in the process table, those that ended lately included. [Alpha]"),
		metric.WithUnit("{processes}"),
	)
	return &b, errors.Join(events, lost, processes)
}
