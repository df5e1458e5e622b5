// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/bpf"
)

// Host is where the table learns what the kernel programs do not report.
type Host interface {
	// Container tells which container a process runs in; ok is false when the process is gone.
	Container(pid uint32) (id, runtime string, ok bool)
	// Read reads a process that was there before the table; nil when it is gone.
	Read(pid uint32) *Snapshot
	// Holds tells whether a connection is still open in the network namespace of a process; true when
	// the process is gone. A local port of 0 is not known.
	Holds(pid uint32, protocol uint8, local, peer netip.AddrPort) bool
}

// Table holds the processes of the host. It is not safe for concurrent use.
type Table struct {
	host   Host
	bootID string
	boot   time.Time

	byKey      map[Key]*Process
	byPID      map[uint32]*Process
	readers    byPipe // by standard input
	writers    byPipe // by standard output and error
	containers map[uint64]inContainer
	gone       []gone
	sweepAt    int
	found      []RemoteStdio
	moved      []*Process // whose streams became network sockets lately
}

type inContainer struct{ id, runtime string }

type gone struct {
	process *Process
	at      uint64
}

const (
	// keepExited is how long an ended process is still known, in nanoseconds: activity it was
	// part of may be reported later than its end.
	keepExited = uint64(5 * time.Second)
	// maxExited bounds how many of them there are, whatever their age.
	maxExited = 8192
	// minSweep is the size below which the table is not searched for processes whose end was lost.
	minSweep      = 16384
	maxContainers = 8192
)

// NewTable makes an empty table. bootID identifies the boot and boot is when it was.
func NewTable(host Host, bootID string, boot time.Time) *Table {
	return &Table{
		host: host, bootID: bootID, boot: boot,
		byKey: map[Key]*Process{}, byPID: map[uint32]*Process{},
		readers: byPipe{}, writers: byPipe{}, containers: map[uint64]inContainer{}, sweepAt: minSweep,
	}
}

// Len is the number of processes held, ended ones included.
func (t *Table) Len() int { return len(t.byKey) }

// Time converts nanoseconds since boot.
func (t *Table) Time(nanos uint64) time.Time { return t.boot.Add(time.Duration(nanos)) }

// SetBoot corrects when the boot was, after the wall clock has been set.
func (t *Table) SetBoot(boot time.Time) { t.boot = boot }

// Fork adds a process that was made by another.
func (t *Table) Fork(e *bpf.SensorForkEvent) *Process {
	key := KeyOf(e.Head.Tgid, e.Head.StartTime)
	if p := t.byKey[key]; p != nil {
		return p // /proc told of it first
	}
	p := t.add(key, e.Head.StartTime)
	if parent := t.find(KeyOf(e.Parent.Tgid, e.Parent.StartTime)); parent != nil {
		t.inherit(p, parent)
	}
	t.update(p, &e.Head)
	return p
}

func (t *Table) add(key Key, startNanos uint64) *Process {
	p := &Process{Key: key, EntityID: key.entityID(t.bootID), Started: t.Time(startNanos)}
	t.byKey[key] = p
	old := t.byPID[key.PID]
	if old != nil && old.Key.Start > key.Start {
		return p // a late record of one that had the id before
	}
	if old != nil {
		t.end(old, startNanos) // where its end was lost: the id belongs to another now
	}
	t.byPID[key.PID] = p
	return p
}

func (t *Table) inherit(p, parent *Process) {
	id, key, started := p.EntityID, p.Key, p.Started
	*p = Process{
		Key: key, EntityID: id, Started: started,
		Executable: parent.Executable, Invoked: parent.Invoked, Args: parent.Args,
		CommandLine: parent.CommandLine, Directory: parent.Directory, TTY: parent.TTY,
		Session: parent.Session, Streams: parent.Streams, cgroup: parent.cgroup,
		ContainerID: parent.ContainerID, ContainerRuntime: parent.ContainerRuntime,
		connections: slices.Clone(parent.connections),
	}
	p.setParent(parent)
	if parent.movedAt != 0 {
		t.unsettled(p, parent.movedAt)
	}
}

// update takes over what every record says of its process.
func (t *Table) update(p *Process, head *bpf.SensorEventHead) {
	p.UID, p.EUID, p.GID, p.EGID = head.Uid, head.Euid, head.Gid, head.Egid
	if p.cgroup != head.Cgroup {
		t.setContainer(p, head.Cgroup)
	}
}

func (t *Table) setContainer(p *Process, cgroup uint64) {
	known, ok := t.containers[cgroup]
	if !ok {
		known.id, known.runtime, ok = t.host.Container(p.Key.PID)
		if !ok {
			return // asked again at its next event
		}
		if len(t.containers) >= maxContainers {
			clear(t.containers)
		}
		t.containers[cgroup] = known
	}
	p.cgroup = cgroup
	p.ContainerID, p.ContainerRuntime = known.id, known.runtime
}

// ExecStrings are the strings of an exec record.
type ExecStrings struct{ Exe, Filename, Cwd, Args []byte }

// Exec makes a process run another program. Where its streams came to lead to the network is told by
// TakeRemoteStdio.
func (t *Table) Exec(e *bpf.SensorExecEvent, s ExecStrings) *Process {
	key := KeyOf(e.Head.Tgid, e.Head.StartTime)
	p := t.byKey[key]
	if p == nil {
		p = t.add(key, e.Head.StartTime)
		if parent := t.find(KeyOf(e.Parent.Tgid, e.Parent.StartTime)); parent != nil {
			t.inherit(p, parent)
		}
	}
	t.unindex(p)
	p.programs++
	p.Directory = text(string(s.Cwd))
	p.Executable = executable(text(string(s.Exe)), e.ExeFlags)
	p.Invoked = absolute(p.Directory, text(string(s.Filename)))
	p.setArgs(string(s.Args))
	p.TTY = cString(e.Tty[:])
	p.Session = e.Session
	for i := range e.Fds {
		p.Streams[i] = stream(&e.Fds[i])
	}
	for i := range p.connections {
		p.connections[i].beforeExec = true
	}
	t.update(p, &e.Head)
	p.movedAt = 0
	t.index(p)
	t.report(p, false)
	return p
}

// Stdio notes that a process made one of its standard streams a network socket. If it neither runs
// another program soon nor ends, Settle tells where they lead.
func (t *Table) Stdio(e *bpf.SensorStdioEvent) {
	p := t.Get(&e.Head)
	if p.exited {
		return
	}
	t.unindex(p)
	for i := range e.Fds {
		p.Streams[i] = stream(&e.Fds[i])
	}
	t.index(p)
	t.unsettled(p, e.Head.Time)
}

// unsettled makes Settle look at a process whose streams were moved at a time, by it or by the process
// that it is a copy of.
func (t *Table) unsettled(p *Process, at uint64) {
	p.movedAt = at
	if !slices.Contains(t.moved, p) {
		t.moved = append(t.moved, p)
	}
}

func executable(path string, flags uint32) string {
	if flags&uint32(bpf.SensorExeFlagsEXE_MEMORY) != 0 {
		return "memfd:" + strings.TrimPrefix(strings.TrimPrefix(path, "/"), "memfd:")
	}
	return path
}

func absolute(directory, name string) string {
	if name == "" || path.IsAbs(name) {
		return name
	}
	return path.Join(directory, name)
}

func cString(chars []int8) string {
	var b strings.Builder
	for _, c := range chars {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

func stream(fd *bpf.SensorEventFd) FD {
	f := FD{Type: FDType(fd.Type), Inode: fd.Inode, Device: fd.Device, UnixPeer: fd.UnixPeer}
	if f.Type == fdSocket {
		f.Protocol = fd.Address.Protocol
		f.Local, f.Peer = Addresses(&fd.Address)
	}
	return f
}

// Exit ends a process. It stays known for a little while.
func (t *Table) Exit(e *bpf.SensorExitEvent) *Process {
	p := t.Get(&e.Head)
	t.end(p, e.Head.Time)
	return p
}

func (t *Table) end(p *Process, nanos uint64) {
	if p.exited {
		return
	}
	p.exited = true
	t.unindex(p)
	if p.Parent != nil {
		p.Parent.dropChild(p)
	}
	t.gone = append(t.gone, gone{p, nanos})
}

// Get gives the process a record is about. One that was never seen is read from /proc; if it is gone
// from there too, what the record says is all that is known.
func (t *Table) Get(head *bpf.SensorEventHead) *Process {
	key := KeyOf(head.Tgid, head.StartTime)
	p := t.find(key)
	if p == nil {
		p = t.add(key, head.StartTime)
	}
	t.update(p, head)
	return p
}

// SetIDs gives a process its new user and group; the record's head may be of the time before.
func (t *Table) SetIDs(e *bpf.SensorSetidEvent) *Process {
	p := t.Get(&e.Head)
	p.UID, p.EUID, p.GID, p.EGID = e.Now.Uid, e.Now.Euid, e.Now.Gid, e.Now.Egid
	return p
}

// Other gives a process that a record is about besides the one that acted, by its id and start time
// in nanoseconds since boot; nil where nothing is known of it.
func (t *Table) Other(pid uint32, startNanos uint64) *Process { return t.find(KeyOf(pid, startNanos)) }

// Running gives the process that has an id now, or had it last; nil where nothing is known of it.
func (t *Table) Running(pid uint32) *Process {
	if p := t.byPID[pid]; p != nil {
		return p
	}
	if s := t.host.Read(pid); s != nil {
		return t.addSnapshot(s)
	}
	return nil
}

func (t *Table) find(key Key) *Process {
	if p := t.byKey[key]; p != nil {
		return p
	}
	if s := t.host.Read(key.PID); s != nil && s.Key == key {
		return t.addSnapshot(s)
	}
	return nil
}

// Forget drops processes that ended long enough before now (nanoseconds since boot), and, where
// the table has grown beyond measure, those whose end was never reported.
func (t *Table) Forget(now uint64) {
	n := 0
	for n < len(t.gone) && (t.gone[n].at+keepExited < now || len(t.gone)-n > maxExited) {
		p := t.gone[n].process
		delete(t.byKey, p.Key)
		if t.byPID[p.Key.PID] == p {
			delete(t.byPID, p.Key.PID)
		}
		n++
	}
	if n > 0 {
		t.gone = slices.Delete(t.gone, 0, n)
	}
	if len(t.byKey) < t.sweepAt {
		return
	}
	for key, p := range t.byKey {
		if p.exited {
			continue
		}
		if s := t.host.Read(key.PID); s == nil || s.Key != key {
			t.end(p, now)
		}
	}
	t.sweepAt = max(minSweep, 2*(len(t.byKey)-len(t.gone)))
}
