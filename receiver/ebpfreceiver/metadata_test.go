// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"testing"

	"github.com/vedette-sec/vedette/internal/metadatatest"
	"github.com/vedette-sec/vedette/receiver/ebpfreceiver/internal/metadata"
)

func TestMetadata(t *testing.T) {
	metadatatest.Check(t, "receiver", NewFactory(), metadata.NewTelemetryBuilder)
}
