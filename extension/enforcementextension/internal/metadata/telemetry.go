// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
)

// TelemetryBuilder holds the component's instruments.
type TelemetryBuilder struct {
	ExtensionEnforcementResponses   metric.Int64Counter
	ExtensionEnforcementResultsLost metric.Int64Counter
}

// NewTelemetryBuilder makes the instruments on the Collector's meter.
func NewTelemetryBuilder(settings component.TelemetrySettings) (*TelemetryBuilder, error) {
	meter := settings.MeterProvider.Meter(ScopeName)
	var b TelemetryBuilder
	var responses, lost error
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
	return &b, errors.Join(responses, lost)
}
