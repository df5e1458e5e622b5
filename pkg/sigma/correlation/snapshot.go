// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// A snapshot is a mark, a version, the payload and a checksum over all of it.
const (
	snapshotMark    = "VCOR"
	snapshotVersion = 1
	checksumBytes   = 4
)

// errBroken is about a snapshot that has the right checksum and does not make sense.
var errBroken = errors.New("the snapshot of correlations is broken, expected one that Snapshot wrote")

// Snapshot writes down everything that is remembered, for Restore.
func (c *Correlator) Snapshot() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := append([]byte(snapshotMark), snapshotVersion)
	b = binary.AppendVarint(binary.AppendVarint(b, c.latest), c.watermark)
	b = binary.AppendUvarint(b, uint64(len(c.plans)))
	for _, p := range c.plans {
		// With its size before it, the state of a correlation that is gone can be passed over.
		state := p.save(nil)
		b = append(binary.AppendUvarint(appendID(b, p.fingerprint), uint64(len(state))), state...)
	}
	waiting := c.queue.entries()
	b = binary.AppendUvarint(b, uint64(len(waiting)))
	for _, e := range waiting {
		b = e.save(b)
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func (p *plan) save(b []byte) []byte {
	b = binary.AppendVarint(b, p.since)
	b = binary.AppendUvarint(b, uint64(len(p.groups)))
	for g := p.list.first; g != nil; g = g.next {
		b = appendString(b, g.key)
		b = binary.AppendVarint(binary.AppendVarint(b, g.last), g.since)
		b = binary.AppendUvarint(b, g.folded)
		b = appendBool(appendBool(b, g.fired), g.degraded)
		b = binary.AppendUvarint(b, uint64(len(g.mentions)))
		for _, m := range g.ordered() {
			b = appendID(binary.AppendVarint(b, m.time), m.event)
		}
		b = p.appendCarried(b, g.carried)
		b = g.window.save(b)
	}
	return b
}

func (e *entry) save(b []byte) []byte {
	b = appendID(b, e.plan.fingerprint)
	b = binary.AppendUvarint(binary.AppendVarint(b, e.time), uint64(e.input.rule))
	b = appendID(appendID(appendString(b, e.key), e.input.value), e.input.event)
	return e.plan.appendCarried(b, e.input.carried)
}

// Restore takes over what a snapshot remembers for correlations that have not changed since, in place of what is remembered now. On an
// error nothing has changed. The bytes may be anything.
func (c *Correlator) Restore(snapshot []byte) error {
	payload, err := unwrap(snapshot)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &reader{rest: payload}
	latest, watermark := r.int(), r.int()
	r.horizon = watermark // what is later waits
	restored := c.restorePlans(r)
	waiting := c.restoreWaiting(r, judgedUntil(restored))
	if r.broken || len(r.rest) > 0 || latest > farthest.UnixNano() || watermark > farthest.UnixNano() {
		return errBroken
	}
	c.latest, c.watermark, c.queue = latest, watermark, queue{}
	for i, p := range c.plans {
		p.adopt(restored[i])
	}
	for i := range waiting {
		c.seq++
		waiting[i].seq = c.seq
		c.queue.push(&waiting[i])
	}
	c.groupBytes, c.nextClose = 0, math.MaxInt64
	for _, p := range c.plans {
		c.groupBytes += p.size
		if p.closing && p.list.first != nil {
			c.nextClose = min(c.nextClose, p.list.first.since+p.span)
		}
	}
	c.bound()
	return nil
}

func unwrap(snapshot []byte) ([]byte, error) {
	head := len(snapshotMark) + 1
	if len(snapshot) < head+checksumBytes || !bytes.HasPrefix(snapshot, []byte(snapshotMark)) {
		return nil, errors.New("found something else, expected a snapshot of correlations")
	}
	if version := snapshot[head-1]; version != snapshotVersion {
		return nil, fmt.Errorf("found a snapshot of correlations of version %d, expected version %d", version, snapshotVersion)
	}
	body := snapshot[:len(snapshot)-checksumBytes]
	if binary.BigEndian.Uint32(snapshot[len(body):]) != crc32.ChecksumIEEE(body) {
		return nil, errors.New("the snapshot of correlations has a wrong checksum, expected it as it was written")
	}
	return body[head:], nil
}

// state is what a snapshot remembers of a correlation.
type state struct {
	since  int64
	groups []*group
}

// restorePlans gives the states of the plans in their order, nil for those that the snapshot does not have.
func (c *Correlator) restorePlans(r *reader) []*state {
	restored := make([]*state, len(c.plans))
	byFingerprint := map[[16]byte]int{}
	for i, p := range c.plans {
		byFingerprint[p.fingerprint] = i
	}
	r.each(r.count(17), func(int) {
		fingerprint := r.id()
		own := &reader{rest: r.take(r.count(1)), horizon: r.horizon}
		i, ok := byFingerprint[fingerprint]
		if !ok {
			return
		}
		restored[i] = c.plans[i].restore(own)
		if own.broken || len(own.rest) > 0 {
			r.fail()
		}
	})
	return restored
}

func (p *plan) restore(r *reader) *state {
	s := &state{since: r.past()}
	known := map[string]bool{}
	r.each(r.count(1), func(int) {
		g := p.restoreGroup(r)
		if place := p.place(g); known[g.key] || !p.keyFits(g.key) || place < 0 || place > farthest.UnixNano() {
			r.fail()
		}
		known[g.key] = true
		s.groups = append(s.groups, g)
	})
	slices.SortStableFunc(s.groups, func(a, b *group) int { return cmp.Compare(p.place(a), p.place(b)) })
	return s
}

// place is by what a group is ordered among the others.
func (p *plan) place(g *group) int64 {
	if p.closing {
		return g.since
	}
	return g.last
}

func (p *plan) restoreGroup(r *reader) *group {
	g := &group{key: r.string(), last: r.past()}
	horizon := r.horizon
	r.horizon = g.last
	defer func() { r.horizon = horizon }()
	g.since, g.folded, g.fired, g.degraded = r.past(), r.uint(), r.bool(), r.bool()
	r.each(r.count(17), func(int) {
		t := r.past()
		g.mentions = append(g.mentions, mention{t, r.id()})
	})
	if extra := len(g.mentions) - p.limits.MaxEvents; extra > 0 && p.Type.Ordering() {
		g.mentions = g.mentions[:p.limits.MaxEvents]
	} else if extra > 0 {
		g.mentions = g.mentions[extra:]
	}
	g.placed = g.last
	g.carried = p.readCarried(r)
	g.window = p.newWindow()
	g.window.restore(r)
	return g
}

// adopt takes a state in place of the one the plan has.
func (p *plan) adopt(s *state) {
	for _, g := range p.groups {
		g.gone = true
	}
	p.groups, p.list, p.since, p.size, p.counts.Groups = map[string]*group{}, list{}, never, 0, 0
	if s == nil {
		return
	}
	p.since = s.since
	if extra := len(s.groups) - p.limits.MaxGroups; extra > 0 {
		p.counts.EvictedGroups += uint64(extra)
		s.groups = s.groups[extra:]
	}
	for _, g := range s.groups {
		p.groups[g.key] = g
		p.list.push(g)
		g.size = int32(g.bytes())
		p.size += int(g.size)
	}
	p.counts.Groups = len(s.groups)
}

// judgedUntil is when the latest match happened that is no longer waiting.
func judgedUntil(restored []*state) int64 {
	latest := int64(never)
	for _, s := range restored {
		if s != nil {
			for _, g := range s.groups {
				latest = max(latest, g.last)
			}
		}
	}
	return latest
}

// restoreWaiting gives the waiting matches of plans that are still there. Matches are judged in their order, so none may have
// happened before one that was judged.
func (c *Correlator) restoreWaiting(r *reader, judged int64) []entry {
	byFingerprint := map[[16]byte]*plan{}
	for _, p := range c.plans {
		byFingerprint[p.fingerprint] = p
	}
	var waiting []entry
	r.each(r.count(52), func(int) {
		fingerprint := r.id()
		e := entry{time: r.int()}
		e.input.rule = int(min(r.uint(), math.MaxInt32))
		e.key, e.input.value, e.input.event = r.string(), r.id(), r.id()
		e.plan = byFingerprint[fingerprint]
		if e.plan == nil {
			(&plan{}).readCarried(r)
			return
		}
		e.input.carried = e.plan.readCarried(r)
		if e.input.rule >= len(e.plan.Rules) || !e.plan.keyFits(e.key) || e.time < max(judged, 0) || e.time > farthest.UnixNano() {
			r.fail()
			return
		}
		if e.plan.Type.Numeric() && !(math.Abs(e.input.number()) <= greatest) {
			r.fail()
			return
		}
		waiting = append(waiting, e)
	})
	return waiting
}
