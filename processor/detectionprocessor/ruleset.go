// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/attack"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// rule is a Sigma rule with what its alerts need.
type rule struct {
	*sigma.Rule
	ruleset string // builtin, or the directory it came from
	level   level
	message message
	tags    attack.Tags
}

func newRule(r *sigma.Rule, ruleset string) *rule {
	return &rule{Rule: r, ruleset: ruleset, level: levelOf(r), message: messageOf(r), tags: attack.FromTags(r.Tags)}
}

// fieldNames are the fields that judging an event and making its alert read.
func (r *rule) fieldNames() []string {
	names := slices.Concat(r.FieldNames(), r.message.fields)
	if r.Dedup != nil {
		names = append(names, r.Dedup.Key...)
	}
	return names
}

// categoryRules is the rules of one logsource category and what fields mean there.
type categoryRules struct {
	table fieldTable
	rules []*rule
}

// ruleset is the rules in force, by the events they are about.
type ruleset struct {
	byKind   map[string][]categoryRules
	unnamed  []categoryRules // for records without an EventName; at most one entry
	loaded   int
	unserved int // rules for other products or for categories that no kind of event serves
}

func newRuleset(sources []loaded) *ruleset {
	byCategory := map[string][]*rule{}
	set := &ruleset{byKind: map[string][]categoryRules{}}
	for _, s := range sources {
		for _, r := range s.rules {
			set.loaded++
			if !served(r.LogSource) {
				set.unserved++
				continue
			}
			byCategory[r.LogSource.Category] = append(byCategory[r.LogSource.Category], r)
		}
	}
	for category, rules := range byCategory {
		group := categoryRules{table: newFieldTable(category, rules), rules: rules}
		if category == "" {
			set.unnamed = append(set.unnamed, group)
			continue
		}
		for _, kind := range event.KindsFor(category) {
			set.byKind[kind] = append(set.byKind[kind], group)
		}
	}
	return set
}

// served says whether events for a logsource can come here.
func served(s sigma.LogSource) bool {
	if s.Product != "" && s.Product != "linux" {
		return false
	}
	return s.Category == "" || len(event.KindsFor(s.Category)) > 0
}

// route returns the rules that a log record is judged by.
func (s *ruleset) route(log plog.LogRecord) []categoryRules {
	if name := log.EventName(); name != "" {
		return s.byKind[name]
	}
	return s.unnamed
}
