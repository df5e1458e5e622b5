// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package enforcementextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

func create(_ context.Context, set extension.Settings, config component.Config) (extension.Extension, error) {
	return newEnforcer(config.(*Config), set)
}
