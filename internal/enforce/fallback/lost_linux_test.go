// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/ring"
)

// What the kernel side could not tell counts as done all the same, and stays with its rule while sets come and go, whatever bit the rule has
// in them.
func TestLostVerdictsStayWithTheirRule(t *testing.T) {
	ring.Require(t, ring.Native)
	const first = "policy: lost\nrules:\n  - {name: a, network: {operations: [bind], deny: [\"*:1\"]}}\n  - {name: b, network: {operations: [bind], deny: [\"*:2\"]}}\n"
	const second = "policy: lost\nrules:\n  - {name: b, network: {operations: [bind], deny: [\"*:2\"]}}\n  - {name: a, network: {operations: [bind], deny: [\"*:1\"]}}\n"
	e := loadedWith(t, first)
	lose := func(bit int, n uint64) { // one of them was only reported
		key, sum := slotOf(e.current.Load().generation, bit), bpf.FallbackUntold{}
		lost := e.kernel.maps.Maps[bpf.FallbackMapLostOfRules]
		require.NoError(t, lost.Lookup(key, &sum))
		require.NoError(t, lost.Put(key, bpf.FallbackUntold{Denied: sum.Denied + n - 1, Audited: sum.Audited + 1}))
	}
	reported := map[string]uint64{}
	lost := func() map[string]uint64 {
		all := map[string]uint64{}
		for _, r := range e.Status().Rules {
			all[r.Rule] = r.Lost
			assert.Equal(t, r.Lost, r.Denied+r.Audited, r.Rule)
			reported[r.Rule] = r.Audited
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
	assert.Equal(t, map[string]uint64{"a": 2, "b": 1}, reported)
}

// While nobody reads what the kernel side tells, more is refused than it has room for: each refusal counts, told or not, and to switch between
// refusing and reporting forgets none.
func TestRefusalsThatCannotBeToldAreCounted(t *testing.T) {
	ring.RequireOnHost(t)
	e := loadedWith(t, `
policy: flood
mode: enforce
rules:
  - {name: out, network: {operations: [connect], deny: ["127.0.0.1:7999"]}, who: [{executable: %s}]}
`, testProgram(t))
	before := e.Status()
	refused := uint64(0)
	refuse := func() {
		require.ErrorIs(t, withSocket("7999", unix.Connect), unix.EPERM)
		refused++
	}
	e.telling.Lock() // who reads takes it for each
	untold := func() uint64 {
		l, err := e.kernel.losses()
		require.NoError(t, err)
		return l.Verdicts
	}
	for start := untold(); untold() < start+10; {
		refuse()
	}
	lost := untold()
	e.telling.Unlock()
	require.NoError(t, e.AuditOnly(true))
	require.NoError(t, e.AuditOnly(false))
	assert.GreaterOrEqual(t, untold(), lost)
	assert.Eventually(t, func() bool {
		now := e.Status().Rules[0]
		return now.Denied-before.Rules[0].Denied == refused && now.Lost-before.Rules[0].Lost >= 10
	}, timeLimit, timeStep)
}
