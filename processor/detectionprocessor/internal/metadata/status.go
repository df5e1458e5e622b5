// SPDX-License-Identifier: Apache-2.0

// Package metadata holds what metadata.yaml says about the component, in the form in which
// Collector components have it.
package metadata

import "go.opentelemetry.io/collector/component"

// Type and ScopeName name the component in configurations and in its own telemetry.
var (
	Type      = component.MustNewType("detection")
	ScopeName = "github.com/vedette-sec/vedette/processor/detectionprocessor"
)

// LogsStability is how far users may rely on the component.
const LogsStability = component.StabilityLevelAlpha
