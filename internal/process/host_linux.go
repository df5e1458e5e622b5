// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/container"
)

// ProcFS is a Host that reads a proc file system.
type ProcFS struct {
	Root string // "/proc"
}

// Snapshot is a process as /proc shows it.
type Snapshot struct {
	Process
	ParentPID uint32
}

// Container implements Host.
func (h ProcFS) Container(pid uint32) (id, runtime string, ok bool) {
	content, err := os.ReadFile(h.path(pid, "cgroup"))
	if err != nil {
		return "", "", false
	}
	id, runtime = container.FromProcCgroup(content)
	return id, runtime, true
}

func (h ProcFS) path(pid uint32, name string) string {
	return filepath.Join(h.Root, strconv.FormatUint(uint64(pid), 10), name)
}

// Read implements Host.
func (h ProcFS) Read(pid uint32) *Snapshot {
	stat, err := os.ReadFile(h.path(pid, "stat"))
	if err != nil {
		return nil
	}
	s, err := parseStat(stat)
	if err != nil {
		return nil
	}
	s.Key.PID = pid
	s.Executable = h.executable(pid, s.Executable)
	s.Invoked = s.Executable
	directory, _ := os.Readlink(h.path(pid, "cwd"))
	s.Directory = text(directory)
	if args, err := os.ReadFile(h.path(pid, "cmdline")); err == nil {
		s.setArgs(string(args[:min(len(args), maxArgs)]))
	}
	h.readIDs(s)
	s.ContainerID, s.ContainerRuntime, _ = h.Container(pid)
	for i := range s.Streams {
		s.Streams[i] = h.stream(pid, i)
	}
	return s
}

// maxArgs is how many bytes of the arguments are kept, as in the kernel programs.
const maxArgs = 4095

// executable gives the program of a process. A kernel thread has none: it keeps its name, in brackets
// as ps shows it.
func (h ProcFS) executable(pid uint32, name string) string {
	target, err := os.Readlink(h.path(pid, "exe"))
	if err != nil {
		return "[" + text(name) + "]"
	}
	target = text(strings.TrimSuffix(target, " (deleted)"))
	if memory, ok := strings.CutPrefix(target, "/memfd:"); ok {
		return "memfd:" + memory
	}
	return target
}

// parseStat reads /proc/PID/stat: see proc_pid_stat(5). The name may hold anything, brackets and
// spaces included, so the fields are counted from its last bracket.
func parseStat(stat []byte) (*Snapshot, error) {
	name, fields, err := statFields(stat)
	if err != nil {
		return nil, err
	}
	const ppid, session, ttyNr, start = 1, 3, 4, startField
	number := func(i int) uint64 {
		n, _ := strconv.ParseUint(fields[i], 10, 64) // the session is -1 while a process ends
		return n
	}
	ticks, err := strconv.ParseUint(fields[start], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("start time: %w", err)
	}
	s := &Snapshot{ParentPID: uint32(number(ppid))}
	s.Executable = name
	s.Key.Start = ticks
	s.Session = uint32(number(session))
	s.TTY = ttyName(kernelDevice(number(ttyNr)))
	return s, nil
}

func (h ProcFS) readIDs(s *Snapshot) {
	status, err := os.ReadFile(h.path(s.Key.PID, "status"))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		ids := strings.Fields(rest)
		if len(ids) < 2 {
			continue
		}
		a, _ := strconv.ParseUint(ids[0], 10, 32)
		b, _ := strconv.ParseUint(ids[1], 10, 32)
		switch name {
		case "Uid":
			s.UID, s.EUID = uint32(a), uint32(b)
		case "Gid":
			s.GID, s.EGID = uint32(a), uint32(b)
		}
	}
}

func (h ProcFS) stream(pid uint32, number int) FD {
	name := h.path(pid, "fd/"+strconv.Itoa(number))
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		return FD{}
	}
	f := FD{Inode: st.Ino, Device: kernelDevice(st.Dev)}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		f.Type = FDType(bpf.SensorFdTypeFD_FILE)
	case syscall.S_IFIFO:
		f.Type = fdFIFO
		if target, err := os.Readlink(name); err == nil && strings.HasPrefix(target, "pipe:") {
			f.Type = fdPipe
		}
	case syscall.S_IFCHR:
		f.Device = kernelDevice(st.Rdev)
		f.Type = charType(f.Device)
	case syscall.S_IFSOCK:
		h.socket(pid, name, &f)
	default:
		f.Type = FDType(bpf.SensorFdTypeFD_OTHER)
	}
	return f
}

// kernelDevice turns a device number as system calls give it into the kernel's own form.
func kernelDevice(device uint64) uint32 {
	return unix.Major(device)<<minorBits | unix.Minor(device)
}

// sockets says by the kernel's name of a protocol where its sockets are listed.
var sockets = map[string]struct {
	list     string
	protocol uint8
}{
	"TCP": {"tcp", unix.IPPROTO_TCP}, "TCPv6": {"tcp6", unix.IPPROTO_TCP},
	// Multipath TCP with an ordinary peer is an ordinary connection.
	"MPTCP": {"tcp", unix.IPPROTO_TCP}, "MPTCPv6": {"tcp6", unix.IPPROTO_TCP},
	"UDP": {"udp", unix.IPPROTO_UDP}, "UDPv6": {"udp6", unix.IPPROTO_UDP},
}

// socket tells what kind of socket the file is and, where it is a network socket, its addresses: by
// its inode, in the network namespace of its process.
func (h ProcFS) socket(pid uint32, name string, f *FD) {
	var buffer [64]byte
	n, err := unix.Getxattr(name, "system.sockprotoname", buffer[:])
	protocol := unix.ByteSliceToString(buffer[:max(n, 0)])
	kind, network := sockets[protocol]
	switch {
	case err != nil || !network && !strings.HasPrefix(protocol, "UNIX"):
		f.Type = FDType(bpf.SensorFdTypeFD_OTHER)
		return
	case !network:
		f.Type = fdUnix
		return
	}
	f.Type, f.Protocol = fdSocket, kind.protocol
	_, _ = h.findSocket(pid, kind.list, func(s listedSocket) bool {
		if s.inode == f.Inode {
			f.Local, f.Peer = s.local, s.peer
		}
		return s.inode == f.Inode
	})
}

// Holds implements Host. /proc lists the sockets of a network namespace and not those of a process,
// so that a connection somebody else holds to the same peer counts where the local port is not known.
func (h ProcFS) Holds(pid uint32, protocol uint8, local, peer netip.AddrPort) bool {
	lists := []string{"tcp", "tcp6"}
	if protocol == unix.IPPROTO_UDP {
		lists = []string{"udp", "udp6"}
	}
	for _, list := range lists {
		found, err := h.findSocket(pid, list, func(s listedSocket) bool {
			return s.peer == peer && (local.Port() == 0 || s.local.Port() == local.Port()) && !s.ended()
		})
		if found || err != nil {
			return true
		}
	}
	return false
}

// findSocket looks for a socket in a list of the network namespace of a process. It fails when the
// process is gone.
func (h ProcFS) findSocket(pid uint32, list string, match func(listedSocket) bool) (bool, error) {
	file, err := os.Open(h.path(pid, "net/"+list))
	if err != nil {
		return false, err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if s, ok := parseSocket(scanner.Text()); ok && match(s) {
			return true, nil
		}
	}
	return false, scanner.Err()
}

// listedSocket is a line of /proc/net/tcp and its likes.
type listedSocket struct {
	local, peer netip.AddrPort
	state       uint64 // as in the kernel's tcp_states.h
	inode       uint64
}

// ended tells whether nothing can be sent or received any more.
func (s listedSocket) ended() bool {
	const timeWait, closed = 6, 7
	return s.state == timeWait || s.state == closed
}

func parseSocket(line string) (s listedSocket, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 {
		return s, false
	}
	if s.local, ok = parseEnd(fields[1]); !ok {
		return s, false
	}
	if s.peer, ok = parseEnd(fields[2]); !ok {
		return s, false
	}
	var err, err2 error
	s.state, err = strconv.ParseUint(fields[3], 16, 8)
	s.inode, err2 = strconv.ParseUint(fields[9], 10, 64)
	return s, err == nil && err2 == nil
}

// parseEnd reads ADDRESS:PORT in hexadecimal; an address is 32-bit words in the host's byte order.
func parseEnd(text string) (netip.AddrPort, bool) {
	address, port, found := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if !found || err != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), ok
}

// List gives the ids of all processes, lowest first, so that parents mostly come before children.
func (h ProcFS) List() ([]uint32, error) {
	entries, err := os.ReadDir(h.Root)
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	var pids []uint32
	for _, entry := range entries {
		if pid, err := strconv.ParseUint(entry.Name(), 10, 32); err == nil {
			pids = append(pids, uint32(pid))
		}
	}
	slices.Sort(pids)
	return pids, nil
}
