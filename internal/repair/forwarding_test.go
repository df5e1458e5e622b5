// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

const noForwarding = `template: own
title: Own
rules:
  - id: forwarding
    title: The host routes for nobody
    check: {sysctl: {keys: [net.ipv4.ip_forward], expect: {value: 0}}}
    fix: [{sysctl: {keys: [net.ipv4.ip_forward], value: 0}}]
    undo: R0
`

// TestForwardingStaysWhereContainersNeedIt has hosts that forward, with a sign of containers or without one.
func TestForwardingStaysWhereContainersNeedIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(file, []byte(noForwarding), 0o644))
	b := loadBaseline(t, file, "own")
	for _, tt := range []struct {
		name, path, text string
		drop             bool
		result, reason   string
	}{
		{"no containers", "proc/812/comm", "sshd\n", false, Fixed, ""},
		{"docker", "proc/812/comm", "dockerd\n", false, Refused, "found the process dockerd[812]"},
		{"a kubelet", "proc/9/comm", "kubelet\n", false, Refused, "give --drop-forwarded"},
		{"containers of podman", "proc/sys/net/ipv4/conf/podman0/forwarding", "1\n", false, Refused, "found the network interface podman0"},
		{"an engine that is enabled", "etc/systemd/system/multi-user.target.wants/docker.service", "[Unit]\n", false, Refused, "found the unit docker.service enabled"},
		{"docker, and it is wanted", "proc/812/comm", "dockerd\n", true, Fixed, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := newHost(t)
			putText(t, root, "proc/sys/kernel/ostype", "Linux\n")
			putText(t, root, "proc/sys/net/ipv4/ip_forward", "1\n")
			putText(t, root, "proc/1/comm", "systemd\n")
			putText(t, root, "usr/lib/systemd/system/docker.service", "[Unit]\n[Install]\nWantedBy=multi-user.target\n")
			putText(t, root, tt.path, tt.text)
			before := snapshot(t, root)
			r := openAt(t, root)
			report, err := r.Fix(t.Context(), b, Options{DropForwarded: tt.drop})
			require.NoError(t, err)
			require.NoError(t, r.Close())
			require.Len(t, report.Rules, 1)
			assert.Equal(t, tt.result, report.Rules[0].Result, report.Rules[0].Reason)
			assert.Contains(t, report.Rules[0].Reason, tt.reason)
			assert.NotEmpty(t, report.Rules[0].Diff)
			if tt.result == Refused {
				assertSame(t, before, snapshot(t, root), tt.name)
				assert.Equal(t, baseline.Fail, verdict(t, root, b, "forwarding"))
			}
		})
	}
}

func TestForwardingIsKnownByItsKeys(t *testing.T) {
	for key, want := range map[string]bool{"net.ipv4.ip_forward": true, "net/ipv4/ip_forward": true, "net.ipv6.conf.all.forwarding": true,
		"net.ipv4.conf.default.forwarding": true, "net.ipv4.conf.all.mc_forwarding": false, "net.ipv4.conf.all.rp_filter": false} {
		assert.Equal(t, want, forwardingKey.MatchString(key), key)
	}
}
