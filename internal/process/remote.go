// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"net/netip"
	"slices"
	"time"
)

// RemoteStdio says that the standard input and output of a process lead to a network connection.
type RemoteStdio struct {
	Process  *Process
	Via      string   // socket, pipe, pty or socketpair
	Relay    *Process // holds the connection and relays; nil where the streams are the connection
	Ingress  bool     // the connection was accepted, not asked for
	Protocol uint8
	Local    netip.AddrPort
	Peer     netip.AddrPort
}

// The ways streams lead to the network.
const (
	ViaSocket     = "socket"
	ViaPipe       = "pipe"
	ViaPTY        = "pty"
	ViaSocketPair = "socketpair"
)

type endpoints struct{ local, peer netip.AddrPort }

// connection is one a process asked for or accepted, or was born with.
type connection struct {
	endpoints
	protocol uint8
	ingress  bool
	// beforeExec marks one of the program the process ran before. It may have been closed by
	// the exec, so it tells a stream's direction but makes no relay.
	beforeExec bool
}

// maxConnections bounds the connections remembered for a process; the latest matter.
const maxConnections = 8

// Connected notes that a process asked for (ingress false) or accepted a connection. Streams that
// came to lead to it are told by TakeRemoteStdio.
func (t *Table) Connected(p *Process, protocol uint8, local, peer netip.AddrPort, ingress bool) {
	if len(p.connections) >= maxConnections {
		p.connections = slices.Delete(p.connections, 0, 1)
	}
	p.connections = append(p.connections, connection{endpoints{local, peer}, protocol, ingress, false})
	for _, child := range p.children {
		t.report(child, false)
	}
	// Whoever writes into p's standard input may have its own input fed by p.
	if in, ok := p.Streams[0].pipe(); ok {
		for _, other := range t.writers[in] {
			t.report(other, false)
		}
	}
}

// writes tells whether standard output or error of the process goes into the pipe.
func (p *Process) writes(to pipe) bool {
	for _, f := range p.Streams[1:] {
		if id, ok := f.pipe(); ok && id == to {
			return true
		}
	}
	return false
}

// TakeRemoteStdio gives what was found since it was last asked.
func (t *Table) TakeRemoteStdio() []RemoteStdio {
	found := t.found
	t.found = nil
	return found
}

// index makes the process findable by the pipes it reads and writes; unindex undoes it.
func (t *Table) index(p *Process) {
	if in, ok := p.Streams[0].pipe(); ok {
		t.readers[in] = append(t.readers[in], p)
	}
	for _, f := range p.Streams[1:] {
		if out, ok := f.pipe(); ok && !slices.Contains(t.writers[out], p) {
			t.writers[out] = append(t.writers[out], p)
		}
	}
}

func (t *Table) unindex(p *Process) {
	if in, ok := p.Streams[0].pipe(); ok {
		t.readers.remove(in, p)
	}
	for _, f := range p.Streams[1:] {
		if out, ok := f.pipe(); ok {
			t.writers.remove(out, p)
		}
	}
}

// byPipe finds processes by a pipe.
type byPipe map[pipe][]*Process

func (m byPipe) remove(id pipe, p *Process) {
	rest := slices.DeleteFunc(m[id], func(other *Process) bool { return other == p })
	if len(rest) == 0 {
		delete(m, id)
		return
	}
	m[id] = rest
}

// report is a connection that a process's standard streams were reported to lead to.
type report struct {
	endpoints
	// program counts the programs the process had run.
	program int
	// moved tells that the process moved its streams there, and was not started with them.
	moved bool
}

// settleMoved is how long a process has, in nanoseconds, to run another program after it has moved its
// streams. Most that do it only prepare that program's streams, and the program is what matters.
const settleMoved = uint64(100 * time.Millisecond)

// Settle looks at processes that moved their streams long enough before now (nanoseconds since boot).
func (t *Table) Settle(now uint64) {
	t.moved = slices.DeleteFunc(t.moved, func(p *Process) bool {
		if p.exited || p.movedAt == 0 {
			return true
		}
		if p.movedAt+settleMoved > now {
			return false
		}
		p.movedAt = 0
		// A program that it runs meanwhile and that goes on is the one that is commanded, and was told. One
		// that has ended, such as a single command, says that the process itself takes the commands.
		if r, ok := t.remoteStdio(p); ok && !p.handedOn(endpoints{r.Local, r.Peer}, 0) {
			t.report(p, true)
		}
		return true
	})
}

// handedOn tells whether a living descendant was reported to be led to the same connection.
func (p *Process) handedOn(ends endpoints, depth int) bool {
	return depth < maxAncestors && slices.ContainsFunc(p.children, func(child *Process) bool {
		told := slices.ContainsFunc(child.reported, func(r report) bool { return r.endpoints == ends })
		return !child.exited && told || child.handedOn(ends, depth+1)
	})
}

// report notes where the process's streams lead, unless it or one it descends from was reported to
// lead there: what a remote shell starts is not another remote shell.
func (t *Table) report(p *Process, moved bool) {
	if p.movedAt != 0 {
		return // its next program, or Settle, tells; a connection of its parent's comes too early
	}
	r, ok := t.remoteStdio(p)
	if !ok {
		return
	}
	ends := endpoints{r.Local, r.Peer}
	for a, n := p, 0; a != nil && n < maxAncestors; a, n = a.Parent, n+1 {
		if slices.ContainsFunc(a.reported, func(past report) bool { return past.endpoints == ends && past.covers(a, p) }) {
			return
		}
	}
	if len(p.reported) >= maxConnections {
		p.reported = slices.Delete(p.reported, 0, 1)
	}
	p.reported = append(p.reported, report{ends, p.programs, moved})
	t.found = append(t.found, r)
}

// covers tells whether the report on a process stands for one that descends from it, or is it. One that
// only moved its streams need not be the one that is commanded: the programs that it runs are told as well.
func (r report) covers(of, p *Process) bool {
	if !r.moved {
		return true
	}
	if of == p {
		return r.program == p.programs
	}
	return p.programs == 0
}

func (t *Table) remoteStdio(p *Process) (RemoteStdio, bool) {
	in, out := p.Streams[0], p.Streams[1]
	if out.Type != fdSocket && out.Type != in.Type {
		out = p.Streams[2]
	}
	switch {
	case in.connected() && out.connected():
		return RemoteStdio{Process: p, Via: ViaSocket, Ingress: p.accepted(in), Protocol: in.Protocol,
			Local: in.Local, Peer: in.Peer}, true
	case in.Type == fdTTY && out.Type == fdTTY:
		return t.relayedByParent(p, ViaPTY, func(parent *Process) bool { return !parent.has(in) })
	case in.Type == fdUnix && out.Type == fdUnix:
		return t.relayedByParent(p, ViaSocketPair, func(parent *Process) bool { return in.UnixPeer == parent.Key.PID })
	}
	return t.relayedByPipes(p)
}

// Connection gives the network connection that one of the standard streams is; ok is false where none
// is one.
func (p *Process) Connection() (protocol uint8, local, peer netip.AddrPort, ingress, ok bool) {
	for _, f := range p.Streams {
		if f.connected() {
			return f.Protocol, f.Local, f.Peer, p.accepted(f), true
		}
	}
	return 0, local, peer, false, false
}

// relayedByParent covers a parent that made a terminal or socket pair for its child and holds a
// connection itself.
func (t *Table) relayedByParent(p *Process, via string, made func(parent *Process) bool) (RemoteStdio, bool) {
	parent := p.Parent
	if parent == nil || p.programs == 0 || !made(parent) {
		return RemoteStdio{}, false
	}
	return t.through(p, parent, via)
}

// has tells whether the process itself sits at the terminal.
func (p *Process) has(terminal FD) bool {
	if p.TTY != "" && p.TTY == ttyName(terminal.Device) {
		return true
	}
	return slices.ContainsFunc(p.Streams[:], func(f FD) bool {
		return f.Type == fdTTY && f.Device == terminal.Device
	})
}

// through takes the relay's latest connection that is still open: a program that was done with the
// network before it started a shell relays nothing.
func (t *Table) through(p, relay *Process, via string) (RemoteStdio, bool) {
	for _, c := range slices.Backward(relay.connections) {
		if !c.beforeExec && t.host.Holds(relay.Key.PID, c.protocol, c.local, c.peer) {
			return RemoteStdio{Process: p, Via: via, Relay: relay, Ingress: c.ingress, Protocol: c.protocol,
				Local: c.local, Peer: c.peer}, true
		}
	}
	return RemoteStdio{}, false
}

// relayedByPipes covers a relay beside the process: it reads what the process writes, and what it
// writes comes back to the process, at once or through a fifo that some third process may read.
func (t *Table) relayedByPipes(p *Process) (RemoteStdio, bool) {
	in, ok := p.Streams[0].pipe()
	if !ok {
		return RemoteStdio{}, false
	}
	for _, f := range p.Streams[1:] {
		out, ok := f.pipe()
		if !ok {
			continue
		}
		for _, relay := range t.readers[out] {
			if relay == p || !(relay.writes(in) || relay.Streams[1].Type == fdFIFO) {
				continue
			}
			if r, ok := t.through(p, relay, ViaPipe); ok {
				return r, true
			}
		}
	}
	return RemoteStdio{}, false
}

// firstEphemeral is where most kernels begin to choose ports for those who asked for none.
const firstEphemeral = 32768

// accepted tells a socket's direction by how the process, or those it descends from, came by it. For
// a socket of unknown origin the ports tell: the side that was called has the lower one.
func (p *Process) accepted(f FD) bool {
	for a, n := p, 0; a != nil && n < maxAncestors; a, n = a.Parent, n+1 {
		for _, c := range a.connections {
			// A hook that runs before the connection is made does not know the local port.
			if c.peer == f.Peer && (c.local.Port() == 0 || c.local.Port() == f.Local.Port()) {
				return c.ingress
			}
		}
	}
	return f.Local.Port() < firstEphemeral && f.Peer.Port() >= firstEphemeral
}
