// SPDX-License-Identifier: Apache-2.0

// Package judge judges log records by a set of rules: it knows which rules look at a record, reads
// from it what they need, and tells which match. The processor and the command line share it.
package judge

import (
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/engine"
)

// Judge holds rules ready to judge. It does not change, and several goroutines may use it.
type Judge struct {
	engine *engine.Engine
	reader *reader
	views  map[string]*view
	idle   sync.Pool
}

// view is what some rules look at: a kind of event or log lines.
type view struct {
	number   int // from 0
	route    engine.Route
	keywords bool // some rule searches all text of a record
	audit    *auditPlan
}

// New prepares the rules. Matches are numbers of rules, counted as in the given list. fields names what
// else of an event is read when a rule matches, such as the fields of its message.
func New(rules []*ruleset.Rule, fields func(*ruleset.Rule) []string) *Judge {
	b := engine.NewBuilder()
	j := &Judge{views: map[string]*view{}}
	slots := map[string]engine.Slot{}
	encoded := false
	for _, r := range rules {
		binding := logsource.For(r.LogSource)
		views := viewsOf(r.Rule, binding)
		encoded = encoded || isAudit(binding) && asksEncoded(r.Rule)
		routes := make([]engine.Route, len(views))
		for i, name := range views {
			routes[i] = b.Route(name)
			j.views[name] = &view{route: routes[i]}
		}
		bind := func(field string) []engine.Slot {
			names, _ := binding.Attributes(field)
			bound := make([]engine.Slot, len(names))
			for i, name := range names {
				bound[i] = b.Slot(name)
				slots[name] = bound[i]
			}
			return bound
		}
		id := b.Add(r.Rule, bind, routes...)
		b.Show(id, bind, fields(r)...)
	}
	for name, share := range commonValues {
		if slot, ok := slots[name]; ok {
			b.Common(slot, share)
		}
	}
	j.engine = b.Build()
	j.reader = newReader(slots)
	views := 0
	for name, v := range j.views {
		v.number = views
		views++
		v.keywords = j.engine.NeedsKeywords(v.route)
		v.audit = newAuditPlan(slots, name, j.engine, j.engine.Needs(v.route), encoded)
	}
	j.idle.New = func() any {
		return &Record{judge: j, scanner: j.engine.NewScanner(), orders: make([][]knownName, views)}
	}
	return j
}

// commonValues are attributes and parts of audit records that have one of a few values in most events, with the share of the
// events in which they have any one that rules ask for. A call is told by the kind of event mostly, so that rules that ask for
// one do not look at others; of the types of records each event has several.
var commonValues = map[string]float64{
	logsource.AuditType: 0.9, logsource.AuditSuccess: 0.9, logsource.AuditNameType: 0.9,
	logsource.AuditCall: 0.3, logsource.AuditNumber: 0.3,
	event.AttrEventOutcome: 0.5, event.AttrFileType: 0.5, event.AttrNetworkTransport: 0.5, event.AttrNetworkType: 0.5,
	event.AttrNetworkDirection: 0.5, event.AttrNetworkInitiated: 0.5,
	event.AttrProcessIOStdin: 0.5, event.AttrProcessIOStdout: 0.5, event.AttrProcessIOStderr: 0.5, event.AttrProcessIOVia: 0.5,
	event.AttrHostName: 0.5, event.AttrOSType: 0.5,
}

// Record is a log record as the rules of a judge see it. It is for one goroutine, and one that is released
// must not be used any more.
type Record struct {
	judge   *Judge
	scanner *engine.Scanner
	names   knownNames
	orders  [][]knownName // of the attributes of events, by view
	parts   parts         // of the event read last
	matches []int
	seen    bool
}

// Acquire returns a Record to be released.
func (j *Judge) Acquire() *Record { return j.idle.Get().(*Record) }

// Release gives the Record back for further use.
func (r *Record) Release() {
	clear(r.parts[:]) // they hold on to the event
	r.judge.idle.Put(r)
}

// Matches reads a log record and returns the numbers of the rules that match it, valid until the next call.
func (r *Record) Matches(log plog.LogRecord, resource pcommon.Map) []int {
	r.matches, r.seen = r.matches[:0], false
	if name := log.EventName(); name != "" {
		if v := r.judge.views[name]; v != nil {
			r.readEvent(log, resource, v)
			r.match(v)
		}
		return r.matches
	}
	r.matchLine(log, resource)
	return r.matches
}

func (r *Record) match(v *view) {
	r.seen = true
	r.matches = append(r.matches, r.scanner.Match(v.route)...)
}

// Seen reports whether any rule looks at the record that was read last.
func (r *Record) Seen() bool { return r.seen }

// Stats tells how big the rules are in memory.
func (j *Judge) Stats() engine.Stats { return j.engine.Stats() }

// Event returns the record that was read last as a rule sees it, until the next is read.
func (r *Record) Event(rule int) sigma.Event { return r.scanner.Event(rule) }

// Explain tells why a rule matches the record that was read last, until the next is read.
func (r *Record) Explain(rule int) sigma.Match { return r.scanner.Explain(rule) }
