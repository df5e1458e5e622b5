// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/dedup"
	"github.com/vedette-sec/vedette/internal/rulestatus"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

// detection judges log records by rules. Batches may come at the same time.
type detection struct {
	cfg    *Config
	id     component.ID
	logger *zap.Logger
	next   consumer.Logs
	tel    *metadata.TelemetryBuilder

	// mu is held for reading while a batch is judged, so that a reload waits for the batches under way
	// and no match is told to a correlator that is already replaced.
	mu      sync.RWMutex
	current *generation
	// replaced wakes the clock of correlations, which stands while there are none.
	replaced chan struct{}

	dedup     *dedup.Memory
	limiter   *rateLimiter
	risk      *riskScores
	losses    *lossCounter
	contexts  *contexts
	responses *responses
	stream    streamClock

	reloading sync.Mutex // one reload after the other
	found     string     // the state of the files that the last reload found

	statusMu      sync.Mutex // guards what follows
	lastFailure   *rulestatus.Failure
	statusRefused bool

	counted correlationCounts // of the goroutine that runs in the background
	storage *stateStore
	stop    context.CancelFunc
	done    sync.WaitGroup
}

var _ processor.Logs = (*detection)(nil)

func newDetection(set processor.Settings, cfg *Config, next consumer.Logs) (*detection, error) {
	tel, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("cannot make the instruments: %w", err)
	}
	return &detection{
		cfg:      cfg,
		id:       set.ID,
		logger:   set.Logger,
		next:     next,
		tel:      tel,
		dedup:    dedup.New(),
		limiter:  newRateLimiter(cfg.RateLimit),
		risk:     newRiskScores(cfg.Risk),
		losses:   newLossCounter(),
		contexts: newContexts(),
		replaced: make(chan struct{}, 1),
	}, nil
}

// Start loads the rules. It fails when a directory of rules cannot be read, and with on_error: fail
// also when a rule is broken.
func (d *detection) Start(ctx context.Context, host component.Host) error {
	if err := d.load(ctx, time.Now()); err != nil {
		return err
	}
	store, err := openStateStore(ctx, d.cfg.Storage, d.id, host)
	if err != nil {
		return err
	}
	d.storage = store
	d.restore(ctx)
	d.responses = newResponses(host)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	leave := d.subscribe(ctx)
	d.done.Go(func() {
		defer leave()
		d.run(background)
	})
	d.done.Go(func() { d.tell(background) })
	return nil
}

// Shutdown ends what goes on in the background and keeps what correlations remember. Alerts went out with
// the batches that gave rise to them.
func (d *detection) Shutdown(ctx context.Context) error {
	if d.stop == nil {
		return nil
	}
	d.stop()
	d.done.Wait()
	d.stop = nil
	d.keep(ctx)
	d.writeStatus()
	return d.storage.close(ctx)
}

// Capabilities says that the outputs that carry events change them.
func (d *detection) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: d.cfg.Output != OutputAlerts}
}

// ConsumeLogs judges a batch and passes on what the configured output asks for. When the next consumer
// refuses the batch, the alerts count as not given, so that a second try gives them again.
func (d *detection) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	start := time.Now()
	records := logs.LogRecordCount()
	findings := d.judge(logs)
	out := d.output(logs, findings)
	d.responses.ask(findings)
	d.tel.ProcessorDetectionEvaluationDuration.Record(ctx, time.Since(start).Seconds())
	d.tel.ProcessorDetectionEvents.Add(ctx, int64(records))
	return d.pass(ctx, out, findings)
}

// pass hands on and counts, or takes everything back.
func (d *detection) pass(ctx context.Context, out plog.Logs, findings []*finding) error {
	if out.ResourceLogs().Len() > 0 {
		if err := d.next.ConsumeLogs(ctx, out); err != nil {
			d.takeBack(findings)
			return err
		}
	}
	d.count(ctx, findings)
	return nil
}

// outcome is what the counters of alerts tell apart.
type outcome struct {
	level  string
	passes bool
}

func (d *detection) count(ctx context.Context, findings []*finding) {
	counts := map[outcome]int64{}
	for _, f := range findings {
		f.rule.matches.Add(1)
		counts[outcome{f.rule.level.name, f.verdict.Passes}]++
	}
	for of, n := range counts {
		counter := d.tel.ProcessorDetectionAlertsSuppressed
		if of.passes {
			counter = d.tel.ProcessorDetectionAlerts
		}
		counter.Add(ctx, n, metric.WithAttributes(attribute.String("level", of.level)))
	}
}

func eventTime(log plog.LogRecord) time.Time {
	for _, t := range []pcommon.Timestamp{log.Timestamp(), log.ObservedTimestamp()} {
		if t != 0 {
			return t.AsTime()
		}
	}
	return time.Now()
}
