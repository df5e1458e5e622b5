// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"slices"
	"time"

	"github.com/vedette-sec/vedette/internal/alertmessage"
	"github.com/vedette-sec/vedette/internal/judge"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// generation is a set of rules that is or was in force. A batch is judged by one generation.
type generation struct {
	number     int64
	since      time.Time
	set        *ruleset.Set
	judge      *judge.Judge
	rules      []*rule // by the judge's numbers
	correlated []bool  // of each rule, whether a correlation refers to it
	// correlator remembers; when a generation follows another, it takes over from the one before.
	correlator   *correlation.Correlator
	correlations map[*sigma.Correlation]*rule
}

// newGeneration prepares rules. It has no correlator yet: what the one before remembers is taken over when
// the generation comes into force.
func newGeneration(set *ruleset.Set, number int64, at time.Time) *generation {
	g := &generation{number: number, since: at, set: set, correlations: map[*sigma.Correlation]*rule{}}
	used := map[*sigma.Rule]bool{}
	for _, c := range set.Correlations {
		g.correlations[c.Correlation] = newCorrelationRule(c)
		for _, reference := range c.Rules {
			used[reference.Rule] = true
		}
	}
	g.judge = judge.New(set.Rules, func(r *ruleset.Rule) []string {
		return slices.Concat(fieldsOfAlert(r), fieldsOfCorrelations(set, r))
	})
	for _, r := range set.Rules {
		g.rules = append(g.rules, newRule(r))
		g.correlated = append(g.correlated, used[r.Rule])
	}
	return g
}

// fieldsOfCorrelations are the fields that correlations read of a rule's events: they group and count by
// them, and those they refer to carry them on.
func fieldsOfCorrelations(set *ruleset.Set, r *ruleset.Rule) []string {
	var fields []string
	for _, c := range set.Correlations {
		for _, reference := range c.Rules {
			if reference.Rule != r.Rule {
				continue
			}
			for _, name := range slices.Concat(fieldsCarried(set), c.GroupBy, c.Threshold.Fields) {
				fields = append(fields, reference.Field(name))
			}
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// fieldsCarried are those that any correlation asks for, because one may get them through another.
func fieldsCarried(set *ruleset.Set) []string {
	var fields []string
	for _, c := range set.Correlations {
		fields = append(fields, c.GroupBy...)
		fields = append(fields, c.Threshold.Fields...)
		fields = append(fields, alertmessage.OfCorrelation(c.Correlation).Fields()...)
		if c.Dedup != nil {
			fields = append(fields, c.Dedup.Key...)
		}
	}
	return fields
}

// takeOver makes the correlator. What the generation before remembers for correlations that did not change
// goes on; faults are of correlations that the limits do not allow.
func (g *generation) takeOver(before *generation, limits correlation.Limits) (faults []*sigma.Error) {
	var previous *correlation.Correlator
	if before != nil {
		previous = before.correlator
	}
	resolved := make([]*sigma.Correlation, len(g.set.Correlations))
	for i, c := range g.set.Correlations {
		resolved[i] = c.Correlation
	}
	g.correlator, faults = correlation.New(resolved, limits, previous)
	return faults
}
