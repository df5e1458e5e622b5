// SPDX-License-Identifier: Apache-2.0

//go:build linux

package config_test

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/google/nftables"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// network gives a network without any chains, which ends with the test.
func network(t *testing.T) *os.File {
	made := make(chan *os.File)
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		defer close(made)
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- err
			return
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			failed <- err
			return
		}
		made <- file
	}()
	file := <-made
	if file == nil {
		ring.Cannot(t, "it may not have a network of its own: "+(<-failed).Error())
	}
	t.Cleanup(func() { assert.NoError(t, file.Close()) })
	return file
}

// closed has all chains of a network drop what no rule takes.
func closed(t *testing.T, network *os.File) {
	conn, err := nftables.New(nftables.WithNetNSFd(int(network.Fd())))
	require.NoError(t, err)
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "own"})
	drop := nftables.ChainPolicyDrop
	for name, hook := range map[string]*nftables.ChainHook{
		"in": nftables.ChainHookInput, "through": nftables.ChainHookForward, "out": nftables.ChainHookOutput,
	} {
		conn.AddChain(&nftables.Chain{Name: name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter, Policy: &drop})
	}
	if err := conn.Flush(); errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
		ring.Cannot(t, "this kernel has no nf_tables: "+err.Error())
	} else {
		require.NoError(t, err)
	}
}

// within has those who judge see the files of a host made of files as the running host's, and its network.
func within(t *testing.T, root string, network *os.File) baseline.Effort {
	return baseline.Effort{Workers: 1, Begin: func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		assert.NoError(t, errors.Join(unix.Setns(int(network.Fd()), unix.CLONE_NEWNET), unix.Unshare(unix.CLONE_FS), unix.Chroot(root)))
	}}
}

// TestRulesAboutChainsPassAndFail finds for each rule about the packet filter, of which nothing is known of a host made of files, a host
// and a network on which it passes, and such on which it fails.
func TestRulesAboutChainsPassAndFail(t *testing.T) {
	ring.RequireOnHost(t)
	open, shut := network(t), network(t)
	closed(t, shut)
	all := resolved(t, "cis-debian12")
	var ids []string
	for _, r := range all[0].Rules {
		if len(leaves(r.Check, "firewall")) > 0 {
			ids = append(ids, r.ID)
		}
	}
	require.NotEmpty(t, ids)
	passed, failed := map[string]bool{}, map[string]bool{}
	for name, host := range hosts(all) {
		root := host.write(t)
		for network, seen := range map[*os.File]map[string]bool{open: failed, shut: passed} {
			report, err := baseline.Scan(t.Context(), all[0], baseline.Options{Root: "/", Rules: ids, Effort: within(t, root, network)})
			require.NoError(t, err)
			for _, r := range report.Results {
				assert.NotEqual(t, baseline.Failure, r.Verdict, "%s: %s: %s", name, r.Rule.ID, r.Reason)
				want := map[*os.File]baseline.Verdict{open: baseline.Fail, shut: baseline.Pass}[network]
				seen[r.Rule.ID] = seen[r.Rule.ID] || r.Verdict == want
			}
		}
	}
	for _, id := range ids {
		assert.True(t, passed[id], "%s passes nowhere", id)
		assert.True(t, failed[id], "%s fails nowhere", id)
	}
}
