// SPDX-License-Identifier: Apache-2.0

// Package metadata holds the component's type, stability and telemetry; metadata.yaml describes them.
package metadata

import "go.opentelemetry.io/collector/component"

var (
	Type      = component.MustNewType("elasticsearch")
	ScopeName = "github.com/vedette-sec/vedette/exporter/elasticsearchexporter"
)

const (
	LogsStability = component.StabilityLevelAlpha
)
