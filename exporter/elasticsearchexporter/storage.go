// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"context"
	"maps"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// The persistent queue skips a record that it cannot take out of its storage, as on a full disk, and forgets it
// when the storage works again. patientStorage makes it wait instead: what takes records out is tried until
// it works or the exporter is stopped. What puts records in fails at once, so that the sender keeps them.

// patientHost hands out the storage of the queue as a patient one.
type patientHost struct {
	component.Host
	storage component.ID
	wait    *waiting
}

// waiting is what all clients of one exporter share.
type waiting struct {
	logger *zap.Logger
	stop   chan struct{} // closed at shutdown
	once   sync.Once
}

func (w *waiting) end() { w.once.Do(func() { close(w.stop) }) }

// GetExtensions returns all of the host's.
func (h patientHost) GetExtensions() map[component.ID]component.Component {
	all := maps.Clone(h.Host.GetExtensions())
	if extension, ok := all[h.storage].(storage.Extension); ok {
		all[h.storage] = patientStorage{extension, h.wait}
	}
	return all
}

type patientStorage struct {
	storage.Extension
	wait *waiting
}

// GetClient returns a patient client.
func (s patientStorage) GetClient(ctx context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	client, err := s.Extension.GetClient(ctx, kind, id, name)
	if err != nil {
		return nil, err
	}
	return patientClient{client, s.wait}, nil
}

type patientClient struct {
	storage.Client
	wait *waiting
}

// storageRetry is how long to wait before what failed is tried again.
const storageRetry = time.Second

// Batch carries out the operations, patiently where they take records out.
func (c patientClient) Batch(ctx context.Context, operations ...*storage.Operation) error {
	err := c.Client.Batch(ctx, operations...)
	for told := false; err != nil && takesOut(operations); told = true {
		if !told {
			c.wait.logger.Warn("The storage of the queue does not work; nothing is sent until it does", zap.Error(err))
		}
		select {
		case <-c.wait.stop:
			return err
		case <-time.After(storageRetry):
		}
		err = c.Client.Batch(ctx, operations...)
	}
	return err
}

// takesOut tells what takes records out: it reads one, or deletes one that was sent.
func takesOut(operations []*storage.Operation) bool {
	for _, o := range operations {
		if o.Type == storage.Get || o.Type == storage.Delete {
			return true
		}
	}
	return false
}
