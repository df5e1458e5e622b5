// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// correlationsKey is where a storage extension has what correlations remember.
const correlationsKey = "correlations"

// stateStore keeps what correlations remember over a restart. A nil one keeps nothing.
type stateStore struct {
	client storage.Client
}

func openStateStore(ctx context.Context, extension *component.ID, self component.ID, host component.Host) (*stateStore, error) {
	if extension == nil {
		return nil, nil
	}
	found, ok := host.GetExtensions()[*extension]
	if !ok {
		return nil, fmt.Errorf("storage: the extension %s is not in service::extensions", extension)
	}
	store, ok := found.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage: the extension %s stores nothing, expected one such as file_storage", extension)
	}
	client, err := store.GetClient(ctx, component.KindProcessor, self, "")
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	return &stateStore{client}, nil
}

func (s *stateStore) close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.client.Close(ctx)
}

// restore gives correlations what they remembered before the restart.
func (d *detection) restore(ctx context.Context) {
	if d.storage == nil {
		return
	}
	kept, err := d.storage.client.Get(ctx, correlationsKey)
	if err == nil && kept != nil {
		d.mu.Lock()
		err = d.current.correlator.Restore(kept)
		d.mu.Unlock()
	}
	if err != nil {
		d.logger.Error("What correlations remembered cannot be read; they begin anew", zap.Error(err))
	}
}

// keep stores what correlations remember.
func (d *detection) keep(ctx context.Context) {
	if d.storage == nil {
		return
	}
	d.mu.RLock()
	state := d.current.correlator.Snapshot()
	d.mu.RUnlock()
	if err := d.storage.client.Set(ctx, correlationsKey, state); err != nil {
		d.logger.Error("What correlations remember cannot be stored", zap.Error(err))
	}
}
