// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/dedup"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/judge"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// finding is a rule that matched a record, or a correlation that fired.
type finding struct {
	resource   plog.ResourceLogs
	scope      plog.ScopeLogs
	origin     *origin
	log        plog.LogRecord
	rule       *rule
	generation int64
	match      sigma.Match
	firing     *correlation.Firing // nil for a rule
	message    string
	keys       []string
	verdict    verdict
	ofPolicy   bool // a policy forbids it, and no detection rule matched
	asked      bool // the responses of its rule were asked for
	scores     scores
	lost       int64 // events lost since the alert before
	lossKnown  bool
}

// verdict says whether an alert passes, and why not.
type verdict struct {
	dedup.Verdict
	limited      bool  // held back by the rate limit
	foldedByRate int64 // of those suppressed, the ones that the rate limit held back
}

// judge returns every finding in a batch, in the order of the records; what correlations make of them
// comes last.
func (d *detection) judge(logs plog.Logs) []*finding {
	d.mu.RLock()
	defer d.mu.RUnlock()
	g := d.current
	b := &batchJudge{generation: g, contexts: d.contexts, stream: &d.stream, now: time.Now()}
	record := g.judge.Acquire()
	defer record.Release()
	for i := range logs.ResourceLogs().Len() {
		resource := logs.ResourceLogs().At(i)
		for j := range resource.ScopeLogs().Len() {
			scope := resource.ScopeLogs().At(j)
			b.origin = nil
			for k := range scope.LogRecords().Len() {
				log := scope.LogRecords().At(k)
				if isVerdict(log) {
					b.forbidden(resource, scope, log)
				}
				for _, number := range record.Matches(log, resource.Resource().Attributes()) {
					b.matched(record, number, resource, scope, log)
				}
			}
		}
	}
	return append(b.findings, b.composite...)
}

// batchJudge gathers the findings of a batch.
type batchJudge struct {
	*generation
	contexts  *contexts
	stream    *streamClock
	now       time.Time
	origin    *origin // of the scope's records; nil until one matches
	findings  []*finding
	composite []*finding
}

func (b *batchJudge) matched(record *judge.Record, number int, resource plog.ResourceLogs, scope plog.ScopeLogs, log plog.LogRecord) {
	r, ev := b.rules[number], record.Event(number)
	f := &finding{resource: resource, scope: scope, origin: b.from(resource, scope), log: log, rule: r, generation: b.number}
	if b.correlated[number] {
		id := f.identity()
		b.contexts.remember(id, resource, scope, log)
		firings := b.correlator.Observe(b.set.Rules[number].Rule, b.stream.of(eventTime(log), b.now), ev, id)
		b.composite = append(b.composite, b.fired(firings, b.contexts)...)
	}
	if r.silent {
		r.matches.Add(1)
		return
	}
	f.match = record.Explain(number)
	f.message = r.message.Render(ev)
	f.keys = r.dedupKeys(ev, log)
	b.findings = append(b.findings, f)
}

// from gives the origin of the records of the scope at hand.
func (b *batchJudge) from(resource plog.ResourceLogs, scope plog.ScopeLogs) *origin {
	if b.origin == nil {
		b.origin = originOf(resource, scope)
	}
	return b.origin
}

// fired makes findings of what correlations say. Their records are copies of those of the latest event.
func (g *generation) fired(firings []correlation.Firing, known *contexts) []*finding {
	var findings []*finding
	for i := range firings {
		firing := &firings[i]
		r := g.correlations[firing.Correlation]
		r.matches.Add(1)
		if r.silent {
			continue
		}
		resource, scope, log := known.of(firing)
		findings = append(findings, &finding{
			resource: resource, scope: scope, origin: originOf(resource, scope), log: log, rule: r,
			generation: g.number, firing: firing,
			message: r.message.Render(firing), keys: r.dedupKeys(firing, log),
		})
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
		f.verdict = verdict{Verdict: d.dedup.Judge(f.keys, window, eventTime(f.log))}
		if f.verdict.Passes {
			d.limit(f)
		}
	}
	for _, f := range findings {
		if !f.verdict.Passes {
			continue
		}
		f.scores = d.risk.add(f, eventTime(f.log))
		if total, ok := f.scope.Scope().Attributes().Get(event.AttrVedetteEventsLostTotal); ok {
			f.lost, f.lossKnown = d.losses.since(f.origin.lossSource, total.Int()), true
		}
	}
}

// limit applies the rate limit to an alert that is no repetition. One that is held back leaves no trace in
// the deduplication, so that its next repetition may pass.
func (d *detection) limit(f *finding) {
	passes, folded := d.limiter.judge(f.rule.name(), eventTime(f.log))
	if !passes {
		d.dedup.TakeBack(f.verdict.Verdict)
		f.verdict = verdict{limited: true}
		return
	}
	f.verdict.Suppressed += folded
	f.verdict.foldedByRate = folded
}

func (d *detection) takeBack(findings []*finding) {
	for _, f := range slices.Backward(findings) {
		d.dedup.TakeBack(f.verdict.Verdict)
		d.limiter.takeBack(f.rule.name(), f.verdict)
		d.risk.takeBack(f.scores)
		if f.lossKnown {
			d.losses.giveBack(f.origin.lossSource, f.lost)
		}
	}
}

// name tells rules apart: by the id, or where there is none by the title.
func (r *rule) name() string { return cmp.Or(r.ID, r.Title) }
