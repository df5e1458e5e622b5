// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/alertmessage"
	"github.com/vedette-sec/vedette/internal/dedup"
	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/eventlog"
	"github.com/vedette-sec/vedette/internal/judge"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// Raised is what a rule or a correlation would have raised.
type Raised struct {
	ID      string      `json:"id,omitempty"`
	Title   string      `json:"title"`
	Kind    string      `json:"kind"` // rule or correlation
	Level   sigma.Level `json:"level,omitempty"`
	Matches int         `json:"matches"`
	Alerts  int         `json:"alerts"` // matches without those that would have been folded into an alert before them
	First   time.Time   `json:"first"`
	Last    time.Time   `json:"last"`
	Samples []string    `json:"samples"` // different messages, the first ones

	header  *sigma.Header
	message alertmessage.Message
	silent  bool
}

// ReplayReport is what recorded events come to.
type ReplayReport struct {
	Records   int       `json:"records"`          // read
	Judged    int       `json:"judged"`           // that are or hold an event
	Repeated  int       `json:"repeated"`         // alerts about an event that was judged before
	Eventless int       `json:"eventless"`        // alerts that do not hold their event
	Late      uint64    `json:"late,omitempty"`   // matches too far behind others to be correlated
	Broken    []string  `json:"broken,omitempty"` // lines that could not be read, the first ones
	Unread    int       `json:"unread"`           // how many lines could not be read
	First     time.Time `json:"first,omitzero"`
	Last      time.Time `json:"last,omitzero"`
	Raised    []*Raised `json:"raised"` // the most severe first, and of these the most frequent
}

// mostBroken bounds the lines that are told one by one; a file of another form has nothing else.
const mostBroken = 10

// mostSamples bounds the messages that are shown of a rule.
const mostSamples = 3

// Replay judges recorded events as if they came now, at the times at which they happened.
type Replay struct {
	set        *ruleset.Set
	only       *sigma.Header // what alone is reported; nil for everything
	record     *judge.Record
	correlator *correlation.Correlator
	lateness   time.Duration
	rules      []*Raised
	composite  map[*sigma.Correlation]*Raised
	memory     *dedup.Memory
	encoder    *ecs.Encoder
	known      *simplelru.LRU[[16]byte, struct{}] // events of alerts
	report     ReplayReport
	at         time.Time // of the event at hand
}

// mostKnown bounds the events that are remembered because alerts held them: several rules alert about the same event, at about
// the same time.
const mostKnown = 1 << 16

// NewReplay prepares rules. With only, the id or title of a rule or correlation as Find takes it, nothing else is reported.
func NewReplay(set *ruleset.Set, limits correlation.Limits, only string) (*Replay, error) {
	p := &Replay{set: set, lateness: limits.Lateness, composite: map[*sigma.Correlation]*Raised{}, memory: dedup.New(), encoder: ecs.NewEncoder()}
	if only != "" {
		r, c, err := Find(set, only)
		if err != nil {
			return nil, err
		}
		if r != nil {
			p.only = &r.Header
		} else {
			p.only = &c.Header
		}
	}
	p.known, _ = simplelru.NewLRU[[16]byte, struct{}](mostKnown, nil) // the error is for a size that is not positive
	var all []*sigma.Correlation
	for _, c := range set.Correlations {
		all = append(all, c.Correlation)
		p.composite[c.Correlation] = raised("correlation", &c.Header, c.Silent, alertmessage.OfCorrelation(c.Correlation))
	}
	correlator, refused := correlation.New(all, limits, nil)
	if len(refused) > 0 {
		return nil, refused[0]
	}
	p.correlator = correlator
	for _, r := range set.Rules {
		p.rules = append(p.rules, raised("rule", &r.Header, r.Silent, alertmessage.OfRule(r.Rule)))
	}
	p.record = judge.New(set.Rules, func(r *ruleset.Rule) []string {
		fields := slices.Concat(alertmessage.OfRule(r.Rule).Fields(), p.correlator.Fields(r.Rule))
		if r.Dedup != nil {
			fields = append(fields, r.Dedup.Key...)
		}
		return fields
	}).Acquire()
	return p, nil
}

func raised(kind string, h *sigma.Header, silent bool, message alertmessage.Message) *Raised {
	return &Raised{ID: h.ID, Title: h.Title, Kind: kind, Level: h.Level, Samples: []string{}, header: h, message: message, silent: silent}
}

// Broken notes a line that could not be read.
func (p *Replay) Broken(fault *eventlog.Fault) {
	p.report.Unread++
	if len(p.report.Broken) < mostBroken {
		p.report.Broken = append(p.report.Broken, fault.Error())
	}
}

// Take judges a record. An alert is judged by the event it is about, once however many alerts there are about it.
func (p *Replay) Take(record eventlog.Record) {
	p.report.Records++
	log := record.Log
	alert := isAlert(log)
	if !ecs.Event(log) {
		p.report.Eventless++
		return
	}
	if alert && p.repeated(record) {
		p.report.Repeated++
		return
	}
	p.report.Judged++
	p.clock(log)
	for _, number := range p.record.Matches(log, record.Resource.Attributes()) {
		r, ev := p.set.Rules[number], p.record.Event(number)
		p.add(p.rules[number], p.at, ev, dedup.AncestryOf(log))
		p.fired(p.correlator.Observe(r.Rule, p.at, ev, correlation.EventID{}))
	}
}

func isAlert(log plog.LogRecord) bool {
	kind, ok := log.Attributes().Get(event.AttrEventKind)
	return log.EventName() == event.KindSecurityAlert || ok && kind.AsString() == "alert"
}

// repeated reports whether the same event was judged before.
func (p *Replay) repeated(record eventlog.Record) bool {
	sum := sha256.Sum256(p.encoder.AppendDocument(nil, record.Resource, record.Log))
	key := [16]byte(sum[:16])
	if p.known.Contains(key) {
		return true
	}
	p.known.Add(key, struct{}{})
	return false
}

// clock takes the time from an event; one without a time happened when the one before it did.
func (p *Replay) clock(log plog.LogRecord) {
	for _, t := range []time.Time{log.Timestamp().AsTime(), log.ObservedTimestamp().AsTime()} {
		if t.Unix() > 0 {
			p.at = t
			break
		}
	}
	if p.at.IsZero() {
		return
	}
	if p.report.First.IsZero() || p.at.Before(p.report.First) {
		p.report.First = p.at
	}
	if p.at.After(p.report.Last) {
		p.report.Last = p.at
	}
}

func (p *Replay) fired(firings []correlation.Firing) {
	for i := range firings {
		p.add(p.composite[firings[i].Correlation], firings[i].Time, &firings[i], nil)
	}
}

// add counts a match. One that is folded has no message, as the alert has none.
func (p *Replay) add(r *Raised, at time.Time, ev correlation.Event, ancestry []string) {
	if !p.reports(r) {
		return
	}
	if r.Matches == 0 || at.Before(r.First) {
		r.First = at.UTC()
	}
	if at.After(r.Last) {
		r.Last = at.UTC()
	}
	r.Matches++
	var window time.Duration
	if r.header.Dedup != nil {
		window = r.header.Dedup.Window
	}
	if !p.memory.Judge(dedup.Keys(r.header.Dedup, ev, ancestry), window, at).Passes {
		return
	}
	r.Alerts++
	if len(r.Samples) < mostSamples {
		if message := r.message.Render(ev); !slices.Contains(r.Samples, message) {
			r.Samples = append(r.Samples, message)
		}
	}
}

// endOfTime is what a correlator still counts.
var endOfTime = time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)

// Report closes what is still open, as if nothing came any more, and sums up.
func (p *Replay) Report() *ReplayReport {
	end := p.report.Last.Add(p.lateness)
	for _, c := range p.set.Correlations {
		end = end.Add(c.Timespan)
	}
	if end.After(endOfTime) {
		end = endOfTime
	}
	p.fired(p.correlator.Advance(end))
	for _, counts := range p.correlator.Stats().Correlations {
		p.report.Late += counts.Late
	}
	out := p.report
	out.Raised = []*Raised{}
	for i := range p.set.Rules {
		out.keep(p.rules[i])
	}
	for _, c := range p.set.Correlations {
		out.keep(p.composite[c.Correlation])
	}
	slices.SortStableFunc(out.Raised, func(a, b *Raised) int {
		return cmp.Or(severityOf(b.Level)-severityOf(a.Level), b.Alerts-a.Alerts, strings.Compare(a.Title, b.Title))
	})
	return &out
}

// reports tells whether the report is about a rule: one that would have alerted, or the one that alone was asked for.
func (p *Replay) reports(r *Raised) bool {
	if p.only != nil {
		return p.only == r.header
	}
	return !r.silent
}

func (r *ReplayReport) keep(one *Raised) {
	if one.Matches > 0 {
		r.Raised = append(r.Raised, one)
	}
}

func severityOf(l sigma.Level) int {
	return slices.Index([]sigma.Level{sigma.Informational, sigma.Low, sigma.Medium, sigma.High, sigma.Critical}, cmp.Or(l, sigma.Medium))
}

// WriteText writes a line for each rule with samples of its messages below it, and the sums.
func (r *ReplayReport) WriteText(w io.Writer, paint Paint) error {
	var b strings.Builder
	total, width := 0, 0
	for _, one := range r.Raised {
		width = max(width, len([]rune(one.Title)))
	}
	for _, one := range r.Raised {
		total += one.Alerts
		folded := ""
		if one.Matches > one.Alerts {
			folded = fmt.Sprintf("  (%d matches)", one.Matches)
		}
		fmt.Fprintf(&b, "%s  %s  %7d  %s%s\n", paint.level(cmp.Or(one.Level, sigma.Medium), 13), paint.in(bold, padded(one.Title, width)),
			one.Alerts, between(one.First, one.Last), folded)
		for _, sample := range one.Samples {
			fmt.Fprintf(&b, "    %s\n", paint.in(dim, sample))
		}
	}
	for _, fault := range r.Broken {
		fmt.Fprintf(&b, "%s %s\n", paint.in(red, "not read:"), fault)
	}
	if more := r.Unread - len(r.Broken); more > 0 {
		fmt.Fprintf(&b, "%s %s more\n", paint.in(red, "not read:"), plural(more, "line"))
	}
	if r.Late > 0 {
		fmt.Fprintf(&b, "%s %d matches are too far behind others to be correlated; name the files in the order of time\n", paint.in(yellow, "late:"), r.Late)
	}
	fmt.Fprintf(&b, "%s judged", plural(r.Judged, "event"))
	if !r.First.IsZero() {
		fmt.Fprintf(&b, " of %s", between(r.First, r.Last))
	}
	fmt.Fprintf(&b, ": %s of %s", plural(total, "alert"), plural(len(r.Raised), "rule"))
	if r.Repeated > 0 {
		fmt.Fprintf(&b, "; %s about an event judged before", plural(r.Repeated, "alert"))
	}
	if r.Eventless > 0 {
		fmt.Fprintf(&b, "; %s without the event", plural(r.Eventless, "alert"))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func between(first, last time.Time) string {
	const form = "2006-01-02 15:04:05"
	begin, end := first.UTC().Format(form), last.UTC().Format(form)
	if begin == end {
		return begin
	}
	return begin + " – " + end
}
