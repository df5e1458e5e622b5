// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"slices"
	"time"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// group is what is known of the events that share the values of group-by.
type group struct {
	key        string
	window     window
	prev, next *group
	last       int64 // time of the last event
	since      int64 // when it fired; in a plan that judges at the end, when the window opened
	folded     uint64
	mentions   []mention // a ring where the latest events are kept, else by rule
	carried    []carried // what the firing at the end of the window will show
	size       int32
	turn       int32 // of the mentions, the one that is replaced next
	placed     int64 // time of the last event when it was put at the end of the list
	fired      bool
	degraded   bool
	gone       bool
}

// mention is an event that firings may name.
type mention struct {
	time  int64
	event EventID
}

// groupBytes is a group with its entry in the map, measured.
const groupBytes = 184

func (g *group) bytes() int {
	n := groupBytes + len(g.key) + g.window.bytes() + 24*cap(g.mentions) + 24*len(g.carried)
	for _, c := range g.carried {
		n += len(c.text)
	}
	return n
}

// list orders groups. Where each event is judged, the least recently used comes first, to a 64th of the time span; where windows
// are judged at their end, the one that ends first.
type list struct{ first, last *group }

func (l *list) push(g *group) {
	g.prev, g.next = l.last, nil
	if l.last != nil {
		l.last.next = g
	} else {
		l.first = g
	}
	l.last = g
}

func (l *list) remove(g *group) {
	if g.prev != nil {
		g.prev.next = g.next
	} else {
		l.first = g.next
	}
	if g.next != nil {
		g.next.prev = g.prev
	} else {
		l.last = g.prev
	}
	g.prev, g.next = nil, nil
}

// mention notes an event: in the temporal types one for each rule, otherwise the latest ones.
func (p *plan) mention(g *group, t int64, in *input) {
	if in.event == (EventID{}) {
		return
	}
	m := mention{t, in.event}
	most := p.limits.MaxEvents
	switch {
	case p.Type.Ordering() && in.rule < most:
		for len(g.mentions) <= in.rule {
			g.mentions = append(g.mentions, mention{time: never})
		}
		g.mentions[in.rule] = m
	case p.Type.Ordering():
	case len(g.mentions) == most:
		g.mentions[g.turn] = m
		g.turn = (g.turn + 1) % int32(most)
	default:
		g.mentions = append(roomier(g.mentions, most), m)
	}
}

// ordered gives the mentions as they came.
func (g *group) ordered() []mention { return slices.Concat(g.mentions[g.turn:], g.mentions[:g.turn]) }

// mentioned gives the events that count, the earliest first.
func (g *group) mentioned(cutoff int64) []EventID {
	in := slices.DeleteFunc(g.ordered(), func(m mention) bool { return m.time <= cutoff })
	slices.SortStableFunc(in, func(a, b mention) int {
		return int(min(max(a.time-b.time, -1), 1))
	})
	var ids []EventID
	for _, m := range in {
		ids = append(ids, m.event)
	}
	return ids
}

// firing describes that the plan holds for a group, and shows fields of the last event.
func (p *plan) firing(g *group, at, cutoff int64, v float64, begun int64, shown []carried) Firing {
	f := Firing{
		Correlation: p.Correlation, Time: instant(at), First: instant(begun), Last: instant(g.last), Value: v, Folded: g.folded,
		Events: g.mentioned(cutoff), Degraded: g.degraded,
	}
	for i, value := range splitKey(g.key) {
		f.Group = append(f.Group, Field{p.GroupBy[i], value})
	}
	for i, c := range shown {
		if c.known {
			f.Fields = append(f.Fields, Field{p.carry[i], c.text})
		}
	}
	if p.Type == sigma.FirstSeen {
		f.First = f.Last
	}
	return f
}

func instant(t int64) time.Time { return time.Unix(0, t).UTC() }

// evict drops a group.
func (p *plan) evict(g *group) {
	p.list.remove(g)
	g.gone = true
	delete(p.groups, g.key)
	p.size -= int(g.size)
	*p.total -= int(g.size)
	p.counts.Groups--
}

// expired drops the groups whose last event has left the window at a time.
func (p *plan) expired(t int64) {
	for g := p.list.first; g != nil && g.last <= t-p.span && !p.closing; g = p.list.first {
		p.evict(g)
	}
}

// touch puts a group behind those used before it. Doing so at each event would cost more than all the rest.
func (p *plan) touch(g *group) {
	if g.last-g.placed > p.span/64 {
		p.list.remove(g)
		p.list.push(g)
		g.placed = g.last
	}
}

// find gives the group of an entry, a new one if need be.
func (p *plan) find(e *entry) *group {
	if e.group != nil && !e.group.gone {
		return e.group
	}
	if g, ok := p.groups[e.key]; ok {
		return g
	}
	if len(p.groups) >= p.limits.MaxGroups {
		p.evict(p.list.first)
		p.counts.EvictedGroups++
	}
	g := &group{key: e.key, window: p.newWindow(), last: e.time, since: e.time, placed: e.time}
	p.groups[e.key] = g
	p.list.push(g)
	p.counts.Groups++
	return g
}

// resize brings the count of bytes up to date.
func (p *plan) resize(g *group) {
	size := int32(g.bytes())
	p.size += int(size - g.size)
	*p.total += int(size - g.size)
	g.size = size
}
