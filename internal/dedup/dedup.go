// SPDX-License-Identifier: Apache-2.0

// Package dedup folds the alerts that are one into the first of them. The processor and the command line share it.
package dedup

import (
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/alertmessage"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// mostGroups bounds the groups that are remembered. One that is forgotten lets its next alert pass.
const mostGroups = 10_000

// processField is the key field that stands for a process and everything it started.
const processField = "ProcessGuid"

// Memory folds alerts of a group into the first one of a window.
type Memory struct {
	mu     sync.Mutex
	groups *simplelru.LRU[string, *group]
}

// group is what is known of the last alert that passed.
type group struct {
	passed time.Time
	folded int64
}

// Verdict says whether an alert passes, and how to take that back.
type Verdict struct {
	Passes     bool
	Suppressed int64 // alerts folded since the last one that passed

	key    string
	before *group
}

// New returns a Memory of nothing.
func New() *Memory {
	groups, err := simplelru.NewLRU[string, *group](mostGroups, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Memory{groups: groups}
}

// Judge decides on an alert. The keys are the ways to name its group, its own first; an alert
// that passed under any of them within the window folds this one. Without keys it passes.
func (d *Memory) Judge(keys []string, window time.Duration, at time.Time) Verdict {
	if len(keys) == 0 {
		return Verdict{Passes: true}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		if g, ok := d.groups.Get(key); ok && at.Sub(g.passed).Abs() < window {
			g.folded++
			return Verdict{key: key}
		}
	}
	v := Verdict{Passes: true, key: keys[0]}
	if g, ok := d.groups.Peek(v.key); ok {
		v.before, v.Suppressed = g, g.folded
	}
	d.groups.Add(v.key, &group{passed: at})
	return v
}

// TakeBack undoes a verdict on an alert that could not be delivered, so that a second try passes.
func (d *Memory) TakeBack(v Verdict) {
	if v.key == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch g, ok := d.groups.Peek(v.key); {
	case !v.Passes && ok && g.folded > 0:
		g.folded--
	case v.Passes && v.before != nil:
		d.groups.Add(v.key, v.before)
	case v.Passes:
		d.groups.Remove(v.key)
	}
}

// Keys returns the ways to name the group of an alert: one with its own process and one with each
// of the process's ancestors, so that what a process starts counts as the process. An event
// that lacks a field of the key belongs to no group.
func Keys(d *sigma.Dedup, ev correlation.Event, ancestry []string) []string {
	if d == nil {
		return nil
	}
	ids := []string{""}
	key := strconv.Quote(d.Group)
	for _, field := range d.Key {
		value, ok := alertmessage.First(ev, field)
		if !ok {
			return nil
		}
		if field == processField {
			ids = append([]string{value}, ancestry...)
			continue
		}
		key += "|" + strconv.Quote(value)
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = key + "|" + id
	}
	return keys
}

// AncestryOf gives the identities of the ancestors of the process that acted.
func AncestryOf(log plog.LogRecord) []string {
	value, ok := log.Attributes().Get(event.AttrProcessAncestry)
	if !ok || value.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	var ids []string
	for _, id := range value.Slice().All() {
		ids = append(ids, id.AsString())
	}
	return ids
}
