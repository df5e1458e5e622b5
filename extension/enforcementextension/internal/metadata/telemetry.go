// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
)

// TelemetryBuilder holds the component's instruments.
type TelemetryBuilder struct {
	ExtensionEnforcementResponses              metric.Int64Counter
	ExtensionEnforcementResultsLost            metric.Int64Counter
	ExtensionEnforcementVerdicts               metric.Int64Counter
	ExtensionEnforcementVerdictsLost           metric.Int64Counter
	ExtensionEnforcementVerdictsUntold         metric.Int64Counter
	ExtensionEnforcementPolicies               metric.Int64Gauge
	ExtensionEnforcementPoliciesGeneration     metric.Int64Gauge
	ExtensionEnforcementPoliciesLoadTime       metric.Int64Gauge
	ExtensionEnforcementPoliciesReloadFailures metric.Int64Counter
}

// NewTelemetryBuilder makes the instruments on the Collector's meter.
func NewTelemetryBuilder(settings component.TelemetrySettings) (*TelemetryBuilder, error) {
	meter := settings.MeterProvider.Meter(ScopeName)
	var b TelemetryBuilder
	var responses, lost error
	var errs [7]error
	b.ExtensionEnforcementResponses, responses = meter.Int64Counter(
		"otelcol_extension_enforcement_responses",
		metric.WithDescription("Number of requests to act and of actions that ended. [Alpha]"),
		metric.WithUnit("{responses}"),
	)
	b.ExtensionEnforcementResultsLost, lost = meter.Int64Counter(
		"otelcol_extension_enforcement_results_lost",
		metric.WithDescription("Number of results that a subscriber did not take in time. [Alpha]"),
		metric.WithUnit("{results}"),
	)
	b.ExtensionEnforcementVerdicts, errs[0] = meter.Int64Counter(
		"otelcol_extension_enforcement_verdicts",
		metric.WithDescription("Number of acts that policies forbid, by policy, rule and verdict. [Alpha]"),
		metric.WithUnit("{verdicts}"),
	)
	b.ExtensionEnforcementVerdictsLost, errs[1] = meter.Int64Counter(
		"otelcol_extension_enforcement_verdicts_lost",
		metric.WithDescription("Number of verdicts that took effect but could not be told. [Alpha]"),
		metric.WithUnit("{verdicts}"),
	)
	b.ExtensionEnforcementPolicies, errs[2] = meter.Int64Gauge(
		"otelcol_extension_enforcement_policies",
		metric.WithDescription("Number of policies, by state. [Alpha]"),
		metric.WithUnit("{policies}"),
	)
	b.ExtensionEnforcementPoliciesGeneration, errs[3] = meter.Int64Gauge(
		"otelcol_extension_enforcement_policies_generation",
		metric.WithDescription("Number of the policies in force; each reload adds one. [Alpha]"),
		metric.WithUnit("{generation}"),
	)
	b.ExtensionEnforcementPoliciesLoadTime, errs[4] = meter.Int64Gauge(
		"otelcol_extension_enforcement_policies_load_time",
		metric.WithDescription("When the policies in force were loaded. [Alpha]"),
		metric.WithUnit("s"),
	)
	b.ExtensionEnforcementPoliciesReloadFailures, errs[5] = meter.Int64Counter(
		"otelcol_extension_enforcement_policies_reload_failures",
		metric.WithDescription("Number of reloads after which the policies from before stayed in force. [Alpha]"),
		metric.WithUnit("{reloads}"),
	)
	b.ExtensionEnforcementVerdictsUntold, errs[6] = meter.Int64Counter(
		"otelcol_extension_enforcement_verdicts_untold",
		metric.WithDescription("Number of verdicts that are told as a sum with a later one, or that were lost, by policy, rule and reason. [Alpha]"),
		metric.WithUnit("{verdicts}"),
	)
	return &b, errors.Join(append(errs[:], responses, lost)...)
}
