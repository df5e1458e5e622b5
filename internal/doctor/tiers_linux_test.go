// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package doctor

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

func examineThisHost(t *testing.T) Report {
	report := Examine(ThisHost(), "0.1.0")
	var text bytes.Buffer
	require.NoError(t, report.WriteText(&text, false))
	t.Log("\n" + text.String())
	return report
}

// The main job can run on every kernel of the native ring: process events come from raw
// tracepoints everywhere, and the others have at least the tracepoint tier.
func TestThisHost(t *testing.T) {
	ring.Require(t, ring.Native)
	report := examineThisHost(t)
	assert.True(t, report.OK)
	require.Len(t, report.Events, len(kinds)+1, "and the derived kind")
	assert.Equal(t, KindTier{Kind: "process.exec", Tier: "tracepoint"}, report.Events[0])
	for _, event := range report.Events {
		assert.NotEmpty(t, event.Tier+event.Absent, event.Reason)
	}
}

func TestDistributionKernel(t *testing.T) {
	ring.Require(t, ring.VM)
	// The others have no better one.
	only := []string{"process.exec", "process.fork", "process.exit", "kernel.module_unload"}
	for _, event := range examineThisHost(t).Events {
		assert.Equal(t, slices.Contains(only, event.Kind), event.Tier == "tracepoint", event.Kind)
	}
}
