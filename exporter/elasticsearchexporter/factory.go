// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	collectorexporter "go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/exporter/elasticsearchexporter/internal/metadata"
)

// NewFactory returns the factory of the elasticsearch exporter.
func NewFactory() collectorexporter.Factory {
	return collectorexporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		collectorexporter.WithLogs(createLogs, metadata.LogsStability),
	)
}

// timed gives records a time before they reach the queue.
type timed struct{ collectorexporter.Logs }

func (t timed) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	return t.Logs.ConsumeLogs(ctx, withTimes(logs, time.Now))
}

func createLogs(ctx context.Context, set collectorexporter.Settings, config component.Config) (collectorexporter.Logs, error) {
	cfg := config.(*Config)
	e, err := newExporter(cfg, set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	logs, err := exporterhelper.NewLogs(ctx, set, cfg, e.push,
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithStart(e.start),
		exporterhelper.WithShutdown(e.shutdown),
		exporterhelper.WithRetry(cfg.RetryConfig),
		exporterhelper.WithQueue(cfg.QueueConfig),
		// Each request has the deadline of `timeout`; a batch may be several.
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
	)
	if err != nil {
		return nil, err
	}
	return timed{logs}, nil
}
