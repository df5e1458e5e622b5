// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/exporter/elasticsearchexporter/internal/metadata"
	"github.com/vedette-sec/vedette/internal/ecs"
)

// exporter sends batches of records as bulk requests.
type exporter struct {
	cfg       *Config
	set       component.TelemetrySettings
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	bulks     sync.Pool // of *bulk

	client  *elastictransport.Client // nil while stopped
	product productCheck
}

func newExporter(cfg *Config, set component.TelemetrySettings) (*exporter, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	e := &exporter{cfg: cfg, set: set, logger: set.Logger, telemetry: telemetry, product: productCheck{mode: cfg.ProductCheck}}
	e.bulks.New = func() any { return newBulk(cfg) }
	return e, nil
}

func (e *exporter) start(ctx context.Context, host component.Host) (err error) {
	e.client, err = newClient(ctx, e.cfg, host, e.set)
	return err
}

func (e *exporter) shutdown(ctx context.Context) error {
	if e.client == nil {
		return nil
	}
	err := e.client.Close(ctx)
	e.client = nil
	return err
}

// push sends the batch. Of a batch that was taken in part, the error holds the rest, to be sent again.
func (e *exporter) push(ctx context.Context, logs plog.Logs) error {
	if err := e.product.check(ctx, e.client, e.logger); err != nil {
		return err
	}
	d := &delivery{e: e, bulk: e.bulks.Get().(*bulk)}
	defer e.bulks.Put(d.bulk)
	d.sendAll(ctx, logs)
	if len(d.refused) > 0 {
		e.lay(ctx, d)
	}
	if len(d.again) == 0 {
		return nil
	}
	err := fmt.Errorf("%d of %d documents are to be sent again: %w", len(d.again), logs.LogRecordCount(), d.err)
	if len(d.again) < logs.LogRecordCount() {
		err = consumererror.NewLogs(err, pick(logs, d.again))
	}
	if d.delay > 0 {
		return exporterhelper.NewThrottleRetry(err, d.delay)
	}
	return err
}

func (d *delivery) sendAll(ctx context.Context, logs plog.Logs) {
	limit := d.e.cfg.Bulk.MaxSizeMiB << 20
	unsent := int64(0)
	each(logs, func(at position, from source) {
		if d.down {
			d.again = append(d.again, at)
			unsent++
			return
		}
		before := len(d.bulk.body)
		if err := d.bulk.add(at, from); err != nil {
			whole := appendOTel(nil, ecs.Stream{}, from)
			d.refused = append(d.refused, refusal{position: at, kind: "no_document", reason: err.Error(), document: string(whole)})
			return
		}
		if before > 0 && len(d.bulk.body) > limit {
			d.flushBut(ctx)
		}
	})
	d.flush(ctx)
	if unsent > 0 {
		d.e.count(ctx, unsent, "retried", reasonNotSent)
	}
}

// reasonNotSent is why records are sent again that come behind a request that failed.
const reasonNotSent = "not_sent"

// flushBut sends all but the entry added last, which was too much for this request, and begins the next with it.
func (d *delivery) flushBut(ctx context.Context) {
	b := d.bulk
	last := b.entries[len(b.entries)-1]
	d.send(ctx, b.entries[:len(b.entries)-1])
	n := copy(b.body, b.body[last.start:last.end])
	b.body = b.body[:n]
	last.source, last.end, last.start = last.source-last.start, n, 0
	b.entries = append(b.entries[:0], last)
}

// lay buries what was refused, or keeps it for another try.
func (e *exporter) lay(ctx context.Context, d *delivery) {
	err := e.bury(ctx, d.refused)
	if err != nil {
		for _, r := range d.refused {
			d.again = append(d.again, r.position)
		}
		d.err = errors.Join(d.err, err)
		e.count(ctx, int64(len(d.refused)), "retried", "dead_letter")
		return
	}
	counts := map[string]int64{}
	for _, r := range d.refused {
		counts[r.kind]++
	}
	for kind, n := range counts {
		e.count(ctx, n, "dead_letter", kind)
	}
	e.logger.Warn("Documents that the server refuses for good are among the dead letters",
		zap.Int("documents", len(d.refused)), zap.String("first_reason", d.refused[0].reason))
}

// each calls f for every record, in order.
func each(logs plog.Logs, f func(position, source)) {
	for i, rl := range logs.ResourceLogs().All() {
		for j, sl := range rl.ScopeLogs().All() {
			for k, lr := range sl.LogRecords().All() {
				f(position{i, j, k}, source{rl, sl, lr})
			}
		}
	}
}

// pick copies the records at some positions, with what they belong to.
func pick(logs plog.Logs, positions []position) plog.Logs {
	wanted := make(map[position]struct{}, len(positions))
	for _, p := range positions {
		wanted[p] = struct{}{}
	}
	out := plog.NewLogs()
	var rl plog.ResourceLogs
	var records plog.LogRecordSlice
	resource, scope := -1, -1
	each(logs, func(at position, from source) {
		if _, ok := wanted[at]; !ok {
			return
		}
		if at.resource != resource {
			rl = out.ResourceLogs().AppendEmpty()
			from.resource.Resource().CopyTo(rl.Resource())
			rl.SetSchemaUrl(from.resource.SchemaUrl())
			resource, scope = at.resource, -1
		}
		if at.scope != scope {
			sl := rl.ScopeLogs().AppendEmpty()
			from.scope.Scope().CopyTo(sl.Scope())
			sl.SetSchemaUrl(from.scope.SchemaUrl())
			records, scope = sl.LogRecords(), at.scope
		}
		from.record.CopyTo(records.AppendEmpty())
	})
	return out
}

// withTimes gives every record a time before it waits in the queue. A document's identity is a hash
// of it, so a time that each try would choose anew would make each try another document.
func withTimes(logs plog.Logs, now func() time.Time) plog.Logs {
	timeless := false
	each(logs, func(_ position, from source) { timeless = timeless || timeOf(from.record) == 0 })
	if !timeless {
		return logs
	}
	out := plog.NewLogs()
	logs.CopyTo(out)
	each(out, func(_ position, from source) {
		if timeOf(from.record) == 0 {
			from.record.SetObservedTimestamp(pcommon.NewTimestampFromTime(now()))
		}
	})
	return out
}
