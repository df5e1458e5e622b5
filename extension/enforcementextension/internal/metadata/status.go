// SPDX-License-Identifier: Apache-2.0

// Package metadata holds the component's type, stability and telemetry; metadata.yaml describes them.
package metadata

import "go.opentelemetry.io/collector/component"

var (
	Type      = component.MustNewType("enforcement")
	ScopeName = "github.com/vedette-sec/vedette/extension/enforcementextension"
)

const (
	ExtensionStability = component.StabilityLevelAlpha
)
