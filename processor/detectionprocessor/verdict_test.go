// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

func forbiddenEvent() testEvent {
	return testEvent{name: event.KindEnforcementDenied, body: "Denied: sh[7] run by root: write /etc/passwd (policy accounts, rule files)", attrs: map[string]any{
		event.AttrProcessEntityID: "e", event.AttrFilePath: "/etc/passwd", event.AttrVedettePolicyName: "accounts", event.AttrVedettePolicyRule: "files",
		event.AttrVedettePolicySeverity: "critical", event.AttrVedettePolicyAttack: []any{"T1098.004"}, event.AttrVedettePolicyDescription: "Accounts.",
	}}
}

func TestVerdictIsAnAlert(t *testing.T) {
	sink := &consumertest.LogsSink{}
	d := start(t, testRules(OutputAlerts), sink)
	require.NoError(t, d.ConsumeLogs(t.Context(), batch(t, forbiddenEvent())))
	alerts := given(sink)
	require.Len(t, alerts, 1)
	alert := alerts[0]
	assert.Equal(t, event.KindSecurityAlert, alert.EventName())
	assert.Equal(t, forbiddenEvent().body, alert.Body().Str())
	assert.Equal(t, plog.SeverityNumberFatal, alert.SeverityNumber())
	assert.Equal(t, "alert", attr(alert, event.AttrEventKind))
	assert.Equal(t, event.KindEnforcementDenied, attr(alert, event.AttrVedetteEventName))
	assert.Equal(t, "policy accounts, rule files", attr(alert, event.AttrSecurityRuleName))
	assert.Equal(t, "Accounts.", attr(alert, event.AttrSecurityRuleDescription))
	assert.Equal(t, "policies", attr(alert, event.AttrSecurityRuleRulesetName))
	assert.Equal(t, "critical", attr(alert, event.AttrSecurityRuleLevel))
	assert.Equal(t, []any{"T1098"}, attr(alert, event.AttrThreatTechniqueID))
	assert.Equal(t, []any{"T1098.004"}, attr(alert, event.AttrThreatTechniqueSubtechniqueID))
	assert.Equal(t, int64(99), attr(alert, event.AttrEventRiskScore))
	assert.NotEmpty(t, attr(alert, event.AttrEventID))
	assert.Nil(t, attr(alert, event.AttrVedetteMatched), "no selection of a rule matched")
}

func TestVerdictsAreLimitedLikeOtherAlerts(t *testing.T) {
	cfg := testRules(OutputAlerts)
	cfg.RateLimit.Alerts = 1
	sink := &consumertest.LogsSink{}
	d := start(t, cfg, sink)
	other := forbiddenEvent()
	other.attrs[event.AttrVedettePolicyRule] = "other"
	require.NoError(t, d.ConsumeLogs(t.Context(), batch(t, forbiddenEvent(), forbiddenEvent(), other)))
	assert.Len(t, given(sink), 2, "each rule of a policy counts by itself")
}

func TestVerdictFollowedByItsAlert(t *testing.T) {
	sink := &consumertest.LogsSink{}
	d := start(t, testRules(OutputAppend), sink)
	require.NoError(t, d.ConsumeLogs(t.Context(), batch(t, forbiddenEvent())))
	var names []string
	for _, log := range given(sink) {
		names = append(names, log.EventName())
	}
	assert.Equal(t, []string{event.KindEnforcementDenied, event.KindSecurityAlert}, names)
}
