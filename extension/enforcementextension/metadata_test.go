// SPDX-License-Identifier: Apache-2.0

package enforcementextension

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/extension/enforcementextension/internal/metadata"
	"github.com/vedette-sec/vedette/internal/metadatatest"
)

func TestMain(m *testing.M) {
	// The collection of garbage stops all threads, of which one may be waiting for a program that a test runs and that waits for the answer of this
	// process, which enforces policies without BPF LSM. The agent runs no programs meanwhile.
	debug.SetGCPercent(-1)
	goleak.VerifyTestMain(m)
}

func TestMetadata(t *testing.T) {
	metadatatest.Check(t, "extension", NewFactory(), metadata.NewTelemetryBuilder)
}
