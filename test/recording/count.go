// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

// counts tell what a recording holds.
type counts struct {
	events   int
	kinds    map[string]int
	programs map[string]int // by the executable of the process that acted
	lost     int64          // events the agent could not deliver
}

func newCounts() *counts { return &counts{kinds: map[string]int{}, programs: map[string]int{}} }

func (c *counts) add(logs plog.Logs) {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			if lost, ok := scope.Scope().Attributes().Get(event.AttrVedetteEventsLostTotal); ok {
				c.lost = max(c.lost, lost.Int())
			}
			for _, record := range scope.LogRecords().All() {
				c.events++
				c.kinds[record.EventName()]++
				if path, ok := record.Attributes().Get(event.AttrProcessExecutablePath); ok {
					c.programs[path.Str()]++
				}
			}
		}
	}
}

// entry is one line of a table of counts.
type entry struct {
	name  string
	count int
}

// ranked are the entries by count, the greatest first, at most a number of them.
func ranked(counts map[string]int, most int) []entry {
	var entries []entry
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		entries = append(entries, entry{name, counts[name]})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(b.count, a.count) })
	return entries[:min(most, len(entries))]
}
