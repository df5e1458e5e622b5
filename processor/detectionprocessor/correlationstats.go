// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/vedette-sec/vedette/internal/rulestatus"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// correlationCauses are the ways in which a correlation may count less than there was, with their counters.
var correlationCauses = []struct {
	name  string
	count func(correlation.Counters) uint64
}{
	{"late", func(c correlation.Counters) uint64 { return c.Late }},
	{"ungrouped", func(c correlation.Counters) uint64 { return c.Ungrouped }},
	{"valueless", func(c correlation.Counters) uint64 { return c.Valueless }},
	{"hurried", func(c correlation.Counters) uint64 { return c.Hurried }},
	{"max_groups", func(c correlation.Counters) uint64 { return c.EvictedGroups }},
	{"max_memory", func(c correlation.Counters) uint64 { return c.EvictedBytes }},
	{"max_values", func(c correlation.Counters) uint64 { return c.Degraded }},
}

// correlationCounts remembers what was counted, because a correlator only knows its totals.
type correlationCounts struct {
	of   *correlation.Correlator
	last map[*sigma.Correlation]correlation.Counters
}

// measureCorrelations counts what correlations hold and what they had to leave out.
func (d *detection) measureCorrelations(ctx context.Context) {
	d.mu.RLock()
	correlator := d.current.correlator
	stats := correlator.Stats()
	d.mu.RUnlock()
	if d.counted.of != correlator {
		d.counted = correlationCounts{correlator, map[*sigma.Correlation]correlation.Counters{}}
	}
	groups := 0
	for _, now := range stats.Correlations {
		groups += now.Groups
		before := d.counted.last[now.Correlation]
		d.counted.last[now.Correlation] = now
		for _, cause := range correlationCauses {
			if n := cause.count(now) - cause.count(before); n > 0 {
				d.tel.ProcessorDetectionCorrelationIncomplete.Add(ctx, int64(n), metric.WithAttributes(attribute.String("cause", cause.name)))
			}
		}
	}
	d.tel.ProcessorDetectionCorrelationGroups.Record(ctx, int64(groups))
	d.tel.ProcessorDetectionCorrelationMemory.Record(ctx, int64(stats.Bytes))
}

// correlationStatus tells the same for each correlation, for `vedette rules status`.
func (g *generation) correlationStatus() []rulestatus.Correlation {
	var all []rulestatus.Correlation
	for _, c := range g.correlator.Stats().Correlations {
		one := rulestatus.Correlation{ID: c.Correlation.ID, Title: c.Correlation.Title, Groups: c.Groups, Bytes: c.Bytes,
			Observed: c.Observed, Fired: c.Fired, Folded: c.Folded, Incomplete: map[string]uint64{}}
		for _, cause := range correlationCauses {
			if n := cause.count(c); n > 0 {
				one.Incomplete[cause.name] = n
			}
		}
		all = append(all, one)
	}
	return all
}
