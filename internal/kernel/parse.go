// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"slices"
	"strconv"
	"strings"
)

// wantedMounts are the file systems the agent looks for.
var wantedMounts = []string{"proc", "cgroup2", "tracefs", "securityfs", "bpf"}

// capabilityNames is indexed by the capability's number in the kernel's ABI.
var capabilityNames = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// parseCapabilities names the CapEff mask of /proc/self/status.
func parseCapabilities(status string) []string {
	var names []string
	for line := range strings.Lines(status) {
		value, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return nil
		}
		for i, name := range capabilityNames {
			if mask&(1<<i) != 0 {
				names = append(names, name)
			}
		}
	}
	return names
}

// parseMounts finds the wanted file systems in /proc/self/mountinfo. Where a type is mounted
// several times the first, which is the oldest, is taken.
func parseMounts(mountinfo string) []Mount {
	mounts := make([]Mount, 0, len(wantedMounts))
	for _, fsType := range wantedMounts {
		mounts = append(mounts, findMount(mountinfo, fsType))
	}
	return mounts
}

// findMount reads lines such as
// 24 30 0:22 / /proc rw,nosuid - proc proc rw,hidepid=invisible
// where the dash ends a list of optional fields.
func findMount(mountinfo, fsType string) Mount {
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		place, source := strings.Fields(before), strings.Fields(after)
		if !ok || len(place) < 5 || len(source) < 3 || source[0] != fsType || place[3] != "/" {
			continue
		}
		return Mount{Type: fsType, Path: place[4], HidePID: hidePID(source[2])}
	}
	return Mount{Type: fsType}
}

func hidePID(options string) string {
	for option := range strings.SplitSeq(options, ",") {
		value, ok := strings.CutPrefix(option, "hidepid=")
		if ok && value != "0" && value != "off" {
			return value
		}
	}
	return ""
}

// parseLockdown reads "none [integrity] confidentiality".
func parseLockdown(content string) string {
	for word := range strings.FieldsSeq(content) {
		if strings.HasPrefix(word, "[") && strings.HasSuffix(word, "]") {
			return strings.Trim(word, "[]")
		}
	}
	return ""
}

// inUserNamespace holds unless the map is that of the initial namespace, the identity over all ids.
func inUserNamespace(uidMap string) bool {
	return uidMap != "" && !slices.Equal(strings.Fields(uidMap), []string{"0", "0", "4294967295"})
}

func parseList(content string) []string {
	return strings.FieldsFunc(content, func(r rune) bool { return r == ',' || r == '\n' || r == ' ' })
}

func parseInt(content string) *int {
	n, err := strconv.Atoi(strings.TrimSpace(content))
	if err != nil {
		return nil
	}
	return &n
}
