// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vedette-sec/vedette/bpf"
)

const (
	here  = "192.0.2.1:40000"
	there = "203.0.113.9:4444"
)

// sink is a network socket as a stream.
func sink(local, peer string) bpf.SensorEventFd { return sinkOf(6, local, peer) }

func sinkOf(protocol uint8, local, peer string) bpf.SensorEventFd {
	fd := bpf.SensorEventFd{Type: uint8(fdSocket)}
	fd.Address.Protocol = protocol
	put := func(to *[16]uint8, port *uint16, text string) {
		ends := netip.MustParseAddrPort(text)
		fd.Address.Family = 10
		if ends.Addr().Is4() {
			fd.Address.Family = 2
		}
		copy(to[:], ends.Addr().AsSlice())
		*port = ends.Port()>>8 | ends.Port()<<8
	}
	put(&fd.Address.Local, &fd.Address.LocalPort, local)
	put(&fd.Address.Peer, &fd.Address.PeerPort, peer)
	return fd
}

func pipeFD(inode uint64) bpf.SensorEventFd {
	return bpf.SensorEventFd{Type: uint8(fdPipe), Inode: inode, Device: 12}
}

func fifoFD(inode uint64) bpf.SensorEventFd {
	return bpf.SensorEventFd{Type: uint8(fdFIFO), Inode: inode, Device: 8}
}

func ttyFD(number uint32) bpf.SensorEventFd {
	return bpf.SensorEventFd{Type: uint8(fdTTY), Device: ptsMajor<<minorBits | number}
}

func unixFD(peer who) bpf.SensorEventFd {
	return bpf.SensorEventFd{Type: uint8(fdUnix), UnixPeer: peer.pid}
}

func fileFD() bpf.SensorEventFd {
	return bpf.SensorEventFd{Type: uint8(bpf.SensorFdTypeFD_FILE), Inode: 7}
}

func nullFD() bpf.SensorEventFd { return bpf.SensorEventFd{Type: uint8(bpf.SensorFdTypeFD_NULL)} }

func three(fd bpf.SensorEventFd) []bpf.SensorEventFd { return []bpf.SensorEventFd{fd, fd, fd} }

// told is a RemoteStdio in words.
type told struct {
	pid         uint32
	via         string
	relay       uint32
	ingress     bool
	protocol    uint8
	local, peer string
}

func takeAll(w world) []told {
	var list []told
	for _, r := range w.TakeRemoteStdio() {
		one := told{r.Process.Key.PID, r.Via, 0, r.Ingress, r.Protocol, r.Local.String(), r.Peer.String()}
		if r.Relay != nil {
			one.relay = r.Relay.Key.PID
		}
		list = append(list, one)
	}
	return list
}

var (
	relay = who{110, 20}
	cat   = who{111, 21}
)

func TestRemoteStdio(t *testing.T) {
	outward := func(pid uint32, via string, relay uint32) []told {
		return []told{{pid, via, relay, false, 6, here, there}}
	}
	for name, tc := range map[string]struct {
		happens func(w world)
		want    []told
	}{
		// The streams are the connection.
		"a socket it asked for before exec": {func(w world) {
			w.start(initial, shell, "/usr/bin/nc")
			w.connect(shell, here, there)
			w.exec(initial, shell, "/bin/sh", three(sink(here, there))...)
		}, outward(shell.pid, ViaSocket, 0)},
		"a socket whose local port the hook could not know": {func(w world) {
			w.start(initial, shell, "/usr/bin/nc")
			w.connect(shell, "0.0.0.0:0", there)
			w.exec(initial, shell, "/bin/sh", three(sink(here, there))...)
		}, outward(shell.pid, ViaSocket, 0)},
		"such a socket, though its ports look as if it had been accepted": {func(w world) {
			w.start(initial, shell, "/usr/bin/nc")
			w.connect(shell, "0.0.0.0:0", "203.0.113.9:50000")
			w.exec(initial, shell, "/bin/sh", three(sink("192.0.2.1:80", "203.0.113.9:50000"))...)
		}, []told{{shell.pid, ViaSocket, 0, false, 6, "192.0.2.1:80", "203.0.113.9:50000"}}},
		"a socket the parent asked for": {func(w world) {
			w.start(initial, shell, "/usr/bin/python3")
			w.connect(shell, here, there)
			w.start(shell, child, "/bin/sh", three(sink(here, there))...)
		}, outward(child.pid, ViaSocket, 0)},
		"a socket the grandparent asked for, and both that were between ended": {func(w world) {
			w.start(initial, shell, "/usr/bin/python3")
			w.connect(shell, "192.0.2.1:80", "203.0.113.9:50000")
			w.fork(shell, child)
			w.fork(child, other)
			w.exit(shell)
			w.exit(child)
			w.exec(initial, other, "/bin/sh", three(sink("192.0.2.1:80", "203.0.113.9:50000"))...)
		}, []told{{other.pid, ViaSocket, 0, false, 6, "192.0.2.1:80", "203.0.113.9:50000"}}},
		"a socket the parent accepted": {func(w world) {
			w.start(initial, shell, "/usr/bin/socat")
			w.accept(shell, "192.0.2.1:50000", "203.0.113.9:40000")
			w.start(shell, child, "/bin/sh", three(sink("192.0.2.1:50000", "203.0.113.9:40000"))...)
		}, []told{{child.pid, ViaSocket, 0, true, 6, "192.0.2.1:50000", "203.0.113.9:40000"}}},
		"of unknown origin: the local port was called": {func(w world) {
			w.start(initial, shell, "/bin/sh", three(sink("192.0.2.1:4444", "203.0.113.9:40000"))...)
		}, []told{{shell.pid, ViaSocket, 0, true, 6, "192.0.2.1:4444", "203.0.113.9:40000"}}},
		"of unknown origin: the peer's port was called": {func(w world) {
			w.start(initial, shell, "/bin/sh", three(sink(here, there))...)
		}, outward(shell.pid, ViaSocket, 0)},
		"of unknown origin: the ports do not tell": {func(w world) {
			w.start(initial, shell, "/bin/sh", three(sink("192.0.2.1:50000", "203.0.113.9:40000"))...)
		}, []told{{shell.pid, ViaSocket, 0, false, 6, "192.0.2.1:50000", "203.0.113.9:40000"}}},
		"UDP": {func(w world) {
			w.start(initial, shell, "/usr/bin/socat")
			w.connected(shell, 17, here, there, false)
			w.start(shell, child, "/bin/sh", three(sinkOf(17, here, there))...)
		}, []told{{child.pid, ViaSocket, 0, false, 17, here, there}}},
		"IPv6": {func(w world) {
			w.start(initial, shell, "/bin/sh", three(sink("[2001:db8::1]:40000", "[2001:db8::2]:443"))...)
		}, []told{{shell.pid, ViaSocket, 0, false, 6, "[2001:db8::1]:40000", "[2001:db8::2]:443"}}},
		"an IPv4 connection of an IPv6 socket": {func(w world) {
			w.start(initial, shell, "/bin/sh", three(sink("[::ffff:192.0.2.1]:40000", "[::ffff:203.0.113.9]:4444"))...)
		}, outward(shell.pid, ViaSocket, 0)},
		"output goes to a file, errors to the connection": {func(w world) {
			w.start(initial, shell, "/bin/sh", sink(here, there), fileFD(), sink(here, there))
		}, outward(shell.pid, ViaSocket, 0)},

		// Half of it is none.
		"only standard input": {func(w world) {
			w.start(initial, shell, "/bin/sh", sink(here, there), fileFD(), fileFD())
		}, nil},
		"only standard output": {func(w world) {
			w.start(initial, shell, "/bin/sh", nullFD(), sink(here, there), sink(here, there))
		}, nil},
		"only a pipe's one half: curl | sh": {func(w world) {
			w.start(initial, relay, "/usr/bin/curl", nullFD(), pipeFD(1), ttyFD(1))
			w.connect(relay, here, there)
			w.start(initial, shell, "/bin/sh", pipeFD(1), ttyFD(1), ttyFD(1))
		}, nil},
		"only a pipe's other half: tar | nc": {func(w world) {
			w.start(initial, shell, "/bin/tar", ttyFD(1), pipeFD(1), ttyFD(1))
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), ttyFD(1), ttyFD(1))
			w.connect(relay, here, there)
		}, nil},
		"a socket that listens": {func(w world) {
			w.start(initial, shell, "/usr/sbin/inetd", three(sink("192.0.2.1:23", "0.0.0.0:0"))...)
		}, nil},

		// Another process relays through pipes.
		"pipes both ways, the relay connects first": {func(w world) {
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), pipeFD(2), ttyFD(1))
			w.connect(relay, here, there)
			w.start(initial, shell, "/bin/sh", pipeFD(2), pipeFD(1), pipeFD(1))
		}, outward(shell.pid, ViaPipe, relay.pid)},
		"pipes both ways, the relay connects last": {func(w world) {
			w.start(initial, shell, "/bin/sh", pipeFD(2), pipeFD(1), pipeFD(1))
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), pipeFD(2), ttyFD(1))
			w.connect(relay, here, there)
		}, outward(shell.pid, ViaPipe, relay.pid)},
		"pipes both ways, the relay accepts": {func(w world) {
			w.start(initial, shell, "/bin/sh", pipeFD(2), pipeFD(1), pipeFD(1))
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), pipeFD(2), ttyFD(1))
			w.accept(relay, here, there)
		}, []told{{shell.pid, ViaPipe, relay.pid, true, 6, here, there}}},
		"only errors go to the relay": {func(w world) {
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), pipeFD(2), ttyFD(1))
			w.connect(relay, here, there)
			w.start(initial, shell, "/bin/sh", pipeFD(2), fileFD(), pipeFD(1))
		}, outward(shell.pid, ViaPipe, relay.pid)},
		"a fifo back": {func(w world) {
			w.start(initial, shell, "/bin/sh", fifoFD(5), pipeFD(1), pipeFD(1))
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), fifoFD(5), ttyFD(1))
			w.connect(relay, here, there)
		}, outward(shell.pid, ViaPipe, relay.pid)},
		"a fifo that a third process reads": {func(w world) {
			w.start(initial, cat, "/bin/cat", ttyFD(1), pipeFD(2), ttyFD(1))
			w.start(initial, shell, "/bin/sh", pipeFD(2), pipeFD(1), pipeFD(1))
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), fifoFD(5), ttyFD(1))
			w.connect(relay, here, there)
		}, outward(shell.pid, ViaPipe, relay.pid)},
		"a relay that ran another program since": {func(w world) {
			w.start(initial, relay, "/usr/bin/nc")
			w.connect(relay, here, there)
			w.exec(initial, relay, "/bin/cat", pipeFD(1), pipeFD(2), ttyFD(1))
			w.start(initial, shell, "/bin/sh", pipeFD(2), pipeFD(1), pipeFD(1))
		}, nil},
		"a relay that ended": {func(w world) {
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), pipeFD(2), ttyFD(1))
			w.connect(relay, here, there)
			w.exit(relay)
			w.start(initial, shell, "/bin/sh", pipeFD(2), pipeFD(1), pipeFD(1))
		}, nil},
		"pipes of the same number on another file system": {func(w world) {
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), pipeFD(2), ttyFD(1))
			w.connect(relay, here, there)
			in, out := pipeFD(2), pipeFD(1)
			in.Device, out.Device = 99, 99
			w.start(initial, shell, "/bin/sh", in, out, out)
		}, nil},
		"its own pipe": {func(w world) {
			w.start(initial, relay, "/usr/bin/nc", pipeFD(1), pipeFD(1), ttyFD(1))
			w.connect(relay, here, there)
		}, nil},

		// The parent relays.
		"a terminal": {func(w world) {
			w.start(initial, relay, "/usr/bin/socat", three(ttyFD(1))...)
			w.connect(relay, here, there)
			w.start(relay, shell, "/bin/sh", three(ttyFD(2))...)
		}, outward(shell.pid, ViaPTY, relay.pid)},
		"a terminal, and the relay connects last": {func(w world) {
			w.start(initial, relay, "/usr/bin/socat", three(ttyFD(1))...)
			w.start(relay, shell, "/bin/sh", three(ttyFD(2))...)
			w.connect(relay, here, there)
		}, outward(shell.pid, ViaPTY, relay.pid)},
		"a terminal the parent sits at": {func(w world) {
			w.start(initial, relay, "/usr/bin/python3", three(ttyFD(1))...)
			w.connect(relay, here, there)
			w.start(relay, shell, "/bin/sh", three(ttyFD(1))...)
		}, nil},
		"a terminal that controls the parent": {func(w world) {
			p := w.start(initial, relay, "/usr/bin/python3", three(fileFD())...)
			p.TTY = "pts1"
			w.connect(relay, here, there)
			w.start(relay, shell, "/bin/sh", three(ttyFD(1))...)
		}, nil},
		"a terminal, the relay asked for the connection in another program": {func(w world) {
			w.start(initial, relay, "/usr/bin/nc", three(nullFD())...)
			w.connect(relay, here, there)
			w.exec(initial, relay, "/usr/bin/script", three(nullFD())...)
			w.start(relay, shell, "/bin/sh", three(ttyFD(2))...)
		}, nil},
		"a terminal, before the child runs a program": {func(w world) {
			w.start(initial, relay, "/usr/bin/socat", three(ttyFD(1))...)
			w.connect(relay, here, there)
			w.fork(relay, shell)
		}, nil},
		"a socket pair the parent made": {func(w world) {
			w.start(initial, relay, "/usr/bin/socat", three(nullFD())...)
			w.connect(relay, here, there)
			w.start(relay, shell, "/bin/sh", three(unixFD(relay))...)
		}, outward(shell.pid, ViaSocketPair, relay.pid)},
		"a unix socket of another process": {func(w world) {
			w.start(initial, relay, "/usr/bin/socat", three(nullFD())...)
			w.connect(relay, here, there)
			w.start(relay, shell, "/bin/sh", three(unixFD(initial))...)
		}, nil},
		"the latest of several connections": {func(w world) {
			w.start(initial, relay, "/usr/bin/socat", three(nullFD())...)
			for range 2 * maxConnections {
				w.connect(relay, "192.0.2.1:50000", "203.0.113.1:80")
			}
			w.connect(relay, here, there)
			w.start(relay, shell, "/bin/sh", three(ttyFD(2))...)
		}, outward(shell.pid, ViaPTY, relay.pid)},

		// Told once.
		"what a remote shell starts": {func(w world) {
			w.start(initial, shell, "/bin/sh", three(sink(here, there))...)
			w.start(shell, child, "/bin/ls", three(sink(here, there))...)
			w.start(child, other, "/bin/cat", three(sink(here, there))...)
			w.exec(initial, shell, "/bin/bash", three(sink(here, there))...)
		}, outward(shell.pid, ViaSocket, 0)},
		"a shell on a terminal inside the shell of a connection": {func(w world) {
			w.start(initial, relay, "/usr/bin/python3", three(nullFD())...)
			w.connect(relay, here, there)
			w.exec(initial, relay, "/usr/bin/python3", three(sink(here, there))...)
			w.connect(relay, here, there)
			w.start(relay, shell, "/bin/sh", three(ttyFD(2))...)
		}, outward(relay.pid, ViaSocket, 0)},
		"a second connection of the same shell": {func(w world) {
			w.start(initial, shell, "/bin/sh", three(sink(here, there))...)
			w.exec(initial, shell, "/bin/sh", three(sink("192.0.2.1:40001", there))...)
		}, []told{{shell.pid, ViaSocket, 0, false, 6, here, there}, {shell.pid, ViaSocket, 0, false, 6, "192.0.2.1:40001", there}}},
		"a second connection of the relay": {func(w world) {
			w.start(initial, relay, "/usr/bin/socat", three(nullFD())...)
			w.start(relay, shell, "/bin/sh", three(ttyFD(2))...)
			w.connect(relay, here, there)
			w.connect(relay, here, there)
			w.connect(relay, "192.0.2.1:40001", there)
		}, []told{{shell.pid, ViaPTY, relay.pid, false, 6, here, there}, {shell.pid, ViaPTY, relay.pid, false, 6, "192.0.2.1:40001", there}}},

		// Everyday work.
		"tmux: a server without a connection": {func(w world) {
			w.start(initial, relay, "/usr/bin/tmux", three(nullFD())...)
			w.start(relay, shell, "/bin/bash", three(ttyFD(2))...)
		}, nil},
		"cron: pipes to a parent without a connection": {func(w world) {
			w.start(initial, relay, "/usr/sbin/cron", three(nullFD())...)
			w.start(relay, shell, "/bin/sh", pipeFD(1), pipeFD(2), pipeFD(2))
		}, nil},
		"ssh: the connection was accepted by the program before": {func(w world) {
			w.start(initial, relay, "/usr/sbin/sshd", three(nullFD())...)
			session := who{112, 22}
			w.accept(relay, "192.0.2.1:22", "203.0.113.9:50000")
			w.start(relay, session, "/usr/lib/openssh/sshd-session", three(nullFD())...)
			w.start(session, shell, "/bin/bash", three(ttyFD(2))...)
		}, nil},
		"a client at its terminal": {func(w world) {
			w.start(initial, shell, "/bin/bash", three(ttyFD(1))...)
			w.start(shell, child, "/usr/bin/ssh", three(ttyFD(1))...)
			w.connect(child, here, there)
			w.start(child, other, "/bin/sh", three(ttyFD(1))...)
		}, nil},
		"a service under systemd": {func(w world) {
			w.start(initial, shell, "/usr/sbin/service", nullFD(), unixFD(initial), unixFD(initial))
			w.connect(shell, here, there)
			w.start(shell, child, "/bin/sh", nullFD(), unixFD(initial), unixFD(initial))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := withInit(t)
			tc.happens(w)
			assert.Equal(t, tc.want, takeAll(w))
			assert.Empty(t, takeAll(w), "told once")
		})
	}
}

func TestBackfilledRemoteStdio(t *testing.T) {
	connected := FD{Type: fdSocket, Protocol: 6, Local: netip.MustParseAddrPort(here), Peer: netip.MustParseAddrPort(there)}
	// More than once: the order in which they are told must not depend on the order of a map.
	for range 20 {
		w := withInit(t)
		w.host.runs(shell, initial.pid, "/bin/sh", connected, connected, connected)
		w.host.runs(child, shell.pid, "/bin/cat", connected, connected, connected)
		w.host.runs(who{103, child.ticks}, child.pid, "/bin/cat", connected, connected, connected)
		w.Backfill([]uint32{shell.pid, child.pid, 103})
		assert.Equal(t, []told{{shell.pid, ViaSocket, 0, false, 6, here, there}}, takeAll(w))
	}
	t.Run("a relay that connects later", func(t *testing.T) {
		w := withInit(t)
		in, out := FD{Type: fdPipe, Inode: 2, Device: 12}, FD{Type: fdPipe, Inode: 1, Device: 12}
		w.host.runs(shell, initial.pid, "/bin/sh", in, out, out)
		w.host.runs(relay, initial.pid, "/usr/bin/nc", out, in, in)
		w.Backfill([]uint32{shell.pid, relay.pid})
		assert.Empty(t, takeAll(w))
		w.connect(relay, here, there)
		assert.Equal(t, []told{{shell.pid, ViaPipe, relay.pid, false, 6, here, there}}, takeAll(w))
	})
}

func TestConnection(t *testing.T) {
	w := withInit(t)
	p := w.start(initial, shell, "/bin/sh", nullFD(), fileFD(), sinkOf(17, here, there))
	protocol, local, peer, ingress, ok := p.Connection()
	assert.True(t, ok)
	assert.Equal(t, uint8(17), protocol)
	assert.Equal(t, netip.MustParseAddrPort(here), local)
	assert.Equal(t, netip.MustParseAddrPort(there), peer)
	assert.False(t, ingress)
	_, _, _, _, ok = w.start(initial, child, "/bin/sh", three(nullFD())...).Connection()
	assert.False(t, ok)
}

// TestPipesAreForgotten: what is indexed goes with its process.
func TestPipesAreForgotten(t *testing.T) {
	w := withInit(t)
	w.start(initial, shell, "/bin/sh", pipeFD(1), pipeFD(2), pipeFD(3))
	w.start(initial, relay, "/usr/bin/nc", pipeFD(2), pipeFD(1), pipeFD(1))
	w.fork(shell, child) // has the streams and runs nothing: indexed it is not
	w.exec(initial, relay, "/usr/bin/nc", three(nullFD())...)
	assert.Len(t, w.readers, 1)
	assert.Len(t, w.writers, 2)
	w.exit(child)
	w.exit(shell)
	assert.Empty(t, w.readers)
	assert.Empty(t, w.writers)
}

func TestRelayThatIsDoneWithItsConnection(t *testing.T) {
	w := newWorld(t)
	w.start(initial, relay, "/usr/bin/python3", three(ttyFD(1))...)
	w.connect(relay, "192.0.2.1:40000", "198.51.100.7:443")
	w.host.closed = []netip.AddrPort{netip.MustParseAddrPort("198.51.100.7:443")}
	w.start(relay, cat, "/usr/bin/bash", three(ttyFD(2))...)
	assert.Empty(t, takeAll(w))

	w.connect(relay, "192.0.2.1:40001", "198.51.100.7:4444")
	assert.Equal(t, []told{{cat.pid, ViaPTY, relay.pid, false, 6, "192.0.2.1:40001", "198.51.100.7:4444"}}, takeAll(w))
}

// TestMovedStreams is about processes that make the connection their own streams.
func TestMovedStreams(t *testing.T) {
	socket := sink(here, there)
	outward := func(list ...who) []told {
		var want []told
		for _, p := range list {
			want = append(want, told{p.pid, ViaSocket, 0, false, 6, here, there})
		}
		return want
	}
	settle := func(w world) { w.Settle(shell.nanos() + 2*settleMoved) }
	for name, tc := range map[string]struct {
		happens func(w world)
		want    []told
	}{
		"a loop over its own streams": {func(w world) {
			w.move(shell, 0, socket, ttyFD(1), ttyFD(1))
			w.move(shell, 1, socket, socket, ttyFD(1))
			w.move(shell, 2, three(socket)...)
			settle(w)
		}, outward(shell)},
		"only its input": {func(w world) {
			w.move(shell, 0, socket, ttyFD(1), ttyFD(1))
			settle(w)
		}, nil},
		"not long ago": {func(w world) {
			w.move(shell, settleMoved+1, three(socket)...)
			w.Settle(shell.nanos() + 2*settleMoved)
		}, nil},
		"it runs another program at once": {func(w world) {
			w.move(shell, 0, three(socket)...)
			w.exec(initial, shell, "/bin/sh", three(socket)...)
			settle(w)
		}, outward(shell)},
		"it starts another program at once": {func(w world) {
			w.move(shell, 0, three(socket)...)
			w.start(shell, child, "/bin/sh", three(socket)...)
			settle(w)
			w.start(child, other, "/bin/id", three(socket)...)
		}, outward(child)},
		"it runs a single command at once": {func(w world) {
			w.move(shell, 0, three(socket)...)
			w.start(shell, child, "/bin/id", three(socket)...)
			w.exit(child)
			settle(w)
		}, outward(child, shell)},
		"a copy of a server prepares the streams of a program": {func(w world) {
			w.fork(shell, child)
			w.move(child, 0, three(socket)...)
			w.exec(shell, child, "/bin/sh", three(socket)...)
			w.Settle(child.nanos() + 2*settleMoved)
		}, outward(child)},
		"a copy of it goes on and it ends": {func(w world) {
			w.move(shell, 0, three(socket)...)
			w.fork(shell, child)
			w.exit(shell)
			settle(w)
		}, outward(child)},
		"a copy of it goes on beside it": {func(w world) {
			w.move(shell, 0, three(socket)...)
			w.fork(shell, child)
			settle(w)
		}, outward(shell)},
		"it ends at once": {func(w world) {
			w.move(shell, 0, three(socket)...)
			w.exit(shell)
			settle(w)
			w.move(shell, 0, three(socket)...)
			settle(w)
		}, nil},
		"it runs other programs later, which may be what is commanded": {func(w world) {
			w.move(shell, 0, three(socket)...)
			settle(w)
			w.start(shell, child, "/bin/sh", three(socket)...)
			w.start(child, other, "/bin/id", three(socket)...)
			w.exec(initial, shell, "/bin/sh", three(socket)...)
			w.exec(initial, shell, "/bin/sh", three(socket)...)
		}, outward(shell, child, shell)},
		"a copy of it is not told": {func(w world) {
			w.move(shell, 0, three(socket)...)
			settle(w)
			w.fork(shell, child)
			w.move(child, 0, three(socket)...)
			w.Settle(child.nanos() + 2*settleMoved)
		}, outward(shell)},
	} {
		t.Run(name, func(t *testing.T) {
			w := withInit(t)
			w.start(initial, shell, "/usr/bin/ruby", three(ttyFD(1))...)
			w.connect(shell, here, there)
			tc.happens(w)
			assert.Equal(t, tc.want, takeAll(w))
		})
	}
}

// TestMovedStreamsAreToldOfTheNextProgram is about connections of the parent that come between: a listener
// that has started the client accepts the connection before the client runs its program.
func TestMovedStreamsAreToldOfTheNextProgram(t *testing.T) {
	socket := sink(here, there)
	for name, tc := range map[string]struct {
		happens func(w world)
		parent  who
		runs    who
	}{
		"of the process itself": {func(w world) {
			w.move(shell, 0, three(socket)...)
			w.accept(initial, there, here)
		}, initial, shell},
		"of a copy of it": {func(w world) {
			w.move(shell, 0, three(socket)...)
			w.fork(shell, child)
			w.connect(shell, "192.0.2.1:40001", there)
		}, shell, child},
	} {
		t.Run(name, func(t *testing.T) {
			w := withInit(t)
			w.start(initial, shell, "/usr/bin/nc", three(nullFD())...)
			w.connect(shell, here, there)
			tc.happens(w)
			assert.Empty(t, takeAll(w))
			w.exec(tc.parent, tc.runs, "/bin/sh", three(socket)...)
			w.Settle(shell.nanos() + 2*settleMoved)
			assert.Equal(t, []told{{tc.runs.pid, ViaSocket, 0, false, 6, here, there}}, takeAll(w))
		})
	}
}
