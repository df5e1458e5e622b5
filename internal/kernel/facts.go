// SPDX-License-Identifier: Apache-2.0

// Package kernel tells what the running kernel offers and permits: its facts are read from /proc
// and /sys, its abilities are found by loading and attaching small programs, never by comparing
// version numbers.
package kernel

import (
	"io/fs"
	"os"
	"slices"
)

// Facts is what can be read about the kernel and this process's rights. The JSON shape is part
// of `vedette doctor --json`.
type Facts struct {
	Release string `json:"release"` // uname -r
	Version string `json:"version"` // uname -v
	Machine string `json:"machine"` // uname -m

	// BTF is whether /sys/kernel/btf/vmlinux is there, which CO-RE programs need.
	BTF bool `json:"btf"`
	// LSMs lists the active security modules in their order. LSMReason says why it is empty.
	LSMs      []string `json:"lsms"`
	LSMReason string   `json:"lsms_unknown,omitempty"`
	// Lockdown is none, integrity or confidentiality, and empty where the kernel does not tell.
	Lockdown string `json:"lockdown,omitempty"`

	// UID is the effective user id.
	UID int `json:"uid"`
	// UserNamespace is whether the process runs in a user namespace below the initial one, where
	// capabilities do not reach the kernel's own objects.
	UserNamespace bool `json:"user_namespace"`
	// Capabilities names the effective capabilities, such as CAP_BPF.
	Capabilities []string `json:"capabilities"`

	Mounts []Mount `json:"mounts"`

	// The next three are sysctls; nil where the kernel does not have them.
	UnprivilegedBPFDisabled *int `json:"unprivileged_bpf_disabled,omitempty"`
	FtraceEnabled           *int `json:"ftrace_enabled,omitempty"`
	KptrRestrict            *int `json:"kptr_restrict,omitempty"`

	// Kprobes is whether the kernel was built with kprobes.
	Kprobes bool `json:"kprobes"`
}

// Mount is a file system the agent uses.
type Mount struct {
	// Type is the file system's type, such as tracefs.
	Type string `json:"type"`
	// Path is where it is mounted, and empty where it is not.
	Path string `json:"path,omitempty"`
	// HidePID is the hidepid option of proc where it is on, such as 2 or invisible.
	HidePID string `json:"hidepid,omitempty"`
}

// Has reports whether the process has the capability, named as in CAP_BPF.
func (f *Facts) Has(capability string) bool {
	return slices.Contains(f.Capabilities, capability)
}

// HasLSM reports whether the security module is active.
func (f *Facts) HasLSM(name string) bool {
	return slices.Contains(f.LSMs, name)
}

// Mounted returns the mount of a type of file system, and false where it is not mounted.
func (f *Facts) Mounted(fsType string) (Mount, bool) {
	for _, m := range f.Mounts {
		if m.Type == fsType {
			return m, m.Path != ""
		}
	}
	return Mount{Type: fsType}, false
}

// Gather reads the facts of the running kernel. What cannot be read is left empty: the facts
// serve a diagnosis, which has to work on the hosts where things are missing.
func Gather() Facts {
	facts := gather(os.DirFS("/"))
	facts.UID = os.Geteuid()
	facts.Release, facts.Version, facts.Machine = uname()
	return facts
}

// gather reads the facts that are files, from the root directory it is given.
func gather(root fs.FS) Facts {
	var facts Facts
	facts.BTF = exists(root, "sys/kernel/btf/vmlinux")
	facts.Mounts = parseMounts(read(root, "proc/self/mountinfo"))
	facts.LSMs, facts.LSMReason = lsms(root, &facts)
	facts.Lockdown = parseLockdown(read(root, "sys/kernel/security/lockdown"))
	facts.UserNamespace = inUserNamespace(read(root, "proc/self/uid_map"))
	facts.Capabilities = parseCapabilities(read(root, "proc/self/status"))
	facts.UnprivilegedBPFDisabled = parseInt(read(root, "proc/sys/kernel/unprivileged_bpf_disabled"))
	facts.FtraceEnabled = parseInt(read(root, "proc/sys/kernel/ftrace_enabled"))
	facts.KptrRestrict = parseInt(read(root, "proc/sys/kernel/kptr_restrict"))
	facts.Kprobes = exists(root, "sys/bus/event_source/devices/kprobe") ||
		exists(root, "proc/sys/debug/kprobes-optimization")
	return facts
}

func lsms(root fs.FS, facts *Facts) (names []string, reason string) {
	if _, ok := facts.Mounted("securityfs"); !ok {
		return nil, "securityfs is not mounted"
	}
	if names = parseList(read(root, "sys/kernel/security/lsm")); len(names) == 0 {
		return nil, "/sys/kernel/security/lsm cannot be read"
	}
	return names, ""
}

func exists(root fs.FS, path string) bool {
	_, err := fs.Stat(root, path)
	return err == nil
}

// read returns the file's content, or nothing where it cannot be read.
func read(root fs.FS, path string) string {
	content, err := fs.ReadFile(root, path)
	if err != nil {
		return ""
	}
	return string(content)
}
