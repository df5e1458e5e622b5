// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/sensor"
)

func TestOnlyWhoSeesAllOfFilesServes(t *testing.T) {
	all := []sensor.KindTier{{Kind: sensor.KindExec}, {Kind: sensor.KindOpen}, {Kind: sensor.KindCreate}, {Kind: sensor.KindRename}, {Kind: sensor.KindDelete}, {Kind: sensor.KindAttributes}}
	assert.True(t, seesFiles(all))
	assert.False(t, seesFiles(all[:5]))
	all[3].Err = errors.New("no tier")
	assert.False(t, seesFiles(all))
}

func TestLossesThatConcernFiles(t *testing.T) {
	for lost, want := range map[loss]bool{
		{event.KindFileOpen, "ring_full"}:       true,
		{event.KindFileAttributes, "scratch"}:   true,
		{"", "malformed"}:                       true,
		{"", "refused"}:                         false, // by the pipeline: it was told
		{event.KindFileAccess, "ring_full"}:     false,
		{event.KindNetworkConnect, "ring_full"}: false,
	} {
		assert.Equal(t, want, concernsFiles(lost), lost)
	}
}
