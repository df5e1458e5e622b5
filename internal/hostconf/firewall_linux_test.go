// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"runtime"
	"testing"

	"github.com/google/nftables"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// TestFirewall reads what it put into a network of its own.
func TestFirewall(t *testing.T) {
	ring.Require(t, ring.Native)
	// The thread is never given back, so that it ends with the goroutine and nothing else gets into its network.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		ring.Cannot(t, "it may not have a network of its own: "+err.Error())
	}
	conn, err := nftables.New()
	if err != nil {
		ring.Cannot(t, "this kernel has no nf_tables: "+err.Error())
	}
	empty, err := New("/").Firewall()
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		ring.Cannot(t, "this kernel has no nf_tables: "+err.Error())
	}
	require.NoError(t, err)
	assert.Empty(t, empty)

	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "own"})
	drop := nftables.ChainPolicyDrop
	in := conn.AddChain(&nftables.Chain{Name: "in", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput,
		Priority: nftables.ChainPriorityFilter, Policy: &drop})
	conn.AddChain(&nftables.Chain{Name: "out", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter})
	conn.AddChain(&nftables.Chain{Name: "jumped to", Table: table})
	conn.AddRule(&nftables.Rule{Table: table, Chain: in})
	require.NoError(t, conn.Flush())
	chains, err := New("/").Firewall()
	require.NoError(t, err)
	assert.ElementsMatch(t, []Chain{
		{"inet", "own", "in", "input", "filter", "drop", 1}, {"inet", "own", "out", "output", "filter", "accept", 0},
	}, chains)
}

func TestFirewallOfAnotherRootIsNotKnown(t *testing.T) {
	_, err := New(t.TempDir()).Firewall()
	assert.ErrorIs(t, err, ErrOtherRoot)
}
