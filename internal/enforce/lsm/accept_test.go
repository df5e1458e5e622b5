// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

func init() {
	acts["accept"] = func(args []string) error { // listens, says where, and uses one connection in every way
		listener, err := net.Listen("tcp", args[0])
		if err != nil {
			return err
		}
		defer listener.Close()
		fmt.Println(listener.Addr())
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		defer c.Close()
		file, err := c.(*net.TCPConn).File()
		if err != nil {
			return err
		}
		defer file.Close()
		return usesSocket(int(file.Fd()))
	}
}

// usesSocket sends and receives by each kind of call. Either all of them work or all are refused.
func usesSocket(fd int) error {
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	one := make([]byte, 1)
	var errs []error
	for _, way := range []func() error{
		func() error { _, err := unix.Read(fd, one); return err },
		func() error { _, _, err := unix.Recvfrom(fd, one, 0); return err },
		func() error { _, _, _, _, err := unix.Recvmsg(fd, one, nil, 0); return err },
		func() error { _, err := unix.Splice(fd, nil, pipe[1], nil, 1, 0); return err },
		func() error { _, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); return err },
		func() error { _, err := unix.Write(fd, one); return err },
		func() error { return unix.Sendto(fd, one, 0, nil) },
	} {
		errs = append(errs, way())
	}
	for i, err := range errs {
		if !errors.Is(err, errs[0]) {
			return fmt.Errorf("the first way ended with %w, the one at %d with %w", errs[0], i, err)
		}
	}
	return errs[0]
}

// acceptsIn lets a program accept a connection from an address, and gives who came and what became of using it.
func acceptsIn(t *testing.T, program, at, from string) (netip.AddrPort, error) {
	t.Helper()
	c := command(program, "accept", at)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	var listens string
	_, err = fmt.Fscan(out, &listens)
	require.NoError(t, err)
	to := netip.MustParseAddrPort(listens)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client, err := dialer.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(from), to.Port()).String())
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Write(make([]byte, 64))
	require.NoError(t, err)
	return client.LocalAddr().(*net.TCPAddr).AddrPort(), result(c.Wait())
}

func TestAccept(t *testing.T) {
	ring.Require(t, ring.VM)
	e := shared(t)
	const v4, v6 = "127.0.0.1:0", "[::]:0"
	tests := map[string]struct {
		rule    string
		refused map[string]string // by where connections come from, where the program listens
		allowed map[string]string
	}{
		"deny": {`{operations: [accept], deny: ["127.0.0.0/30/tcp", "[::1]/tcp"]}`, map[string]string{"127.0.0.1": v4, "::1": v6}, map[string]string{"127.0.0.9": "127.0.0.9:0"}},
		"only": {`{operations: [accept], only: ["127.0.0.9"]}`, map[string]string{"127.0.0.1": v6}, map[string]string{"127.0.0.9": v6}},
		"port": {`{operations: [accept], deny: ["127.0.0.1:1-1023"]}`, nil, map[string]string{"127.0.0.1": v4}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			load(t, e, "policy: network\nmode: enforce\nrules:\n  - name: all\n    network: "+test.rule+"\n    allow: [{executable: "+trusted+"}]\n")
			for from, at := range test.refused {
				drain(t, e)
				client, err := acceptsIn(t, stranger, at, from)
				require.ErrorIs(t, err, unix.EPERM, from)
				v := next(t, e, func(v enforce.Verdict) bool { return v.Errno == int(unix.EPERM) })
				assert.Equal(t, client, v.Object.Address)
				assert.Equal(t, []any{"sock_graft", policy.Accept, policy.TCP}, []any{v.Hook, v.Operation, v.Object.Protocol})
				_, err = acceptsIn(t, trusted, at, from)
				assert.NoError(t, err, "the trusted program")
			}
			for from, at := range test.allowed {
				_, err := acceptsIn(t, stranger, at, from)
				assert.NoError(t, err, from)
			}
		})
	}
}

// What must not have been accepted goes on when no rule says so any more.
func TestCutSocketsFollowTheRules(t *testing.T) {
	ring.Require(t, ring.VM)
	e := shared(t)
	load(t, e, "policy: network\nmode: enforce\nrules: [{name: all, network: {operations: [accept], only: []}}]\n")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	c, err := listener.Accept()
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte("x"))
	require.ErrorIs(t, err, os.ErrPermission)
	require.NoError(t, e.AuditOnly(true))
	_, err = c.Write([]byte("x"))
	require.NoError(t, errors.Join(err, e.AuditOnly(false)))
	_, err = c.Write([]byte("x"))
	require.ErrorIs(t, err, os.ErrPermission)
	require.NoError(t, e.Load(&policy.Set{}))
	_, err = c.Write([]byte("x"))
	require.NoError(t, err)
}
