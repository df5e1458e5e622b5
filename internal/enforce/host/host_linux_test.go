// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package host

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

func TestOpen(t *testing.T) {
	ring.RequireOnHost(t)
	opened, mechanism, err := Open(Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, opened.Close()) }()
	assert.NotEmpty(t, mechanism)
	assert.Zero(t, opened.Status().Generation)
}

func TestFallbackCanBeForced(t *testing.T) {
	ring.RequireOnHost(t)
	opened, mechanism, err := Open(Options{Mechanism: Fallback})
	require.NoError(t, err)
	require.NoError(t, opened.Close())
	assert.Equal(t, Fallback, mechanism)
}

func TestUnknownMechanism(t *testing.T) {
	_, _, err := Open(Options{Mechanism: "wish"})
	require.EqualError(t, err, `found the mechanism "wish", expected lsm or fallback`)
}
