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

// front is before the queue: it gives records a time, refuses what there is no room for on the disk, and
// makes the queue's storage a patient one.
type front struct {
	collectorexporter.Logs
	disk    DiskConfig
	storage *component.ID // nil where the queue is in memory
	wait    *waiting
}

func newFront(logs collectorexporter.Logs, cfg *Config, set component.TelemetrySettings) *front {
	f := &front{Logs: logs, disk: cfg.QueueDisk, wait: &waiting{logger: set.Logger, stop: make(chan struct{})}}
	if cfg.QueueConfig.HasValue() {
		f.storage = cfg.QueueConfig.Get().StorageID
	}
	return f
}

func (f *front) Start(ctx context.Context, host component.Host) error {
	if f.storage != nil {
		host = patientHost{host, *f.storage, f.wait}
	}
	return f.Logs.Start(ctx, host)
}

func (f *front) Shutdown(ctx context.Context) error {
	f.wait.end()
	return f.Logs.Shutdown(ctx)
}

func (f *front) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	if err := f.disk.check(); err != nil {
		return err
	}
	return f.Logs.ConsumeLogs(ctx, withTimes(logs, time.Now))
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
	return newFront(logs, cfg, set.TelemetrySettings), nil
}
