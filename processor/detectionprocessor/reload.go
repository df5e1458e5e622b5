// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/reload"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// load reads the rules and puts them in force. On an error those that are in force stay.
func (d *detection) load(ctx context.Context, at time.Time) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	return d.loadLocked(ctx, at)
}

func (d *detection) loadLocked(ctx context.Context, at time.Time) error {
	cfg := d.cfg.Rules.Ruleset()
	// Looked at before the files are read: what changes meanwhile is seen the next time.
	d.found = ruleset.Fingerprint(cfg)
	set, err := ruleset.Load(cfg)
	if err != nil {
		return fmt.Errorf("rules::%w", err)
	}
	if faults := set.Report.Faults; len(faults) > 0 && d.cfg.Rules.OnError == OnErrorFail {
		return fmt.Errorf("rules::on_error is fail and these rules are broken:\n%w", joined(faults))
	}
	number := int64(1)
	if d.current != nil {
		number = d.current.number + 1
		if faults := newFaults(d.current.set.Report, set.Report); len(faults) > 0 {
			return fmt.Errorf("these rules are broken now:\n%w", joined(faults))
		}
	}
	g := newGeneration(set, number, at)
	d.replace(g)
	d.announce(ctx, g)
	d.writeStatus()
	return nil
}

// newFaults are those that the rules in force do not have. A rule that was good and is broken by a change
// must not go away unnoticed; one that has been broken all along keeps nobody from changing the others.
func newFaults(before, now *ruleset.Report) []*sigma.Error {
	known := map[string]bool{}
	for _, fault := range before.Faults {
		known[fault.Error()] = true
	}
	return slices.DeleteFunc(slices.Clone(now.Faults), func(fault *sigma.Error) bool { return known[fault.Error()] })
}

func joined(faults []*sigma.Error) error {
	var all error
	for _, fault := range faults {
		all = errors.Join(all, fault)
	}
	return all
}

// replace puts a generation in force between two batches.
func (d *detection) replace(g *generation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g.set.Report.Faults = append(g.set.Report.Faults, g.takeOver(d.current, d.cfg.Correlation.Limits())...)
	d.current = g
	select {
	case d.replaced <- struct{}{}:
	default: // it is still to be looked at
	}
}

// announce logs and counts what became of the rules.
func (d *detection) announce(ctx context.Context, g *generation) {
	report := g.set.Report
	for _, fault := range report.Faults {
		d.logger.Error("Rule refused", zap.Error(fault))
	}
	for _, note := range report.Notes {
		d.logger.Warn("Rules: the configuration has no effect", zap.String("note", note))
	}
	counts := report.Counts()
	for _, state := range []ruleset.State{ruleset.Loaded, ruleset.Degraded, ruleset.Disabled, ruleset.Refused} {
		d.tel.ProcessorDetectionRules.Record(ctx, int64(counts[state]), metric.WithAttributes(attribute.String("state", string(state))))
	}
	d.tel.ProcessorDetectionRulesGeneration.Record(ctx, g.number)
	d.tel.ProcessorDetectionRulesLoadTime.Record(ctx, g.since.Unix())
	d.logger.Info("Rules loaded", zap.Int64("generation", g.number), zap.Int("loaded", counts[ruleset.Loaded]),
		zap.Int("degraded", counts[ruleset.Degraded]), zap.Int("disabled", counts[ruleset.Disabled]), zap.Int("refused", counts[ruleset.Refused]))
}

// subscribe has the rules read anew on SIGHUP, until leave is called.
func (d *detection) subscribe(ctx context.Context) (leave func()) {
	return reload.FromContext(ctx).Subscribe(func(ctx context.Context, asked bool) {
		if asked {
			_ = d.reload(ctx) // it is logged
		} else {
			d.reloadChanged(ctx)
		}
	})
}

// reload reads the rules anew. Errors are logged here and given to whoever asked.
func (d *detection) reload(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	return d.reloadLocked(ctx)
}

func (d *detection) reloadLocked(ctx context.Context) error {
	err := d.loadLocked(ctx, time.Now())
	if err != nil {
		d.tel.ProcessorDetectionRulesReloadFailures.Add(ctx, 1)
		d.logger.Error("Rules were not read anew; those from before stay in force", zap.Error(err))
		d.failed(err)
	}
	return err
}

// reloadChanged reads the rules anew if a file has changed since they were read.
func (d *detection) reloadChanged(ctx context.Context) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if ruleset.Fingerprint(d.cfg.Rules.Ruleset()) != d.found {
		_ = d.reloadLocked(ctx) // it is logged
	}
}

// Intervals of what goes on in the background.
const (
	advanceInterval = 500 * time.Millisecond
	keepInterval    = 30 * time.Second
)

// run looks for changed files, lets windows of correlations close, and keeps what they remember.
func (d *detection) run(ctx context.Context) {
	advance := time.NewTicker(advanceInterval)
	defer advance.Stop()
	keep := time.NewTicker(keepInterval)
	defer keep.Stop()
	var changed <-chan time.Time
	if d.cfg.Rules.ReloadInterval > 0 {
		ticker := time.NewTicker(d.cfg.Rules.ReloadInterval)
		defer ticker.Stop()
		changed = ticker.C
	}
	var waiting []*finding
	for {
		select {
		case <-ctx.Done():
			last := context.WithoutCancel(ctx)
			if waiting, err := d.deliver(last, append(waiting, d.advance(time.Now())...)); err != nil {
				d.lose(last, waiting, err)
			}
			return
		case now := <-advance.C:
			var err error
			waiting, err = d.deliver(ctx, append(waiting, d.advance(now)...))
			if len(waiting) > mostWaiting {
				d.lose(ctx, waiting, err)
				waiting = nil
			}
			d.measureCorrelations(ctx)
			if len(waiting) == 0 && !d.correlates() {
				advance.Stop()
			}
		case <-d.replaced:
			advance.Reset(advanceInterval)
		case <-changed:
			d.reloadChanged(ctx)
		case <-keep.C:
			d.keep(ctx)
			d.writeStatus()
		}
	}
}

// correlates reports whether there are correlations.
func (d *detection) correlates() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.current.correlations) > 0
}

// advance lets windows close that end without a further event.
func (d *detection) advance(now time.Time) []*finding {
	d.mu.RLock()
	defer d.mu.RUnlock()
	g := d.current
	if len(g.correlations) == 0 {
		return nil
	}
	at, ok := d.stream.at(now)
	if !ok {
		return nil
	}
	return g.fired(g.correlator.Advance(at), d.contexts)
}

// mostWaiting bounds the alerts that wait for the next consumer to take them.
const mostWaiting = 1000

// deliver passes on alerts that no batch carries, and returns those that have to wait, with the reason.
func (d *detection) deliver(ctx context.Context, findings []*finding) (waiting []*finding, err error) {
	if len(findings) == 0 {
		return nil, nil
	}
	d.fold(findings)
	d.responses.ask(findings)
	if err := d.pass(ctx, onlyAlerts(findings), findings); err != nil {
		return findings, err
	}
	return nil, nil
}

// lose counts alerts that nobody will ever take.
func (d *detection) lose(ctx context.Context, findings []*finding, err error) {
	d.tel.ProcessorDetectionAlertsLost.Add(ctx, int64(len(findings)))
	d.logger.Error("The pipeline refused alerts of correlations; they are lost", zap.Int("alerts", len(findings)), zap.Error(err))
}
