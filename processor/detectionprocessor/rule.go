// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/alertmessage"
	"github.com/vedette-sec/vedette/internal/attack"
	"github.com/vedette-sec/vedette/internal/dedup"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
)

// rule is what alerts of a rule or of a correlation need.
type rule struct {
	*sigma.Header
	category string // of the log source; empty for a correlation
	ruleset  string // builtin, or the directory it came from
	level    level
	message  alertmessage.Message
	tags     attack.Tags
	silent   bool // its matches count for correlations only
	matches  atomic.Uint64
	// described is what all its alerts say of it.
	described pcommon.Map
}

// prepared describes the rule.
func (r *rule) prepared() *rule {
	r.described = r.describe()
	return r
}

func newRule(r *ruleset.Rule) *rule {
	made := &rule{
		Header: &r.Header, category: r.LogSource.Category, ruleset: r.Source, silent: r.Silent,
		level: levelOf(r.Level), message: alertmessage.OfRule(r.Rule), tags: attack.FromTags(r.Tags),
	}
	return made.prepared()
}

func newCorrelationRule(c *ruleset.Correlation) *rule {
	made := &rule{
		Header: &c.Header, ruleset: c.Source, silent: c.Silent,
		level: levelOf(c.Level), message: alertmessage.OfCorrelation(c.Correlation), tags: attack.FromTags(c.Tags),
	}
	return made.prepared()
}

// fieldsOfAlert are the fields that making an alert of a rule reads.
func fieldsOfAlert(r *ruleset.Rule) []string {
	fields := slices.Clone(alertmessage.OfRule(r.Rule).Fields())
	if r.Dedup != nil {
		fields = append(fields, r.Dedup.Key...)
	}
	return fields
}

// dedupKeys are the ways to name the group of an alert of the rule.
func (r *rule) dedupKeys(ev correlation.Event, log plog.LogRecord) []string {
	if r.Dedup == nil {
		return nil
	}
	return dedup.Keys(r.Dedup, ev, dedup.AncestryOf(log))
}

// version is the date on which the rule was last changed.
func (r *rule) version() string {
	if r.Modified != "" {
		return r.Modified
	}
	return r.Date
}

// risk is what an alert adds to the risk of its host and user.
func (r *rule) risk() int {
	if r.Risk > 0 {
		return r.Risk
	}
	return r.level.risk
}
