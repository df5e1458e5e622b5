// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/vedette-sec/vedette/receiver/baselinereceiver/internal/metadata"
)

// NewFactory returns the factory of the baseline receiver.
func NewFactory() receiver.Factory {
	f := &factory{made: map[*Config]*baselineReceiver{}}
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithLogs(f.createLogs, metadata.LogsStability),
		receiver.WithMetrics(f.createMetrics, metadata.MetricsStability),
	)
}

// factory gives pipelines of logs and of metrics that name one receiver the same one, so that the host is judged once.
type factory struct {
	guard sync.Mutex
	made  map[*Config]*baselineReceiver
}

func (f *factory) receiver(set receiver.Settings, config component.Config) (*baselineReceiver, error) {
	f.guard.Lock()
	defer f.guard.Unlock()
	cfg := config.(*Config)
	if r, ok := f.made[cfg]; ok {
		return r, nil
	}
	r, err := newReceiver(cfg, set, func() {
		f.guard.Lock()
		defer f.guard.Unlock()
		delete(f.made, cfg)
	})
	if err != nil {
		return nil, err
	}
	f.made[cfg] = r
	return r, nil
}

func (f *factory) createLogs(_ context.Context, set receiver.Settings, config component.Config, next consumer.Logs) (receiver.Logs, error) {
	r, err := f.receiver(set, config)
	if err != nil {
		return nil, err
	}
	r.logs = next
	return r, nil
}

func (f *factory) createMetrics(_ context.Context, set receiver.Settings, config component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	r, err := f.receiver(set, config)
	if err != nil {
		return nil, err
	}
	r.metrics = next
	return r, nil
}
