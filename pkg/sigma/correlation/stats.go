// SPDX-License-Identifier: Apache-2.0

package correlation

import "github.com/vedette-sec/vedette/pkg/sigma"

// Stats tells what a correlator holds and what became of the matches it was told of.
type Stats struct {
	Bytes        int // about the memory of groups and waiting matches
	Waiting      int // matches that wait for earlier ones
	Correlations []Counters
}

// Counters are those of one correlation. A match of a rule that several correlations refer to counts in each.
type Counters struct {
	Correlation *sigma.Correlation
	Groups      int // those that are kept
	Bytes       int // about the memory they take

	Observed uint64 // matches of its rules, and firings of the correlations it refers to
	Fired    uint64
	Folded   uint64 // matches that held but did not fire, because one before them had

	Late      uint64 // dropped: further behind than Lateness allows
	Ahead     uint64 // dropped: further ahead of the time than Ahead allows
	Ungrouped uint64 // dropped: a field of group-by is missing
	Valueless uint64 // dropped: a field of the condition is missing, or not a number where one is needed
	Hurried   uint64 // judged before earlier ones could have come, because too many were waiting

	EvictedGroups uint64 // groups dropped by MaxGroups
	EvictedBytes  uint64 // groups dropped by MaxBytes
	Degraded      uint64 // times that a group forgot something by MaxValues
}

// Stats gives the counters, in the order of the correlations.
func (c *Correlator) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{Bytes: c.queue.bytes, Waiting: c.queue.count}
	for _, p := range c.plans {
		counts := p.counts
		counts.Bytes = p.size
		s.Bytes += p.size
		s.Correlations = append(s.Correlations, counts)
	}
	return s
}
