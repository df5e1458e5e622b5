// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Correlator judges matches of rules by correlations. It may be used from several goroutines at once.
type Correlator struct {
	limits Limits
	plans  []*plan
	byRule map[*sigma.Rule][]listener

	mu          sync.Mutex
	queue       queue
	seq         uint64
	latest      int64   // event time of the latest match
	clock       int64   // the time last given to Advance
	watermark   int64   // no earlier match is taken
	nextClose   int64   // no window closes before
	groupBytes  int     // of all plans
	undelivered int     // firings on their way
	current     entry   // what is being judged; here because a local one would be allocated for each match
	delivered   reading // of firings of other correlations

	readings sync.Pool
}

// delivery is a firing on its way to a correlation that refers to its own.
type delivery struct {
	rule   int // position in the list of rules of the correlation it goes to
	from   int // index of the correlation that fired
	firing *Firing
	event  EventID
}

// New makes a correlator of resolved correlations, each of which must come after those it refers to, as Collection.Resolve gives them.
// It takes over from previous, which may be nil, what is remembered for correlations that did not change. previous must not be
// used any more. Correlations beyond the limits are left out with those that refer to them, and told in refused.
func New(correlations []*sigma.Correlation, limits Limits, previous *Correlator) (c *Correlator, refused []*sigma.Error) {
	c = &Correlator{
		limits: limits.complete(), byRule: map[*sigma.Rule][]listener{},
		latest: never, clock: never, watermark: never, nextClose: math.MaxInt64,
	}
	c.readings.New = func() any { return new(reading) }
	planned := map[*sigma.Correlation]*plan{}
	for _, correlation := range correlations {
		p, err := c.plan(correlation, planned)
		if err != nil {
			refused = append(refused, &sigma.Error{File: correlation.File, Line: correlation.Line, Msg: err.Error()})
			continue
		}
		planned[correlation] = p
	}
	c.settleFields()
	if previous != nil {
		// What Snapshot wrote Restore can read.
		_ = c.Restore(previous.Snapshot())
	}
	return c, refused
}

// plan prepares a correlation and tells those it refers to of it.
func (c *Correlator) plan(correlation *sigma.Correlation, planned map[*sigma.Correlation]*plan) (*plan, error) {
	for _, r := range correlation.Rules {
		switch {
		case r.Rule == nil && r.Correlation == nil:
			return nil, errUnresolved(r)
		case r.Rule == nil && planned[r.Correlation] == nil:
			return nil, errRefused(r)
		}
	}
	p, err := prepare(correlation, c.limits)
	if err != nil {
		return nil, err
	}
	p.index, p.total = len(c.plans), &c.groupBytes
	// Correlations that are alike in all but their place must not share what is remembered.
	for slices.ContainsFunc(c.plans, func(other *plan) bool { return other.fingerprint == p.fingerprint }) {
		p.fingerprint[0]++
	}
	c.plans = append(c.plans, p)
	for i, r := range correlation.Rules {
		l := listener{p, i}
		if r.Rule != nil {
			c.byRule[r.Rule] = append(c.byRule[r.Rule], l)
		} else {
			inner := planned[r.Correlation]
			inner.listeners = append(inner.listeners, l)
		}
	}
	return p, nil
}

// settleFields goes from the last plan to the first, because a correlation must show what those that refer to it ask for.
func (c *Correlator) settleFields() {
	for _, p := range slices.Backward(c.plans) {
		var asked []string
		for _, l := range p.listeners {
			f := l.plan.rules[l.rule]
			asked = slices.Concat(asked, f.group, f.values, f.carry)
		}
		p.carryFields(asked)
	}
}

// Fields gives the names of the fields that are read from the events of a rule, sorted; none where nothing refers to it.
func (c *Correlator) Fields(rule *sigma.Rule) []string {
	var names []string
	for _, l := range c.byRule[rule] {
		f := l.plan.rules[l.rule]
		names = slices.Concat(names, f.group, f.values, f.carry)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Refers reports whether a correlation refers to the rule, so that its matches need to be observed.
func (c *Correlator) Refers(rule *sigma.Rule) bool { return len(c.byRule[rule]) > 0 }

// The years that nanoseconds in 64 bits can count, with room for any time span.
var earliest, farthest = time.Unix(0, 0), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// Observe tells of a match of a rule: when the event happened, how its fields are read (not after the return), and its name.
// It returns what fires because of this match or of earlier ones that need not wait any longer.
func (c *Correlator) Observe(rule *sigma.Rule, at time.Time, ev Event, event EventID) []Firing {
	listeners := c.byRule[rule]
	if len(listeners) == 0 {
		return nil
	}
	r := c.readings.Get().(*reading)
	defer c.readings.Put(r)
	var firings []Firing
	for i, l := range listeners {
		r.read(l, ev)
		c.mu.Lock()
		c.admit(r, at, event)
		if i == len(listeners)-1 {
			firings = c.drain()
		}
		c.mu.Unlock()
	}
	return firings
}

// admit counts a match and lets it wait, unless something is wrong with it.
func (c *Correlator) admit(r *reading, at time.Time, event EventID) {
	t := at.UnixNano()
	counts := &r.plan.counts
	switch {
	case at.Before(earliest) || at.After(farthest) || c.clock != never && t > c.clock+int64(c.limits.Ahead):
		counts.Observed++
		counts.Ahead++
	case t < c.watermark:
		counts.Observed++
		counts.Late++
	case r.complete():
		c.seq++
		e := r.entry()
		e.time, e.seq, e.input.event = t, c.seq, event
		c.queue.push(&e)
		if t > c.latest {
			c.latest = t
			c.watermark = max(c.watermark, t-int64(c.limits.Lateness))
		}
	}
}

// Advance tells the time, so that windows close and matches are judged even while no more come. It returns what fires.
// Times that do not grow have no effect.
func (c *Correlator) Advance(now time.Time) []Firing {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(earliest) || now.After(farthest) {
		return nil
	}
	c.clock = max(c.clock, now.UnixNano())
	c.watermark = max(c.watermark, c.clock-int64(c.limits.Lateness))
	firings := c.drain()
	for _, p := range c.plans {
		p.expired(c.watermark)
	}
	return firings
}

// drain processes, in the order of time, what need not wait any longer, and closes windows on the way.
func (c *Correlator) drain() []Firing {
	var firings []Firing
	for {
		e := c.queue.first()
		if e == nil {
			break
		}
		if e.time > c.watermark {
			// Rather than take more memory, matches go before their time; what would have come before them is late then.
			if c.queue.bytes <= c.limits.MaxBytes/4 {
				break
			}
			c.watermark = e.time
			e.plan.counts.Hurried++
		}
		t := e.time
		firings = c.close(t, firings)
		c.queue.pop(&c.current)
		firings = c.process(&c.current, firings)
		firings = c.deliver(t, firings)
	}
	return c.close(c.watermark, firings)
}

// process judges a match in its turn.
func (c *Correlator) process(e *entry, firings []Firing) []Firing {
	p, t := e.plan, e.time
	p.expired(t)
	if p.since == never {
		p.since = t
	}
	if p.closing {
		c.collect(e)
		return firings
	}
	g := p.find(e)
	cutoff := t - p.span
	if g.last <= cutoff {
		g.folded, g.degraded = 0, false
	}
	g.window.expire(cutoff)
	if g.fired {
		v, _ := g.window.value()
		g.fired = p.holds(v) && t < g.since+p.span
	}
	fresh, degraded := g.window.add(t, &e.input)
	p.use(g, e, degraded)
	v, begun := g.window.value()
	holds := p.holds(v)
	if p.Type == sigma.FirstSeen {
		holds = fresh && t >= p.since+p.learn
	}
	switch {
	case !holds:
		g.fired = false
	case g.fired:
		g.folded++
		p.counts.Folded++
	default:
		f := p.firing(g, t, cutoff, v, begun, e.input.carried)
		g.fired, g.since, g.folded = p.Type != sigma.FirstSeen, t, 0
		firings = c.fire(p, f, firings)
	}
	p.touch(g)
	p.resize(g)
	c.bound()
	return firings
}

// use notes what a group takes from an event beside its window.
func (p *plan) use(g *group, e *entry, degraded bool) {
	g.last = e.time
	if p.closing {
		g.carried = e.input.carried
	}
	p.mention(g, e.time, &e.input)
	if degraded {
		g.degraded = true
		p.counts.Degraded++
	}
}

// collect puts a match into the open window of its group.
func (c *Correlator) collect(e *entry) {
	p := e.plan
	if p.groups[e.key] == nil && !p.opens[e.input.rule] {
		return
	}
	g := p.find(e)
	c.nextClose = min(c.nextClose, g.since+p.span)
	_, degraded := g.window.add(e.time, &e.input)
	p.use(g, e, degraded)
	p.resize(g)
	c.bound()
}

// close judges the windows that end at or before a time, in the order in which they end.
func (c *Correlator) close(until int64, firings []Firing) []Firing {
	for c.nextClose <= until {
		at := c.nextClose
		for _, p := range c.plans {
			for g := p.list.first; p.closing && g != nil && g.since+p.span <= at; g = p.list.first {
				v, begun := g.window.value()
				if p.holds(v) {
					firings = c.fire(p, p.firing(g, at, never, v, begun, g.carried), firings)
				}
				p.evict(g)
			}
		}
		firings = c.deliver(at, firings)
		c.nextClose = math.MaxInt64
		for _, p := range c.plans {
			if g := p.list.first; p.closing && g != nil {
				c.nextClose = min(c.nextClose, g.since+p.span)
			}
		}
	}
	return firings
}

// fire notes a firing and puts it on the way to those that refer to the correlation.
func (c *Correlator) fire(p *plan, f Firing, firings []Firing) []Firing {
	p.counts.Fired++
	var event EventID
	if n := len(f.Events); n > 0 {
		event = f.Events[n-1]
	}
	for _, l := range p.listeners {
		l.plan.inbox = append(l.plan.inbox, delivery{l.rule, p.index, &f, event})
		c.undelivered++
	}
	return append(firings, f)
}

// deliver lets correlations judge the firings of others. Firings go only to later correlations, so that one round suffices.
func (c *Correlator) deliver(t int64, firings []Firing) []Firing {
	for _, p := range c.plans {
		if c.undelivered == 0 {
			break
		}
		slices.SortStableFunc(p.inbox, func(a, b delivery) int { return cmp.Compare(a.from, b.from) })
		for _, d := range p.inbox {
			c.undelivered--
			r := &c.delivered
			r.read(listener{p, d.rule}, d.firing)
			if !r.complete() {
				continue
			}
			c.current = r.entry()
			c.current.time, c.current.input.event = t, d.event
			firings = c.process(&c.current, firings)
		}
		clear(p.inbox)
		p.inbox = p.inbox[:0]
	}
	return firings
}

// bound keeps the memory within its limit. The correlation whose groups take most gives first, so that a flood in one does
// not make the others forget.
func (c *Correlator) bound() {
	for c.groupBytes+c.queue.bytes > c.limits.MaxBytes {
		largest := slices.MaxFunc(c.plans, func(a, b *plan) int { return cmp.Compare(a.size, b.size) })
		if largest.list.first == nil {
			return
		}
		largest.evict(largest.list.first)
		largest.counts.EvictedBytes++
	}
}
