// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/exporter/securitylogexporter/internal/metadata"
	"github.com/vedette-sec/vedette/internal/metadatatest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestMetadata(t *testing.T) {
	metadatatest.Check(t, "exporter", NewFactory(), metadata.NewTelemetryBuilder)
}
