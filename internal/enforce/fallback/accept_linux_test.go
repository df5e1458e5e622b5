// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// serve listens, says where, and greets everybody until its standard input ends.
func serve(args []string) error {
	var config net.ListenConfig
	config.SetMultipathTCP(args[1] == "multipath")
	listener, err := config.Listen(context.Background(), "tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("welcome\n")) // who came may have gone
			_ = c.Close()
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// served starts a program that serves until the test ends, and gives its port.
func served(t *testing.T, program, at, how string) string {
	t.Helper()
	c := command(program, "serve", at, how)
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = in.Close(); require.NoError(t, c.Wait()) })
	port, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(port)
}

// greeted connects from an address of this host and tells whether it was let in. What is dropped takes as long as one waits.
func greeted(t *testing.T, from, port string, patience time.Duration) bool {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	c, err := dialer.Dial("tcp", net.JoinHostPort(from, port))
	if err != nil {
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout(), err)
		return false
	}
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "welcome\n", line)
	return true
}

func TestAcceptIsRefusedByThePeer(t *testing.T) {
	ring.Require(t, ring.Native)
	const soon, long = 500 * time.Millisecond, time.Minute
	server, other := copyOf(t, "server"), copyOf(t, "other")
	before := served(t, server, ":0", "plain")
	e := loadedWith(t, `
policy: servers
mode: enforce
rules:
  - {name: peers, network: {operations: [accept], deny: ["127.0.0.0/29/tcp", "[::1]"]}, who: [{executable: %s}]}
`, server)
	after, free := served(t, server, "127.0.0.1:0", "multipath"), served(t, other, ":0", "plain")
	assert.True(t, greeted(t, "127.0.0.1", free, long), "another program's")
	assert.True(t, greeted(t, "127.0.0.9", before, long), "another peer")
	for from, port := range map[string]string{"127.0.0.1": after, "127.0.0.2": before, "::1": before} {
		assert.False(t, greeted(t, from, port, soon), from)
		v := verdict(t, e, policy.Accept)
		for v.Object.Address.Addr().String() != from { // who was not let in tries again
			v = verdict(t, e, policy.Accept)
		}
		assert.NotEqual(t, port, fmt.Sprint(v.Object.Address.Port()), "the port is the peer's")
		assert.Equal(t, []any{"cgroup_skb_ingress", enforce.Prevented, policy.TCP, "server"}, []any{v.Hook, v.Strength, v.Object.Protocol, v.Comm})
		assert.NotZero(t, v.PID)
		assert.NotZero(t, v.Start)
	}
	load(t, e, "policy: none\nmode: enforce\nrules: [{name: peers, network: {operations: [accept], deny: [\"192.0.2.0/24\"]}}]\n")
	assert.True(t, greeted(t, "127.0.0.2", before, long), "by the set in force")
}

func TestMultipathSocketsFromBeforeWeakenRules(t *testing.T) {
	ring.Require(t, ring.Native)
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, unix.Close(socket)) })
		require.NoError(t, unix.Listen(socket, 1))
	}
	e, errOpen := Open() // the one of other tests may have seen it
	require.NoError(t, errOpen)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	load(t, e, "policy: servers\nmode: enforce\nrules: [{name: peers, network: {operations: [accept], only: []}, who: [{executable: %s}]}]\n", copyOf(t, "server"))
	got := e.Status().Rules[0]
	if err != nil { // the kernel has no such sockets
		assert.Equal(t, enforce.Prevented, got.Strength)
		return
	}
	require.Len(t, got.Weaker, 1)
	assert.Equal(t, []any{enforce.Unseen, policy.Accept, enforce.Unseen}, []any{got.Strength, got.Weaker[0].Operation, got.Weaker[0].Strength})
}
