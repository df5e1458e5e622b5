// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"testing"

	"github.com/vedette-sec/vedette/internal/metadatatest"
	"github.com/vedette-sec/vedette/processor/detectionprocessor/internal/metadata"
)

func TestMetadata(t *testing.T) {
	metadatatest.Check(t, "processor", NewFactory(), metadata.NewTelemetryBuilder)
}
