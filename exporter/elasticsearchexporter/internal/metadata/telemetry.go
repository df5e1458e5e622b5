// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
)

// TelemetryBuilder holds the component's instruments.
type TelemetryBuilder struct {
	ExporterElasticsearchDocuments metric.Int64Counter
	ExporterElasticsearchRequests  metric.Int64Counter
	ExporterElasticsearchSent      metric.Int64Counter
}

// NewTelemetryBuilder makes the instruments on the Collector's meter.
func NewTelemetryBuilder(settings component.TelemetrySettings) (*TelemetryBuilder, error) {
	meter := settings.MeterProvider.Meter(ScopeName)
	var b TelemetryBuilder
	var documents, requests, sent error
	b.ExporterElasticsearchDocuments, documents = meter.Int64Counter(
		"otelcol_exporter_elasticsearch_documents",
		metric.WithDescription("Number of documents by what became of them (outcome) and why (reason). [Alpha]"),
		metric.WithUnit("{documents}"),
	)
	b.ExporterElasticsearchRequests, requests = meter.Int64Counter(
		"otelcol_exporter_elasticsearch_requests",
		metric.WithDescription("Number of bulk requests by what they were answered (status), or failed for without one. [Alpha]"),
		metric.WithUnit("{requests}"),
	)
	b.ExporterElasticsearchSent, sent = meter.Int64Counter(
		"otelcol_exporter_elasticsearch_sent",
		metric.WithDescription("Number of bytes of bulk requests, before compression. [Alpha]"),
		metric.WithUnit("By"),
	)
	return &b, errors.Join(documents, requests, sent)
}
