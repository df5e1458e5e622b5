// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/attack"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// policiesRuleset is what alerts of policies have in place of where a detection rule came from.
const policiesRuleset = "policies"

// isVerdict reports whether a record tells of what a policy forbids.
func isVerdict(log plog.LogRecord) bool {
	return log.EventName() == event.KindEnforcementDenied || log.EventName() == event.KindEnforcementAudited
}

// forbidden makes an alert of what a policy forbids: the policy has judged already.
func (b *batchJudge) forbidden(resource plog.ResourceLogs, scope plog.ScopeLogs, log plog.LogRecord) {
	b.findings = append(b.findings, &finding{
		resource: resource, scope: scope, origin: b.from(resource, scope), log: log, rule: policyRule(log.Attributes()),
		generation: b.number, message: log.Body().AsString(), ofPolicy: true,
	})
}

// policyRule is the rule of a policy in the shape of detection rules.
func policyRule(attrs pcommon.Map) *rule {
	level := sigma.Level(textOf(attrs, event.AttrVedettePolicySeverity))
	made := &rule{
		Header: &sigma.Header{
			Title:       fmt.Sprintf("policy %s, rule %s", textOf(attrs, event.AttrVedettePolicyName), textOf(attrs, event.AttrVedettePolicyRule)),
			Description: textOf(attrs, event.AttrVedettePolicyDescription),
			Level:       level,
		},
		ruleset: policiesRuleset, level: levelOf(level), tags: attack.FromTags(attackTags(attrs)),
	}
	return made.prepared()
}

// attackTags gives the techniques as tags of Sigma.
func attackTags(attrs pcommon.Map) []string {
	value, ok := attrs.Get(event.AttrVedettePolicyAttack)
	if !ok || value.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	var tags []string
	for _, technique := range value.Slice().All() {
		tags = append(tags, "attack."+strings.ToLower(technique.AsString()))
	}
	return tags
}
