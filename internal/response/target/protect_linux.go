// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package target

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/container"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/users"
)

// Protection is what the operator protects besides what is always protected.
type Protection struct {
	Users       []string // names or ids
	Executables []string // absolute paths
	PIDs        []uint32
	Addresses   []netip.Prefix
	Directories []string // of the agent's own; nothing in them is moved
	Names       *users.Table
}

// sshd and the daemons without which a host cannot be administered.
var (
	sshPaths = []string{
		"/usr/sbin/sshd", "/usr/lib/openssh/sshd-session", "/usr/lib/openssh/sshd-auth",
		"/usr/libexec/openssh/sshd-session", "/usr/libexec/openssh/sshd-auth",
		"/usr/lib/ssh/sshd-session", "/usr/lib/ssh/sshd-auth",
	}
	daemonNames = []string{"systemd", "systemd-executor", "systemd-journald", "systemd-logind", "systemd-udevd"}
	daemonPaths = []string{"/usr/bin/udevadm", "/usr/bin/dbus-daemon", "/usr/bin/dbus-broker", "/usr/bin/dbus-broker-launch"}
)

// firstPerson is the first id of users that are persons.
const firstPerson = 1000

// protectedNow is what is protected at one moment.
type protectedNow struct {
	Protection
	processes Processes
	own       map[uint32]bool // the agent and its ancestors
	admins    map[uint32]bool // each sshd above an interactive session of root
}

func (p Protection) snapshot(processes Processes) protectedNow {
	now := protectedNow{Protection: p, processes: processes, own: map[uint32]bool{}, admins: map[uint32]bool{}}
	now.climb(uint32(os.Getpid()), func(pid uint32) { now.own[pid] = true })
	pids, _ := processes.Proc.List()
	for _, pid := range pids {
		stat, err := processes.Proc.ReadStat(pid)
		if err != nil || !stat.TTY || !processes.isRoot(pid) {
			continue
		}
		now.climb(pid, func(above uint32) {
			if processes.isSSH(above) {
				now.admins[above] = true
			}
		})
	}
	return now
}

// maxClimb bounds the way up: a chain that changes meanwhile could lead in a circle.
const maxClimb = 256

func (n protectedNow) climb(pid uint32, visit func(uint32)) {
	for range maxClimb {
		visit(pid)
		stat, err := n.processes.Proc.ReadStat(pid)
		if err != nil || stat.ParentPID == 0 {
			return
		}
		pid = stat.ParentPID
	}
}

// refuse tells why a process must not be touched, or nil.
func (n protectedNow) refuse(stat process.Stat) error {
	pid := stat.Key.PID
	switch {
	case pid == 1:
		return refused("process 1 is protected")
	case stat.KernelThread:
		return refused("process %d is a kernel thread", pid)
	case pid == uint32(os.Getpid()):
		return refused("process %d is the agent", pid)
	case n.own[pid]:
		return refused("the agent descends from process %d", pid)
	case slices.Contains(n.PIDs, pid):
		return refused("process %d is protected by the configuration", pid)
	case n.admins[pid]:
		return refused("an administrator is logged in through process %d", pid)
	case n.isListener(stat):
		return refused("process %d is the ssh daemon", pid)
	}
	if exe, err := n.processes.executable(pid); err == nil {
		if n.processes.isDaemon(pid, exe) {
			return refused("process %d is %s, which the host needs", pid, exe.path)
		}
		if slices.Contains(n.Executables, exe.path) && n.processes.onHost(pid) {
			return refused("%s is protected by the configuration", exe.path)
		}
	}
	return n.refuseUser(pid)
}

func (n protectedNow) refuseUser(pid uint32) error {
	if len(n.Users) == 0 {
		return nil
	}
	real, effective, err := n.processes.userIDs(pid)
	if err != nil {
		return err
	}
	for _, id := range []uint32{real, effective} {
		for _, name := range []string{strconv.FormatUint(uint64(id), 10), n.Names.Name(id)} {
			if slices.Contains(n.Users, name) {
				return refused("the user %s is protected by the configuration", name)
			}
		}
	}
	return nil
}

// isListener tells whether the process is an sshd that no other one started.
func (n protectedNow) isListener(stat process.Stat) bool {
	return n.processes.isSSH(stat.Key.PID) && !n.processes.isSSH(stat.ParentPID)
}

func (p Processes) isSSH(pid uint32) bool {
	exe, err := p.executable(pid)
	return err == nil && slices.Contains(sshPaths, exe.path) && exe.trusted() && p.onHost(pid)
}

func (p Processes) isDaemon(pid uint32, exe executable) bool {
	name, systemd := strings.CutPrefix(strings.TrimPrefix(exe.path, "/usr"), "/lib/systemd/")
	if !(systemd && slices.Contains(daemonNames, name)) && !slices.Contains(daemonPaths, exe.path) {
		return false
	}
	_, uid, err := p.userIDs(pid)
	return err == nil && uid < firstPerson && exe.trusted() && p.onHost(pid)
}

func (p Processes) isRoot(pid uint32) bool {
	_, effective, err := p.userIDs(pid)
	return err == nil && effective == 0
}

func (p Processes) userIDs(pid uint32) (real, effective uint32, err error) {
	content, err := os.ReadFile(p.path(pid, "status"))
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := strings.Cut(string(content), "\nUid:")
	if _, err := fmt.Sscan(rest, &real, &effective); err != nil {
		return 0, 0, fmt.Errorf("the users of process %d: %w", pid, err)
	}
	return real, effective, nil
}

func (p Processes) path(pid uint32, name string) string {
	return filepath.Join(p.Proc.Root, strconv.FormatUint(uint64(pid), 10), name)
}

// executable is the file that a process runs.
type executable struct {
	path string
	stat unix.Stat_t
}

// executable reads it from /proc. A program that an upgrade replaced keeps the path it had.
func (p Processes) executable(pid uint32) (e executable, err error) {
	if e.path, err = os.Readlink(p.path(pid, "exe")); err != nil {
		return e, err
	}
	e.path = strings.TrimSuffix(e.path, " (deleted)")
	return e, unix.Stat(p.path(pid, "exe"), &e.stat)
}

// trusted tells whether nobody but root can have written the program.
func (e executable) trusted() bool { return e.stat.Uid == 0 && e.stat.Mode&0o022 == 0 }

// onHost tells whether paths of the process are the host's. In a container or a user namespace
// anybody may call a program sshd.
func (p Processes) onHost(pid uint32) bool {
	theirs, err := os.Readlink(p.path(pid, "ns/user"))
	if err != nil {
		return false
	}
	ours, err := os.Readlink("/proc/self/ns/user")
	if err != nil || ours != theirs {
		return false
	}
	content, err := os.ReadFile(p.path(pid, "cgroup"))
	if err != nil {
		return false
	}
	id, _ := container.FromProcCgroup(content)
	return id == ""
}

// CheckAddress refuses addresses that must not be blocked.
func (p Protection) CheckAddress(address netip.Addr) error {
	address = address.Unmap()
	switch {
	case !address.IsValid():
		return refused("no address is given")
	case address.IsLoopback(), address.IsUnspecified(), address.IsMulticast(), address == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return refused("%s is not the address of another host", address)
	}
	own, err := OwnAddresses()
	if err != nil {
		return err
	}
	for _, prefix := range own {
		if prefix.Addr() == address {
			return refused("%s is an address of this host", address)
		}
	}
	for _, prefix := range p.Addresses {
		if prefix.Contains(address) {
			return refused("%s is protected by the configuration", address)
		}
	}
	return nil
}

// OwnAddresses returns the host's addresses, the loopback networks among them.
func OwnAddresses() ([]netip.Prefix, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the host's addresses: %w", err)
	}
	all := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, one := range list {
		prefix, err := netip.ParsePrefix(one.String())
		if err != nil {
			continue
		}
		address := prefix.Addr().Unmap().WithZone("")
		all = append(all, netip.PrefixFrom(address, address.BitLen()))
	}
	return all, nil
}

// accounts are the files without which nobody can log in.
var accounts = []string{"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/shells", "/etc/nsswitch.conf"}

// CheckFile refuses files that the host or the agent needs: what protected processes have mapped, login
// shells, the files of accounts and the agent's own.
func (p Protection) CheckFile(processes Processes, path string, inode uint64) error {
	for _, directory := range p.Directories {
		if inside, err := filepath.Rel(directory, path); err == nil && !strings.HasPrefix(inside, "..") {
			return refused("%s is the agent's", path)
		}
	}
	needed := append(append(slices.Clone(accounts), p.Executables...), loginShells()...)
	for _, one := range needed {
		var stat unix.Stat_t
		if one == path || unix.Stat(one, &stat) == nil && stat.Ino == inode && sameFile(path, stat) {
			return refused("%s is needed to administer the host, or protected by the configuration", path)
		}
	}
	now := p.snapshot(processes)
	pids, err := processes.Proc.List()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		stat, err := processes.Proc.ReadStat(pid)
		if err == nil && processes.maps(pid, path, inode) && now.refuse(stat) != nil {
			return refused("%s is used by process %d, which is protected", path, pid)
		}
	}
	return nil
}

// sameFile tells whether the path leads to the file.
func sameFile(path string, stat unix.Stat_t) bool {
	var there unix.Stat_t
	return unix.Stat(path, &there) == nil && there.Ino == stat.Ino && there.Dev == stat.Dev
}

// maps tells whether the process has the file in its memory: its program and libraries.
func (p Processes) maps(pid uint32, path string, inode uint64) bool {
	content, err := os.ReadFile(p.path(pid, "maps"))
	if err != nil {
		return false
	}
	number := strconv.FormatUint(inode, 10)
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) >= 6 && fields[4] == number && sameName(fields[5:], path) {
			return true
		}
	}
	return false
}

func sameName(fields []string, path string) bool {
	return filepath.Base(strings.TrimSuffix(strings.Join(fields, " "), " (deleted)")) == filepath.Base(path)
}

func loginShells() []string {
	content, err := os.ReadFile("/etc/shells")
	if err != nil {
		return nil
	}
	var shells []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			shells = append(shells, line)
		}
	}
	return shells
}
