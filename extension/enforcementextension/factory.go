// SPDX-License-Identifier: Apache-2.0

package enforcementextension

import (
	"go.opentelemetry.io/collector/extension"

	"github.com/vedette-sec/vedette/extension/enforcementextension/internal/metadata"
)

// NewFactory returns the factory of the enforcement extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}
