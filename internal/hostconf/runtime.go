// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Socket is a socket that waits for others.
type Socket struct {
	Protocol string // tcp or udp
	Address  netip.AddrPort
}

// listening is the state of a TCP socket that waits for connections, and of a UDP socket that has none.
var listening = map[string]string{"tcp": "0A", "udp": "07"}

// Sockets gives what waits for others on the network.
func (h *Host) Sockets() ([]Socket, error) {
	var all []Socket
	for _, protocol := range []string{"tcp", "udp"} {
		data, err := h.Read("/proc/net/" + protocol)
		if err != nil {
			return nil, fmt.Errorf("reading sockets: %w", err)
		}
		lines := linesOf("/proc/net/"+protocol, data)
		six, err := h.Lines("/proc/net/" + protocol + "6")
		if err != nil {
			return nil, fmt.Errorf("reading sockets: %w", err)
		}
		sockets, err := parseSockets(append(lines, six...), protocol)
		if err != nil {
			return nil, fmt.Errorf("reading sockets: %w", err)
		}
		all = append(all, sockets...)
	}
	return all, nil
}

func parseSockets(lines []Line, protocol string) ([]Socket, error) {
	var all []Socket
	for _, line := range lines {
		f := strings.Fields(line.Text)
		if len(f) < 4 || f[0] == "sl" || f[3] != listening[protocol] {
			continue
		}
		address, err := parseSocketAddress(f[1])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", line.File, line.Line, err)
		}
		all = append(all, Socket{protocol, address})
	}
	return all, nil
}

// parseSocketAddress reads an address whose words are in the order of bytes of this machine, which is little-endian on all that
// the agent runs on.
func parseSocketAddress(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, fmt.Errorf("found the address %q, expected 8 or 32 hexadecimal digits", address)
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("found the port %q, expected hexadecimal digits", port)
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	ip, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
}

// Process is a running program.
type Process struct {
	PID              int
	Name, Executable string
}

// Processes gives what runs but this process: who asks whether an agent runs is not the answer. Executable is "" for threads of the kernel and where it cannot be read.
func (h *Host) Processes() ([]Process, error) {
	h.cannotCompare("processes")
	h = h.unnoticed()
	names, err := h.Names("/proc")
	if err != nil {
		return nil, fmt.Errorf("reading processes: %w", err)
	}
	var all []Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || h.root == "/" && pid == os.Getpid() {
			continue
		}
		comm, err := h.read(path.Join("/proc", name, "comm"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			return nil, fmt.Errorf("reading processes: %w", err)
		}
		executable, err := h.Readlink(path.Join("/proc", name, "exe"))
		if err != nil {
			executable = ""
		}
		all = append(all, Process{pid, strings.TrimSpace(string(comm)), executable})
	}
	if len(all) == 0 {
		return nil, errors.New("reading processes: /proc has none")
	}
	return all, nil
}

// Profile is what AppArmor confines a program by.
type Profile struct{ Name, Mode string }

const apparmorProfiles = "/sys/kernel/security/apparmor/profiles"

// AppArmor gives the profiles that the kernel has, none where it has no AppArmor or nobody has mounted securityfs.
func (h *Host) AppArmor() ([]Profile, error) {
	lines, err := h.Lines(apparmorProfiles)
	if err != nil {
		return nil, fmt.Errorf("reading the profiles of AppArmor: %w", err)
	}
	var all []Profile
	for _, line := range content(lines, "") {
		name, mode, ok := strings.Cut(line.Text, " (")
		if !ok {
			return nil, fmt.Errorf("%s:%d: found %q, expected a name and a mode in brackets", line.File, line.Line, line.Text)
		}
		all = append(all, Profile{name, strings.TrimSuffix(mode, ")")})
	}
	return all, nil
}
