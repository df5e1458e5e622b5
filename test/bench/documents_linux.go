// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"runtime"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/event"
)

// documents measures how fast the records of everyday work become ECS documents, and those of started programs alone,
// which have the most fields.
func documents(ctx context.Context, b *bench) (results, error) {
	everyday, err := b.everyday()
	if err != nil {
		return nil, err
	}
	started := onlyKind(everyday, event.KindProcessExec)
	if len(started) == 0 {
		return nil, errors.New("no program was started in the recording")
	}
	found := results{}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := &documentWriter{encoder: ecs.NewEncoder()}
	for range b.rounds {
		speed, err := b.recordsPerSecond(ctx, everyday, w.write)
		if err != nil {
			return nil, err
		}
		found.add("ecs", speed)
		w.bytes, w.records = 0, 0
		if speed, err = b.recordsPerSecond(ctx, started, w.write); err != nil {
			return nil, err
		}
		found.add("ecs_exec", speed)
		found.note("ecs_exec", "%d bytes a document", w.bytes/w.records)
	}
	found.add("ecs_allocations", w.allocations(started))
	return found, nil
}

// onlyKind leaves in each batch the records of a kind.
func onlyKind(batches []plog.Logs, kind string) (only []plog.Logs) {
	for _, logs := range batches {
		left := plog.NewLogs()
		logs.CopyTo(left)
		for _, resource := range left.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				scope.LogRecords().RemoveIf(func(record plog.LogRecord) bool { return record.EventName() != kind })
			}
		}
		if left.LogRecordCount() > 0 {
			only = append(only, left)
		}
	}
	return only
}

// documentWriter writes one document over the other.
type documentWriter struct {
	encoder        *ecs.Encoder
	document       []byte
	bytes, records int
}

// write does not fail; it is what recordsPerSecond takes.
func (w *documentWriter) write(logs plog.Logs) error {
	forEach(logs, func(resource plog.ResourceLogs, record plog.LogRecord) {
		w.document = w.encoder.AppendDocument(w.document[:0], resource.Resource(), record)
		w.bytes += len(w.document)
		w.records++
	})
	return nil
}

// allocations counts what is allocated for a document.
func (w *documentWriter) allocations(batches []plog.Logs) float64 {
	var before, after runtime.MemStats
	w.records = 0
	runtime.ReadMemStats(&before)
	for _, logs := range batches {
		_ = w.write(logs)
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(w.records)
}
