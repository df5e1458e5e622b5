// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGuestsFiguresAreRead(t *testing.T) {
	found := results{}
	require.NoError(t, addReported(found, "6.12 | [    1.2] booting\n"))
	require.NoError(t, addReported(found, "6.12 | BenchmarkCost-2 \t 1\t 9123 ns/op\t 1.021 exec-agent\t 512.5 hook-ns\n"))
	assert.Equal(t, []float64{1.021}, found["enforce_exec"].samples)
	assert.Equal(t, []float64{512.5}, found["enforce_hook"].samples)
	assert.Len(t, found, 2)
	assert.Error(t, addReported(found, "BenchmarkCost-2 x exec-agent"))
}

// Each figure of the guest is one that is declared.
func TestGuestsFiguresAreDeclared(t *testing.T) {
	b := &bench{all: measurements()}
	for _, name := range enforcementFigures {
		assert.True(t, b.declares(name), name)
	}
}
