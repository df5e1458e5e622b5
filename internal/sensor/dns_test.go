// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/ring"
)

// question is a query as a resolver writes it; the sensor looks at no more than the head.
func question(name string) []byte {
	message := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		message = append(append(message, byte(len(label))), label...)
	}
	return append(message, 0, 0, 1, 0, 1)
}

// datagramSenders are the ways to send a datagram, to an address or on a connected socket.
var datagramSenders = map[string]func(fd int, message []byte, to unix.Sockaddr) error{
	"sendto": func(fd int, message []byte, to unix.Sockaddr) error { return unix.Sendto(fd, message, 0, to) },
	"sendmsg": func(fd int, message []byte, to unix.Sockaddr) error {
		_, err := unix.SendmsgBuffers(fd, [][]byte{message[:5], message[5:20], message[20:]}, nil, to, 0)
		return err
	},
	"write": func(fd int, message []byte, to unix.Sockaddr) error {
		_, err := unix.Write(fd, message)
		return err
	},
	"writev": func(fd int, message []byte, to unix.Sockaddr) error {
		_, err := unix.Writev(fd, [][]byte{message[:12], message[12:]})
		return err
	},
}

// nobody are addresses without a resolver: what is sent is seen all the same.
func nobody(t *testing.T, network string, port int) (family int, to unix.Sockaddr) {
	t.Helper()
	loopback := net.ParseIP("127.0.0.1").To4()
	switch network {
	case "ip4":
		return unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: [4]byte(loopback)}
	case "mapped":
		return unix.AF_INET6, &unix.SockaddrInet6{Port: port, Addr: [16]byte(loopback.To16())}
	}
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		ring.Cannot(t, "this machine has no IPv6")
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: port, Addr: [16]byte(net.IPv6loopback)}
}

func TestDNSInEveryTier(t *testing.T) {
	eachTier(t, KindDNS, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: []Kind{KindDNS}})
		t.Run("no question", func(t *testing.T) { asksNothing(t, s) })
		for _, network := range []string{"ip4", "ip6", "mapped"} {
			for name, send := range datagramSenders {
				t.Run(network+" "+name, func(t *testing.T) {
					family, to := nobody(t, network, 53)
					fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
					require.NoError(t, err)
					defer unix.Close(fd)
					if strings.HasPrefix(name, "write") {
						require.NoError(t, unix.Connect(fd, to))
						to = nil
					}
					message := question(name + "." + network + ".example")
					require.NoError(t, send(fd, message, to))
					assertOneQuestion(t, s, message, network)
				})
			}
		}
	})
}

// A question in a page that nobody has touched cannot be read before the kernel has: where it is not seen, that is counted.
func TestQuestionNotInMemory(t *testing.T) {
	eachTier(t, KindDNS, func(t *testing.T, tier Tier) {
		message := question("untouched.example")
		_, to := nobody(t, "ip4", 53)
		for _, name := range []string{"write", "writev"} {
			t.Run(name, func(t *testing.T) {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
				require.NoError(t, err)
				defer unix.Close(fd)
				require.NoError(t, unix.Connect(fd, to))
				s := watch(t, tier, Options{Kinds: []Kind{KindDNS}})
				require.NoError(t, datagramSenders[name](fd, untouched(t, string(message)), nil))
				if tier == Cgroup { // it sees the packet
					assertOneQuestion(t, s, message, "ip4")
					return
				}
				losses, err := s.Losses()
				require.NoError(t, err)
				assert.Equal(t, []Loss{{KindDNS, "unreadable", 1}}, losses)
			})
		}
	})
}

func assertOneQuestion(t *testing.T, s *Sensor, message []byte, network string) {
	t.Helper()
	var batch Batch
	malformed, err := s.Drain(&batch)
	require.NoError(t, err)
	require.Zero(t, malformed)
	var found []*bpf.SensorDnsEvent
	for _, r := range batch.Records {
		e, sent, err := r.DNS()
		require.NoError(t, err)
		if string(sent) == string(message) {
			found = append(found, e)
		}
	}
	require.Len(t, found, 1, "the message is reported, whole and once")
	e := found[0]
	assert.EqualValues(t, os.Getpid(), e.Head.Tgid)
	_, peer := process.Addresses(&e.Address)
	want := map[string]string{"ip4": "127.0.0.1:53", "ip6": "[::1]:53", "mapped": "127.0.0.1:53"}
	assert.Equal(t, want[network], peer.String())
	assert.Zero(t, e.Message.Truncated)
}

func asksNothing(t *testing.T, s *Sensor) {
	answer := question("answer.example")
	answer[2] |= 0x80
	long := append(question("long.example"), make([]byte, 2000)...)
	for _, tc := range []struct {
		port    int
		message []byte
	}{{54, question("port.example")}, {53, answer}, {53, []byte("short")}, {5353, long}, {5355, question("link.example")}} {
		conn, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", tc.port))
		require.NoError(t, err)
		_, err = conn.Write(tc.message)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	var batch Batch
	_, err := s.Drain(&batch)
	require.NoError(t, err)
	var have []string
	for _, r := range batch.Records {
		e, sent, err := r.DNS()
		require.NoError(t, err)
		if r.Head().Tgid != uint32(os.Getpid()) {
			continue
		}
		assert.Equal(t, len(sent) == 512, e.Message.Truncated == 1)
		have = append(have, fmt.Sprintf("%d of %d", len(sent), e.Message.TrueLen))
	}
	assert.Equal(t, []string{"512 of 2030", "30 of 30"}, have)
}
