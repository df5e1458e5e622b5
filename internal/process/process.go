// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/bpf"
)

// tick is the unit in which /proc gives start times, in nanoseconds. Identities are made from times
// cut to it, so that a process has the same one whether the kernel programs or /proc told of it.
const tick = uint64(10 * time.Millisecond)

// Key identifies a process within one boot.
type Key struct {
	PID   uint32
	Start uint64 // ticks since boot
}

// KeyOf makes the key of a process from its id and its start time in nanoseconds since boot.
func KeyOf(pid uint32, startNanos uint64) Key { return Key{pid, startNanos / tick} }

// entityID identifies the process among all processes of all boots of all hosts.
func (k Key) entityID(bootID string) string {
	var b [12]byte
	binary.LittleEndian.PutUint32(b[:4], k.PID)
	binary.LittleEndian.PutUint64(b[4:], k.Start)
	h := sha256.New()
	h.Write([]byte(bootID))
	h.Write(b[:])
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// FDType is what a file descriptor leads to.
type FDType uint8

var fdNames = [...]string{
	bpf.SensorFdTypeFD_CLOSED: "closed",
	bpf.SensorFdTypeFD_TTY:    "tty",
	bpf.SensorFdTypeFD_PIPE:   "pipe",
	bpf.SensorFdTypeFD_FIFO:   "fifo",
	bpf.SensorFdTypeFD_FILE:   "file",
	bpf.SensorFdTypeFD_SOCKET: "socket",
	bpf.SensorFdTypeFD_UNIX:   "unix",
	bpf.SensorFdTypeFD_NULL:   "null",
	bpf.SensorFdTypeFD_DEVICE: "device",
	bpf.SensorFdTypeFD_OTHER:  "other",
}

// The types that matter for where streams lead.
const (
	fdTTY    = FDType(bpf.SensorFdTypeFD_TTY)
	fdPipe   = FDType(bpf.SensorFdTypeFD_PIPE)
	fdFIFO   = FDType(bpf.SensorFdTypeFD_FIFO)
	fdSocket = FDType(bpf.SensorFdTypeFD_SOCKET)
	fdUnix   = FDType(bpf.SensorFdTypeFD_UNIX)
)

func (t FDType) String() string {
	if int(t) < len(fdNames) {
		return fdNames[t]
	}
	return "other"
}

// FD is a standard stream at the time its process started its program, or last made one a network socket.
type FD struct {
	Type     FDType
	Inode    uint64
	Device   uint32 // of the file system; for a terminal or device the device's own number
	UnixPeer uint32 // process that made the other end of a socket pair
	Protocol uint8  // of a network socket: 6 TCP, 17 UDP
	Local    netip.AddrPort
	Peer     netip.AddrPort
}

// minorBits is how many bits of the kernel's device numbers are the minor number.
const minorBits = 20

// The major numbers of character devices that streams lead to; see the kernel's devices list.
const (
	memMajor     = 1
	ttyMajor     = 4
	ttyAuxMajor  = 5
	ptsMajor     = 136
	ptsMajors    = 8
	nullMinor    = 3
	serialMinors = 64 // where serial lines begin among the terminals
)

func charType(device uint32) FDType {
	major, minor := device>>minorBits, device&(1<<minorBits-1)
	switch {
	case major == memMajor && minor == nullMinor:
		return FDType(bpf.SensorFdTypeFD_NULL)
	case major == ttyMajor, major == ttyAuxMajor, major >= ptsMajor && major < ptsMajor+ptsMajors:
		return fdTTY
	}
	return FDType(bpf.SensorFdTypeFD_DEVICE)
}

// ttyName names a terminal by its device number as the kernel names it.
func ttyName(device uint32) string {
	major, minor := device>>minorBits, device&(1<<minorBits-1)
	number := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	switch {
	case major >= ptsMajor && major < ptsMajor+ptsMajors:
		return "pts" + number((major-ptsMajor)<<8+minor)
	case major == ttyMajor && minor < serialMinors:
		return "tty" + number(minor)
	case major == ttyMajor:
		return "ttyS" + number(minor-serialMinors)
	}
	return ""
}

// pipe identifies a pipe or fifo.
type pipe struct {
	device uint32
	inode  uint64
}

func (f FD) pipe() (pipe, bool) {
	return pipe{f.Device, f.Inode}, f.Type == fdPipe || f.Type == fdFIFO
}

// connected tells whether the stream is a network socket with a peer.
func (f FD) connected() bool { return f.Type == fdSocket && f.Peer.Port() != 0 }

// Addresses gives both ends of an ABI address; the zero value where it has none.
func Addresses(a *bpf.SensorEventAddress) (local, peer netip.AddrPort) {
	return addrPort(a.Family, a.Local, a.LocalPort), addrPort(a.Family, a.Peer, a.PeerPort)
}

func addrPort(family uint8, ip [16]uint8, port uint16) netip.AddrPort {
	port = port>>8 | port<<8 // network order
	switch family {
	case 2:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[:4])), port)
	case 10:
		return netip.AddrPortFrom(netip.AddrFrom16(ip).Unmap(), port)
	}
	return netip.AddrPort{}
}

// Process is one process. All fields are those of the program it runs now; before its first exec a
// process has its parent's.
type Process struct {
	Key      Key
	EntityID string
	Started  time.Time
	Parent   *Process // nil for the first process, and where the parent was never seen

	Executable string // resolved; memfd:NAME for a program that exists only in memory
	Invoked    string // as handed to execve, absolute
	Args       []string
	// CommandLine is Args joined by spaces.
	CommandLine string
	Directory   string
	TTY         string
	Session     uint32
	Streams     [3]FD

	UID, EUID, GID, EGID uint32

	ContainerID, ContainerRuntime string

	cgroup      uint64
	depth       int
	programs    int // how many it has run: tells whether what was derived from it is still right
	children    []*Process
	connections []connection
	reported    []report // connections its standard streams were reported to lead to
	movedAt     uint64   // when its streams became network sockets, until that is settled; else 0
	lineage     lineage
	exited      bool
}

type lineage struct {
	stamp     int
	ancestors []string
	ids       []string
}

// maxAncestors bounds how many ancestors are reported and maxDepth how long a chain of processes is
// kept: a program that starts itself anew for ever would otherwise be remembered for ever.
const (
	maxAncestors = 32
	maxDepth     = 128
)

// Ancestors gives the parents, nearest first, as executable[pid], and their identities in the same
// order. The slices must not be changed.
func (p *Process) Ancestors() (names, ids []string) {
	stamp := 1
	n := 0
	for a := p.Parent; a != nil && n < maxAncestors; a = a.Parent {
		stamp += a.programs + 1
		n++
	}
	if p.lineage.stamp != stamp {
		l := lineage{stamp: stamp, ancestors: make([]string, 0, n), ids: make([]string, 0, n)}
		for a := p.Parent; a != nil && len(l.ids) < n; a = a.Parent {
			l.ancestors = append(l.ancestors, a.Executable+"["+strconv.Itoa(int(a.Key.PID))+"]")
			l.ids = append(l.ids, a.EntityID)
		}
		p.lineage = l
	}
	return p.lineage.ancestors, p.lineage.ids
}

func (p *Process) setParent(parent *Process) {
	p.Parent = parent
	if parent == nil {
		return
	}
	parent.children = append(parent.children, p)
	p.depth = parent.depth + 1
	if p.depth < maxDepth {
		return
	}
	p.depth = maxDepth / 2
	a := p
	for range maxDepth / 2 {
		a = a.Parent
	}
	a.Parent = nil
}

func (p *Process) dropChild(child *Process) {
	for i, c := range p.children {
		if c == child {
			last := len(p.children) - 1
			p.children[i] = p.children[last]
			p.children[last] = nil
			p.children = p.children[:last]
			return
		}
	}
}

// text makes a string of what the kernel holds as bytes. Attributes are UTF-8; a file's name and an
// argument may be anything, and a cut may be inside a character.
func text(raw string) string { return strings.ToValidUTF8(raw, "\uFFFD") }

func (p *Process) setArgs(raw string) {
	raw = strings.TrimSuffix(text(raw), "\x00")
	p.Args = nil
	if raw != "" {
		p.Args = strings.Split(raw, "\x00")
	}
	p.CommandLine = strings.ReplaceAll(raw, "\x00", " ")
}
