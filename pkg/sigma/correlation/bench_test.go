// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pair is an event of two fields. One is used again and again, as an event that rules were judging is in the processor's caches;
// reading a hundred thousand different ones would take longer than to correlate them.
type pair struct{ group, value []any }

func newPair() *pair { return &pair{make([]any, 1), make([]any, 1)} }

func (p *pair) set(group, value int) *pair {
	p.group[0], p.value[0] = int64(1_000_000+group), int64(value)
	return p
}

func (p *pair) Lookup(field string) ([]any, bool) {
	if field == "g" {
		return p.group, true
	}
	return p.value, true
}

func numbered(i int) EventID {
	var id EventID
	binary.BigEndian.PutUint64(id[:], uint64(i)+1)
	return id
}

var benchmarked = []struct{ name, body string }{
	{"event_count", "type: event_count\n  condition: {gte: 10}"},
	{"event_count_closing", "type: event_count\n  condition: {lt: 3}"},
	{"value_count", "type: value_count\n  condition: {field: v, gte: 10}"},
	{"value_sum", "type: value_sum\n  condition: {field: v, gte: 1000000}"},
	{"value_avg", "type: value_avg\n  condition: {field: v, gt: 1000}"},
	{"temporal_ordered", "type: temporal_ordered\n  condition: a and b"},
	{"first_seen", "type: first_seen\n  condition: {field: v}"},
}

func BenchmarkObserve(b *testing.B) {
	for _, bm := range benchmarked {
		for _, groups := range []int{100, 100_000} {
			b.Run(fmt.Sprintf("%s/groups=%d", bm.name, groups), func(b *testing.B) {
				rules := "rules: [a]"
				if bm.name == "temporal_ordered" {
					rules = "rules: [a, b]"
				}
				c := resolved(b, correlationText("x", rules, "group-by: [g]", "timespan: 1h", bm.body))
				limits := DefaultLimits()
				limits.MaxBytes = 256 << 20
				correlator := correlatorOf(b, c, limits)
				rule, one := ruleNamed(c, "a"), newPair()
				observe := func(i int) {
					// A prime step visits the groups in an order that caches do not foresee.
					correlator.Observe(rule, testBegin.Add(time.Duration(i)*time.Microsecond), one.set(i*7919%groups, i%7), numbered(i))
				}
				for i := range 2 * groups {
					observe(i)
				}
				b.ReportAllocs()
				used := processorTime(b)
				for i := 2 * groups; b.Loop(); i++ {
					observe(i)
				}
				b.ReportMetric(float64(b.N)/(processorTime(b)-used).Seconds(), "matches/cpu-s")
			})
		}
	}
}

// One mutex guards everything; this shows what several goroutines get through it.
func BenchmarkObserveInParallel(b *testing.B) {
	c := resolved(b, correlationText("x", "rules: [a]", "group-by: [g]", "timespan: 1h", "type: event_count", "condition: {gte: 10}"))
	correlator := correlatorOf(b, c, DefaultLimits())
	rule := ruleNamed(c, "a")
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		one := newPair()
		for pb.Next() {
			i := int(next.Add(1))
			correlator.Observe(rule, testBegin.Add(time.Duration(i)*time.Microsecond), one.set(i*7919%10_000, i%7), numbered(i))
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "matches/s")
}

// processorTime is what the process has used, collecting garbage included, whatever else the machine does.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The memory of 100,000 groups with five events each, and how near the correlator's own count comes to it.
func BenchmarkMemory(b *testing.B) {
	const groups, each = 100_000, 5
	for _, bm := range benchmarked {
		b.Run(bm.name, func(b *testing.B) {
			rules := "rules: [a]"
			if bm.name == "temporal_ordered" {
				rules = "rules: [a, b]"
			}
			c := resolved(b, correlationText("x", rules, "group-by: [g]", "timespan: 1h", bm.body))
			rule, one := ruleNamed(c, "a"), newPair()
			for b.Loop() {
				before := heapInUse()
				limits := DefaultLimits()
				correlator := correlatorOf(b, c, limits)
				for i := range groups * each {
					correlator.Observe(rule, testBegin.Add(time.Duration(i)*time.Microsecond), one.set(i%groups, i%7), numbered(i))
				}
				correlator.Advance(testBegin.Add(10 * time.Second))
				stats := correlator.Stats()
				require.Equal(b, groups, stats.Correlations[0].Groups)
				b.ReportMetric(float64(heapInUse()-before)/(1<<20), "MiB")
				b.ReportMetric(float64(stats.Bytes)/(1<<20), "MiB-counted")
				runtime.KeepAlive(correlator)
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	c := resolved(b, correlationText("x", "rules: [a]", "group-by: [g]", "timespan: 1h", "type: event_count", "condition: {gte: 10}"))
	correlator := correlatorOf(b, c, DefaultLimits())
	rule, one := ruleNamed(c, "a"), newPair()
	for i := range 500_000 {
		correlator.Observe(rule, testBegin.Add(time.Duration(i)*time.Microsecond), one.set(i%100_000, i%7), numbered(i))
	}
	for b.Loop() {
		snapshot := correlator.Snapshot()
		require.NoError(b, correlator.Restore(snapshot))
		b.ReportMetric(float64(len(snapshot))/(1<<20), "MiB")
	}
}
