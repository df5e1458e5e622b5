// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"errors"
	"runtime"
	"testing"

	"github.com/google/nftables"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/internal/ring"
)

// TestTableOfTheFirewall judges the chains of a network of its own.
func TestTableOfTheFirewall(t *testing.T) {
	ring.Require(t, ring.Native)
	// The thread is never given back, so that it ends with the goroutine and nothing else gets into its network.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		ring.Cannot(t, "it may not have a network of its own: "+err.Error())
	}
	conn, err := nftables.New()
	require.NoError(t, err)
	// The socket is opened with the first question, and a kernel may have no nf_tables to answer it.
	if _, err := conn.ListChains(); errors.Is(err, unix.EPROTONOSUPPORT) {
		ring.Cannot(t, "this kernel has no nf_tables: "+err.Error())
	}
	const dropsInput = `{firewall: {where: {family: {one_of: [inet, ip]}, type: filter, hook: input}, expect: {policy: drop}, some: true}}`
	verdict := func(check string) Verdict {
		file, err := Parse("x.yaml", []byte(ruleWith(check)))
		require.NoError(t, err)
		e := &evaluation{host: hostconf.New("/")}
		v := e.check(file.Templates[0].Rules[0].Check)
		assert.Empty(t, e.errors)
		return v
	}
	assert.Equal(t, Fail, verdict(dropsInput))
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "own"})
	drop := nftables.ChainPolicyDrop
	conn.AddChain(&nftables.Chain{Name: "in", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput,
		Priority: nftables.ChainPriorityFilter, Policy: &drop})
	require.NoError(t, conn.Flush())
	assert.Equal(t, Pass, verdict(dropsInput))
	assert.Equal(t, Pass, verdict(`{firewall: {where: {table: own, name: in}, expect: {rules: 0}}}`))
}
