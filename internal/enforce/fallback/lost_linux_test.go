// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/ring"
)

// What the kernel side could not tell stays with its rule while sets come and go, whatever bit the rule has in them.
func TestLostVerdictsStayWithTheirRule(t *testing.T) {
	ring.Require(t, ring.Native)
	const first = "policy: lost\nrules:\n  - {name: a, network: {operations: [bind], deny: [\"*:1\"]}}\n  - {name: b, network: {operations: [bind], deny: [\"*:2\"]}}\n"
	const second = "policy: lost\nrules:\n  - {name: b, network: {operations: [bind], deny: [\"*:2\"]}}\n  - {name: a, network: {operations: [bind], deny: [\"*:1\"]}}\n"
	e := loadedWith(t, first)
	lose := func(bit int, n uint64) {
		key, sum := slotOf(e.current.Load().generation, bit), uint64(0)
		lost := e.kernel.maps.Maps[bpf.FallbackMapLostOfRules]
		require.NoError(t, lost.Lookup(key, &sum))
		require.NoError(t, lost.Put(key, sum+n))
	}
	lost := func() map[string]uint64 {
		all := map[string]uint64{}
		for _, r := range e.Status().Rules {
			all[r.Rule] = r.Lost
		}
		return all
	}
	lose(0, 5)
	assert.Equal(t, map[string]uint64{"a": 5, "b": 0}, lost())
	load(t, e, second)
	lose(0, 2)
	assert.Equal(t, map[string]uint64{"a": 5, "b": 2}, lost())
	for range 3 {
		load(t, e, second)
	}
	lose(1, 1)
	assert.Equal(t, map[string]uint64{"a": 6, "b": 2}, lost())
}
