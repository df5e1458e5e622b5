// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/fileevent"
	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/internal/hostid"
	"github.com/vedette-sec/vedette/internal/reload"
	"github.com/vedette-sec/vedette/pkg/baseline"
	"github.com/vedette-sec/vedette/receiver/baselinereceiver/internal/metadata"
)

// baselineReceiver judges on a schedule. One may serve a pipeline of logs and one of metrics.
type baselineReceiver struct {
	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	forget    func() // tells the factory that it is gone
	logs      consumer.Logs
	metrics   consumer.Metrics

	guard   sync.Mutex
	started bool
	cancel  context.CancelFunc
	done    sync.WaitGroup

	host      hostid.Host
	pressure  *pressure
	judge     *judge
	news      *hostconf.News // what sensors of this agent tell of files
	source    string         // of changes of files, as was told last
	unwatched bool           // the kernel does not tell of changes of files, as was told last
	reread    chan struct{}  // somebody wants the templates read anew
}

func newReceiver(config *Config, set receiver.Settings, forget func()) (*baselineReceiver, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("create the receiver's metrics: %w", err)
	}
	return &baselineReceiver{config: config, logger: set.Logger, telemetry: telemetry, forget: forget}, nil
}

// Start reads the templates and begins to wait for the first scan. Each pipeline starts the receiver; the first one counts.
func (r *baselineReceiver) Start(ctx context.Context, _ component.Host) error {
	r.guard.Lock()
	defer r.guard.Unlock()
	if r.started {
		return nil
	}
	var err error
	if r.host, err = hostid.Read(); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.Background())
	r.pressure = &pressure{config: r.config.Pressure, dir: "/proc/pressure"}
	r.news = hostconf.NewNews()
	if r.judge, err = newJudge(r.config, r.effort(running), r.news); err != nil {
		cancel()
		return err
	}
	r.reread = make(chan struct{}, 1)
	found := r.judge.fingerprint
	leave := reload.FromContext(ctx).Subscribe(func(_ context.Context, asked bool) {
		if !asked && reload.Fingerprint(r.config.Directories) == found {
			return
		}
		select {
		case r.reread <- struct{}{}:
		default: // it is on its way
		}
	})
	ignore := fileevent.FromContext(ctx).Subscribe(r.news)
	r.started, r.cancel = true, func() { ignore(); leave(); cancel() }
	r.done.Go(func() { r.run(running) })
	return nil
}

// effort is that of one worker at a time who lets others go first.
func (r *baselineReceiver) effort(ctx context.Context) baseline.Effort {
	return baseline.Effort{Workers: 1, Begin: yield, Pause: func() error { return r.pressure.pause(ctx) }}
}

// Shutdown ends a scan that is under way.
func (r *baselineReceiver) Shutdown(context.Context) error {
	r.guard.Lock()
	defer r.guard.Unlock()
	r.forget()
	if !r.started {
		return nil
	}
	r.started = false
	r.cancel()
	r.done.Wait()
	return r.judge.scanner.Close()
}

// readAgain judges by what the files say now. Where they are wrong, what was in force stays in force until they change again.
func (r *baselineReceiver) readAgain(ctx context.Context) {
	found := reload.Fingerprint(r.config.Directories) // what changes while it is read is read the next time
	next, err := newJudge(r.config, r.effort(ctx), r.news)
	if err != nil {
		r.judge.fingerprint = found
		r.logger.Error("The templates were not read anew; those that were read before stay in force", zap.Error(err))
		return
	}
	next.inherit(r.judge)
	if err := r.judge.scanner.Close(); err != nil {
		r.logger.Warn("The watch of files did not end well", zap.Error(err))
	}
	r.judge = next
	r.logger.Info("The templates were read anew")
}

func (r *baselineReceiver) scan(ctx context.Context, why trigger) {
	r.pressure.begin()
	findings, commit, err := r.judge.judge(ctx, why, time.Now())
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		r.count(ctx, "failed")
		r.logger.Error("The host could not be judged", zap.Error(err))
		return
	}
	if why == byFiles && !slices.ContainsFunc(findings, (*finding).news) {
		r.count(ctx, "done")
		commit()
		return
	}
	if err := r.pass(ctx, findings); err != nil {
		r.count(ctx, "refused")
		r.logger.Error("The pipeline did not take what was found; the next scan tells it", zap.Error(err))
		return
	}
	r.count(ctx, "done")
	r.tellWatch()
	if r.judge.snapshot.IsZero() {
		r.noteSource()
	}
	commit()
}

// tellWatch says that changes of files are not told, and when that has passed.
func (r *baselineReceiver) tellWatch() {
	err := r.judge.scanner.Unwatched()
	switch {
	case err != nil && !r.unwatched:
		r.logger.Warn("Changes of files are not told by the kernel; rules about files anywhere are judged anew each time all files are gone through",
			zap.Duration("walk_interval", r.config.WalkInterval), zap.Error(err))
	case err == nil && r.unwatched:
		r.logger.Info("Changes of files are told by the kernel again")
	}
	r.unwatched = err != nil
}

// pass gives both pipelines what was found.
func (r *baselineReceiver) pass(ctx context.Context, findings []*finding) error {
	var errs []error
	now := time.Now()
	if r.logs != nil {
		errs = append(errs, r.logs.ConsumeLogs(ctx, logsOf(findings, r.host, r.config.Language, now)))
	}
	if r.metrics != nil {
		errs = append(errs, r.metrics.ConsumeMetrics(ctx, metricsOf(findings, r.host, now)))
	}
	return errors.Join(errs...)
}

func (r *baselineReceiver) count(ctx context.Context, outcome string) {
	r.telemetry.ReceiverBaselineScans.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}
