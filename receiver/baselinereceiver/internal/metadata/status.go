// SPDX-License-Identifier: Apache-2.0

// Package metadata holds the component's type, stability and telemetry; metadata.yaml describes them.
package metadata

import "go.opentelemetry.io/collector/component"

var (
	Type      = component.MustNewType("baseline")
	ScopeName = "github.com/vedette-sec/vedette/receiver/baselinereceiver"
)

const (
	LogsStability    = component.StabilityLevelAlpha
	MetricsStability = component.StabilityLevelAlpha
)
