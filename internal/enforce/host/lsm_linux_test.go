// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package host

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// A kernel that has security hooks for it refuses what it otherwise could only tell of.
func TestBestOfAKernelWithBPFLSM(t *testing.T) {
	ring.Require(t, ring.VM)
	opened, mechanism, err := Open(Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, opened.Release()) }()
	require.Equal(t, LSM, mechanism)

	file := filepath.Join(t.TempDir(), "kept")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	text := "policy: p\nmode: enforce\nrules:\n" +
		"  - {name: kept, files: {paths: [" + file + "], operations: [delete]}}\n" +
		"  - {name: port, network: {operations: [connect], deny: [127.0.0.1:2525]}}\n"
	source := filepath.Join(t.TempDir(), "p.yaml")
	require.NoError(t, os.WriteFile(source, []byte(text), 0o600))
	set, err := policy.Load(source)
	require.NoError(t, err)
	require.NoError(t, opened.Load(set))

	assert.ErrorIs(t, os.Remove(file), syscall.EPERM)
	_, err = net.DialTimeout("tcp", "127.0.0.1:2525", time.Minute)
	assert.ErrorIs(t, err, syscall.EPERM)
	for _, operation := range []policy.Operation{policy.Delete, policy.Connect} {
		v, err := opened.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t, operation, v.Operation)
		assert.Equal(t, enforce.Prevented, v.Strength)
	}
	for _, rule := range opened.Status().Rules {
		assert.Equal(t, enforce.Prevented, rule.Strength, rule.Rule)
	}
}
