// SPDX-License-Identifier: Apache-2.0

//go:build !(linux && amd64)

package enforcementextension

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

func create(context.Context, extension.Settings, component.Config) (extension.Extension, error) {
	return nil, errors.New("the enforcement extension runs on Linux on x86-64 only")
}
