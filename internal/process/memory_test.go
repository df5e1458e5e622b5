// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vedette-sec/vedette/bpf"
)

// memoryHost is a Host of processes that a test made up.
type memoryHost struct {
	processes  map[uint32]Snapshot
	containers map[uint32]string // "" for a process of the host; absent for one that is gone
	asked      int               // how often a container was asked for
	closed     []netip.AddrPort  // peers of connections that are over
}

func (h *memoryHost) Holds(_ uint32, _ uint8, _, peer netip.AddrPort) bool {
	return !slices.Contains(h.closed, peer)
}

func (h *memoryHost) Container(pid uint32) (id, runtime string, ok bool) {
	h.asked++
	id, ok = h.containers[pid]
	if id != "" {
		runtime = "docker"
	}
	return id, runtime, ok
}

func (h *memoryHost) Read(pid uint32) *Snapshot {
	s, ok := h.processes[pid]
	if !ok {
		return nil
	}
	return &s
}

// runs puts a process into what /proc shows.
func (h *memoryHost) runs(p who, parent uint32, program string, streams ...FD) {
	s := Snapshot{ParentPID: parent}
	s.Key = p.key()
	s.Executable, s.Invoked = program, program
	copy(s.Streams[:], streams)
	h.processes[p.pid] = s
}

// who is a process as the kernel programs know it.
type who struct {
	pid   uint32
	ticks uint64
}

// nanos is some time within the tick.
func (w who) nanos() uint64 { return w.ticks*tick + uint64(w.pid)%tick }

func (w who) key() Key { return Key{w.pid, w.ticks} }

func (w who) head() bpf.SensorEventHead {
	return bpf.SensorEventHead{Tgid: w.pid, Tid: w.pid, StartTime: w.nanos(), Time: w.nanos(), Cgroup: 1}
}

func (w who) asParent() bpf.SensorEventParent {
	return bpf.SensorEventParent{Tgid: w.pid, StartTime: w.nanos()}
}

var boot = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// world is a table and the records that change it.
type world struct {
	*Table
	host *memoryHost
}

func newWorld(testing.TB) world {
	host := &memoryHost{processes: map[uint32]Snapshot{}, containers: map[uint32]string{}}
	return world{NewTable(host, "a boot", boot), host}
}

func (w world) fork(parent, child who) *Process {
	return w.Fork(&bpf.SensorForkEvent{Head: child.head(), Parent: parent.asParent()})
}

func (w world) exec(parent, p who, program string, streams ...bpf.SensorEventFd) *Process {
	e := &bpf.SensorExecEvent{Head: p.head(), Parent: parent.asParent()}
	copy(e.Fds[:], streams)
	return w.Exec(e, ExecStrings{Exe: []byte(program), Filename: []byte(program), Cwd: []byte("/"), Args: []byte(program + "\x00")})
}

// start is fork and exec.
func (w world) start(parent, p who, program string, streams ...bpf.SensorEventFd) *Process {
	w.fork(parent, p)
	return w.exec(parent, p, program, streams...)
}

// move is a process that made network sockets of its streams, at a time after its start.
func (w world) move(p who, after uint64, streams ...bpf.SensorEventFd) {
	e := &bpf.SensorStdioEvent{Head: p.head()}
	e.Head.Time += after
	copy(e.Fds[:], streams)
	w.Stdio(e)
}

func (w world) exit(p who) *Process { return w.exitAt(p, p.nanos()) }

func (w world) exitAt(p who, nanos uint64) *Process {
	head := p.head()
	head.Time = nanos
	return w.Exit(&bpf.SensorExitEvent{Head: head})
}

// get is the activity of a process.
func (w world) get(p who) *Process {
	head := p.head()
	return w.Get(&head)
}

func (w world) connect(p who, local, peer string) { w.connected(p, 6, local, peer, false) }

func (w world) accept(p who, local, peer string) { w.connected(p, 6, local, peer, true) }

func (w world) connected(p who, protocol uint8, local, peer string, ingress bool) {
	w.Connected(w.get(p), protocol, netip.MustParseAddrPort(local), netip.MustParseAddrPort(peer), ingress)
}

// names gives the programs of a process's ancestors, nearest first.
func names(p *Process) []string {
	var list []string
	for a := p.Parent; a != nil; a = a.Parent {
		list = append(list, a.Executable)
	}
	return list
}
