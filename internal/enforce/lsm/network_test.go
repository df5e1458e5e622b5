// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

func init() {
	acts["dial"] = func(args []string) error {
		c, err := net.Dial(args[0], args[1])
		if err == nil {
			return c.Close()
		}
		return err
	}
	acts["listen"] = func(args []string) error {
		l, err := net.Listen(args[0], args[1])
		if err == nil {
			return l.Close()
		}
		return err
	}
	acts["send"] = func(args []string) error { // a datagram by a socket that is not connected
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(args[0]))
		_, err = c.WriteTo([]byte("x"), to)
		return err
	}
}

func TestNetwork(t *testing.T) {
	ring.Require(t, ring.VM)
	e := shared(t)
	l, err := net.Listen("tcp", "127.0.0.1:7001")
	require.NoError(t, err)
	defer l.Close()
	tests := map[string]struct {
		rule    string
		refused map[string][]string // acts by the address that is told
		allowed [][]string
	}{
		"deny": {
			`{operations: [connect], deny: ["127.0.0.0/30:7001/tcp", "[::1]:7002", "127.0.0.1:53/udp"]}`,
			map[string][]string{
				"127.0.0.1:7001": {"dial", "tcp", "127.0.0.1:7001"},
				"[::1]:7002":     {"dial", "tcp", "[::1]:7002"},
				"127.0.0.1:53":   {"send", "127.0.0.1:53"},
			},
			[][]string{{"dial", "udp", "127.0.0.1:7001"}, {"send", "127.0.0.1:54"}, {"listen", "tcp", "127.0.0.1:7003"}},
		},
		"only": {
			`{operations: [connect], only: ["127.0.0.1:7001/tcp"]}`,
			map[string][]string{"127.0.0.1:7002": {"dial", "tcp", "127.0.0.1:7002"}, "127.0.0.2:7001": {"dial", "tcp", "127.0.0.2:7001"}},
			[][]string{{"dial", "tcp", "127.0.0.1:7001"}, {"dial", "tcp", "[::ffff:127.0.0.1]:7001"}},
		},
		"bind": {
			`{operations: [bind], deny: ["*:1-1023"]}`,
			map[string][]string{"127.0.0.1:80": {"listen", "tcp", "127.0.0.1:80"}},
			[][]string{{"listen", "tcp", "127.0.0.1:7003"}, {"dial", "tcp", "127.0.0.1:7001"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			load(t, e, "policy: network\nmode: enforce\nrules:\n  - name: all\n    network: "+test.rule+"\n    allow: [{executable: "+trusted+"}]\n")
			for address, act := range test.refused {
				drain(t, e)
				require.ErrorIs(t, runs(stranger, act...), unix.EPERM, address)
				v := next(t, e, func(v enforce.Verdict) bool { return v.Errno == int(unix.EPERM) })
				assert.Equal(t, address, v.Object.Address.String())
				assert.NotEqual(t, policy.Protocol(""), v.Object.Protocol)
				assert.NotErrorIs(t, runs(trusted, act...), unix.EPERM, "the trusted program")
			}
			for _, act := range test.allowed {
				assert.NoError(t, runs(stranger, act...), act)
			}
		})
	}
}
