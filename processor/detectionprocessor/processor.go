// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

// detection judges log records by rules. After Start it changes nothing but the dedup and
// the loss counter, which guard themselves, so that batches may come at the same time.
type detection struct {
	cfg    *Config
	logger *zap.Logger
	next   consumer.Logs
	tel    *metadata.TelemetryBuilder
	rules  *ruleset
	dedup  *dedup
	losses *lossCounter
}

// finding is a rule that matched a record of a batch.
type finding struct {
	resource  plog.ResourceLogs
	scope     plog.ScopeLogs
	log       plog.LogRecord
	rule      *rule
	match     sigma.Match
	message   string
	keys      []string
	verdict   verdict
	lost      int64 // events lost since the alert before
	lossKnown bool
}

var _ processor.Logs = (*detection)(nil)

func newDetection(set processor.Settings, cfg *Config, next consumer.Logs) (*detection, error) {
	tel, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("cannot make the instruments: %w", err)
	}
	return &detection{
		cfg:    cfg,
		logger: set.Logger,
		next:   next,
		tel:    tel,
		rules:  newRuleset(nil),
		dedup:  newDedup(),
		losses: newLossCounter(),
	}, nil
}

// Start loads the rules. It fails when a directory of rules cannot be read, and with on_error: fail
// also when a rule is broken.
func (d *detection) Start(ctx context.Context, _ component.Host) error {
	sources, err := load(d.cfg.Rules)
	if err != nil {
		return err
	}
	refused := 0
	var faults error
	summary := make([]string, 0, len(sources))
	for _, s := range sources {
		refused += len(s.refused)
		faults = errors.Join(append([]error{faults}, s.refused...)...)
		summary = append(summary, s.String())
	}
	if faults != nil && d.cfg.Rules.OnError == OnErrorFail {
		return fmt.Errorf("rules::on_error is fail and these rules are broken:\n%w", faults)
	}
	for _, s := range sources {
		for _, fault := range s.refused {
			d.logger.Error("Rule refused", zap.Error(fault))
		}
	}
	d.rules = newRuleset(sources)
	d.tel.ProcessorDetectionRulesLoaded.Record(ctx, int64(d.rules.loaded))
	d.tel.ProcessorDetectionRulesRefused.Record(ctx, int64(refused))
	d.logger.Info("Rules loaded", zap.Int("loaded", d.rules.loaded), zap.Int("refused", refused),
		zap.Int("without_events_here", d.rules.unserved), zap.Strings("sources", summary))
	return nil
}

// Shutdown has nothing to end: alerts go out with the batch that gave rise to them.
func (d *detection) Shutdown(context.Context) error {
	return nil
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
	d.tel.ProcessorDetectionEvaluationDuration.Record(ctx, time.Since(start).Seconds())
	d.tel.ProcessorDetectionEvents.Add(ctx, int64(records))
	if out.ResourceLogs().Len() == 0 {
		d.count(ctx, findings)
		return nil
	}
	if err := d.next.ConsumeLogs(ctx, out); err != nil {
		d.takeBack(findings)
		return err
	}
	d.count(ctx, findings)
	return nil
}

// judge returns every match in a batch, in the order of the records.
func (d *detection) judge(logs plog.Logs) []*finding {
	var findings []*finding
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, log := range scope.LogRecords().All() {
				groups := d.rules.route(log)
				if len(groups) == 0 {
					continue
				}
				r := acquireRecord(log, resource.Resource().Attributes())
				for _, f := range r.judge(groups) {
					f.resource, f.scope = resource, scope
					findings = append(findings, f)
				}
				r.release()
			}
		}
	}
	return findings
}

func (r *record) judge(groups []categoryRules) []*finding {
	var findings []*finding
	for _, group := range groups {
		r.under(group.table)
		for _, rule := range group.rules {
			match, ok := rule.Evaluate(r)
			if !ok {
				continue
			}
			findings = append(findings, &finding{
				log: r.log, rule: rule, match: match,
				message: rule.message.render(r), keys: dedupKeys(rule.Rule, r),
			})
		}
	}
	return findings
}

// fold decides which alerts pass. The most severe are decided first, so that of the alerts of one
// group in one batch the most severe passes.
func (d *detection) fold(findings []*finding) {
	order := slices.Clone(findings)
	slices.SortStableFunc(order, func(a, b *finding) int { return bySeverity(b, a) })
	for _, f := range order {
		var window time.Duration
		if f.rule.Dedup != nil {
			window = f.rule.Dedup.Window
		}
		f.verdict = d.dedup.judge(f.keys, window, eventTime(f.log))
	}
	for _, f := range findings {
		if !f.verdict.passes {
			continue
		}
		if total, ok := f.scope.Scope().Attributes().Get(event.AttrVedetteEventsLostTotal); ok {
			f.lost, f.lossKnown = d.losses.since(f.lossSource(), total.Int()), true
		}
	}
}

func (d *detection) takeBack(findings []*finding) {
	for _, f := range slices.Backward(findings) {
		d.dedup.takeBack(f.verdict)
		if f.lossKnown {
			d.losses.giveBack(f.lossSource(), f.lost)
		}
	}
}

func (d *detection) count(ctx context.Context, findings []*finding) {
	for _, f := range findings {
		level := metric.WithAttributes(attribute.String("level", f.rule.level.name))
		if f.verdict.passes {
			d.tel.ProcessorDetectionAlerts.Add(ctx, 1, level)
		} else {
			d.tel.ProcessorDetectionAlertsSuppressed.Add(ctx, 1, level)
		}
	}
}

// lossSource names the receiver, on its host, whose losses the scope reports.
func (f *finding) lossSource() string {
	return f.source() + "|" + f.scope.Scope().Name()
}

func eventTime(log plog.LogRecord) time.Time {
	for _, t := range []pcommon.Timestamp{log.Timestamp(), log.ObservedTimestamp()} {
		if t != 0 {
			return t.AsTime()
		}
	}
	return time.Now()
}
