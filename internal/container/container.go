// SPDX-License-Identifier: Apache-2.0

// Package container tells which container a process runs in from the path of its cgroup.
package container

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Runtime names, as the attribute container.runtime.name carries them.
const (
	Docker     = "docker"
	Containerd = "containerd"
	CRIO       = "cri-o"
	Podman     = "podman"
	Nspawn     = "systemd-nspawn"
	LXC        = "lxc"
	Kubernetes = "kubernetes"
)

// idLength is the length of the ids that OCI engines give: 256 bits in lower-case hexadecimal.
const idLength = 64

// prefixes maps what engines put before the id in the name of a scope or cgroup. The monitors'
// scopes (crio-conmon-, libpod-conmon-) are left out on purpose: conmon runs on the host.
var prefixes = map[string]string{
	"docker":         Docker,
	"cri-containerd": Containerd,
	"nerdctl":        Containerd,
	"crio":           CRIO,
	"libpod":         Podman,
	"libpod-payload": Podman,
}

// parents maps a cgroup below which an engine puts containers by their bare id.
var parents = map[string]string{
	"docker":  Docker,
	"k8s.io":  Containerd,
	"default": Containerd,
}

// pod matches the cgroup of a Kubernetes pod in both spellings, pod<uid> and
// kubepods-burstable-pod<uid>.slice. The uid is 32 hexadecimal digits, with dashes or
// underscores or, for static pods, none.
var pod = regexp.MustCompile(`^(?:(?:[a-z]+-)*kubepods(?:-burstable|-besteffort)?-)?pod[0-9a-f]{8}[-_0-9a-f]{24,28}(?:\.slice)?$`)

// MachineSlice is the cgroup that systemd-machined puts machines into.
const MachineSlice = "machine.slice"

// libvirt matches the machine names libvirt registers: driver, number, name.
var libvirt = regexp.MustCompile(`^(qemu|xen|lxc)-[0-9]+-(.+)$`)

// FromCgroup returns the id and the runtime of the innermost container in a cgroup path such as
// /system.slice/docker-<id>.scope. Both are empty for a process of the host, the engines' own
// monitors (conmon, the nspawn supervisor) included. The id of OCI containers has 64 hexadecimal
// digits; that of systemd-nspawn and LXC is the machine's name. A path below a Kubernetes pod
// that does not tell its engine has the runtime kubernetes.
func FromCgroup(path string) (id, runtime string) {
	parts := strings.Split(strings.TrimSuffix(path, " (deleted)"), "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if id, runtime = fromPart(parts, i); id != "" {
			return id, runtime
		}
	}
	return "", ""
}

// FromProcCgroup is FromCgroup for the content of /proc/PID/cgroup, of cgroup v1, v2 or both.
// The v2 line is asked first, then systemd's, then the others in their order.
func FromProcCgroup(content []byte) (id, runtime string) {
	for _, wanted := range []func(controllers string) bool{isUnified, isSystemd, isOther} {
		for line := range bytes.Lines(content) {
			controllers, path, ok := parseLine(line)
			if !ok || !wanted(controllers) {
				continue
			}
			if id, runtime = FromCgroup(path); id != "" {
				return id, runtime
			}
		}
	}
	return "", ""
}

// SystemdCgroup gives the cgroup that systemd put a process into, from the content of /proc/PID/cgroup; "" for the root and where
// systemd keeps none.
func SystemdCgroup(content []byte) string {
	for _, wanted := range []func(controllers string) bool{isUnified, isSystemd} {
		for line := range bytes.Lines(content) {
			if controllers, path, ok := parseLine(line); ok && wanted(controllers) && path != "/" {
				return path
			}
		}
	}
	return ""
}

func isUnified(controllers string) bool { return controllers == "" }
func isSystemd(controllers string) bool { return controllers == "name=systemd" }
func isOther(controllers string) bool   { return !isUnified(controllers) && !isSystemd(controllers) }

// parseLine splits "hierarchy:controllers:path". The path may hold colons itself.
func parseLine(line []byte) (controllers, path string, ok bool) {
	fields := strings.SplitN(strings.TrimSuffix(string(line), "\n"), ":", 3)
	if len(fields) != 3 {
		return "", "", false
	}
	return fields[1], fields[2], true
}

// fromPart judges the i-th component of a path by its own name and its parent's.
func fromPart(parts []string, i int) (id, runtime string) {
	name, parent := parts[i], ""
	if i > 0 {
		parent = parts[i-1]
	}
	if isID(name) {
		return fromBareID(name, parent)
	}
	if id, runtime = fromPrefixed(name); id != "" {
		return id, runtime
	}
	if after, ok := strings.CutPrefix(name, "lxc.payload."); ok {
		return nonEmpty(after, LXC)
	}
	if parent == "lxc" && i <= 2 { // The v1 form: /lxc/NAME, at the root only.
		return nonEmpty(name, LXC)
	}
	if i+1 < len(parts) && parts[i+1] == "supervisor" { // nspawn's own process, outside the machine.
		return "", ""
	}
	return fromMachine(name, parent)
}

func fromBareID(name, parent string) (id, runtime string) {
	if runtime, ok := parents[parent]; ok {
		return name, runtime
	}
	if pod.MatchString(parent) {
		return name, Kubernetes
	}
	return "", ""
}

// fromPrefixed reads docker-<id>.scope, crio-<id> and, where an engine set up for systemd runs
// with plain cgroups, slice:cri-containerd:<id>.
func fromPrefixed(name string) (id, runtime string) {
	if fields := strings.Split(name, ":"); len(fields) == 3 {
		name = fields[1] + "-" + fields[2]
	}
	name = strings.TrimSuffix(name, ".scope")
	cut := len(name) - idLength
	if cut < 1 || name[cut-1] != '-' || !isID(name[cut:]) {
		return "", ""
	}
	if runtime, ok := prefixes[name[:cut-1]]; ok {
		return name[cut:], runtime
	}
	return "", ""
}

// fromMachine reads the units of systemd-machined and systemd-nspawn. Virtual machines that
// libvirt registers there are not containers.
func fromMachine(name, parent string) (id, runtime string) {
	if machine, ok := between(name, "systemd-nspawn@", ".service"); ok {
		return nonEmpty(unescape(machine), Nspawn)
	}
	machine, ok := between(name, "machine-", ".scope")
	if !ok || parent != MachineSlice {
		return "", ""
	}
	machine = unescape(machine)
	if m := libvirt.FindStringSubmatch(machine); m != nil {
		if m[1] == "lxc" {
			return m[2], LXC
		}
		return "", ""
	}
	return nonEmpty(machine, Nspawn)
}

// CgroupsOfMachine gives the names that the cgroup of a container with a machine's name has: some
// of them wherever it is, the others in MachineSlice only. Those of LXC that libvirt makes hold a
// number that nobody knows before.
func CgroupsOfMachine(machine string) (anywhere, inSlice []string) {
	escaped := escape(machine)
	anywhere = []string{"lxc.payload." + machine, "systemd-nspawn@" + machine + ".service"}
	if escaped != machine {
		anywhere = append(anywhere, "systemd-nspawn@"+escaped+".service")
	}
	if !libvirt.MatchString(machine) {
		inSlice = []string{"machine-" + escaped + ".scope"}
	}
	return anywhere, inSlice
}

func between(s, prefix, suffix string) (string, bool) {
	s, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, suffix)
}

func nonEmpty(id, runtime string) (string, string) {
	if id == "" {
		return "", ""
	}
	return id, runtime
}

func isID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// escape writes what the names of units may not hold, and dashes, as systemd does.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == ':' || c == '.' && i > 0
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// unescape undoes systemd's \xNN escapes. What is not such an escape stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if len(s) >= 4 && s[0] == '\\' && s[1] == 'x' {
			if n, err := strconv.ParseUint(s[2:4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				s = s[4:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}
