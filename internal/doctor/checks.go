// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/kernel"
)

const runAsRoot = "run as root, or give the binary CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"

// MayLoad reports whether the process has the rights to load programs into the kernel.
func MayLoad(facts kernel.Facts) bool {
	if facts.UserNamespace {
		return false
	}
	return facts.Has("CAP_SYS_ADMIN") || facts.Has("CAP_BPF") && facts.Has("CAP_PERFMON")
}

// rightsRemedy is the remedy of failures that missing rights explain.
func rightsRemedy(facts kernel.Facts) string {
	if MayLoad(facts) {
		return ""
	}
	return runAsRoot
}

func kernelChecks(facts kernel.Facts) []Check {
	const section = "Kernel"
	return []Check{
		{Section: section, Name: "release", Status: Info, Found: join(facts.Release, facts.Machine)},
		btfCheck(section, facts),
		lsmCheck(section, facts),
		lockdownCheck(section, facts),
		ftraceCheck(section, facts),
		unprivilegedCheck(section, facts),
	}
}

func btfCheck(section string, facts kernel.Facts) Check {
	if facts.BTF {
		return Check{Section: section, Name: "BTF", Status: OK, Found: "/sys/kernel/btf/vmlinux"}
	}
	return Check{
		Section: section, Name: "BTF", Status: Failed, Found: "missing",
		Reason: "programs cannot be fitted to this kernel's types",
		Remedy: "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y and see that /sys is mounted",
	}
}

func lsmCheck(section string, facts kernel.Facts) Check {
	check := Check{Section: section, Name: "security modules", Status: OK, Found: strings.Join(facts.LSMs, ", ")}
	switch {
	case facts.LSMReason != "":
		check.Status, check.Found, check.Reason = Limited, "unknown", facts.LSMReason
		check.Remedy = "mount -t securityfs securityfs /sys/kernel/security"
	case !facts.HasLSM("bpf"):
		check.Status, check.Reason = Limited, "bpf is not active: the lsm tier cannot serve, and policies hold less"
		check.Remedy = fmt.Sprintf("add bpf to the lsm= kernel parameter and reboot: lsm=%s,bpf", strings.Join(facts.LSMs, ","))
	}
	return check
}

func lockdownCheck(section string, facts kernel.Facts) Check {
	switch facts.Lockdown {
	case "":
		return Check{Section: section, Name: "lockdown", Status: Info, Found: "not told by this kernel"}
	case "confidentiality":
		return Check{
			Section: section, Name: "lockdown", Status: Limited, Found: facts.Lockdown,
			Reason: "programs may not read kernel memory, so that most events are not seen",
			Remedy: "boot with lockdown=integrity",
		}
	}
	return Check{Section: section, Name: "lockdown", Status: OK, Found: facts.Lockdown}
}

func ftraceCheck(section string, facts kernel.Facts) Check {
	check := Check{Section: section, Name: "ftrace", Status: OK, Found: "enabled"}
	switch {
	case facts.FtraceEnabled == nil:
		check.Status, check.Found = Info, "not in this kernel"
	case *facts.FtraceEnabled == 0:
		check.Status, check.Found = Limited, "disabled"
		check.Reason = "the fentry and kprobe tiers cannot serve"
		check.Remedy = "sysctl -w kernel.ftrace_enabled=1"
	}
	return check
}

func unprivilegedCheck(section string, facts kernel.Facts) Check {
	check := Check{Section: section, Name: "unprivileged BPF", Status: OK, Found: "disabled"}
	switch {
	case facts.UnprivilegedBPFDisabled == nil:
		check.Status, check.Found = Info, "not told by this kernel"
	case *facts.UnprivilegedBPFDisabled == 0:
		check.Status, check.Found = Info, "enabled"
		check.Reason = "every user of this host may load simple BPF programs"
		check.Remedy = "sysctl -w kernel.unprivileged_bpf_disabled=2"
	}
	return check
}

func rightsChecks(facts kernel.Facts) []Check {
	const section = "Rights"
	user := Check{Section: section, Name: "user", Status: Info, Found: fmt.Sprintf("uid %d", facts.UID)}
	if facts.UserNamespace {
		user.Status = Failed
		user.Reason = "this is a user namespace: its capabilities do not reach the kernel"
		user.Remedy = "run in the host's own user namespace (for a container: privileged, without user remapping)"
	}
	return []Check{user, loadCheck(section, facts),
		rightCheck(section, facts, "CAP_SYS_PTRACE", "the standard streams and environment of other users' processes are not seen at start"),
		rightCheck(section, facts, "CAP_DAC_READ_SEARCH", "tracefs and other users' files cannot be read"),
	}
}

func loadCheck(section string, facts kernel.Facts) Check {
	check := Check{Section: section, Name: "load programs", Status: OK}
	switch {
	case facts.Has("CAP_BPF") && facts.Has("CAP_PERFMON"):
		check.Found = "CAP_BPF, CAP_PERFMON"
	case facts.Has("CAP_SYS_ADMIN"):
		check.Found = "CAP_SYS_ADMIN"
	default:
		check.Status, check.Found = Failed, "not permitted"
		check.Reason, check.Remedy = "CAP_BPF or CAP_PERFMON is missing", runAsRoot
	}
	return check
}

func rightCheck(section string, facts kernel.Facts, capability, lost string) Check {
	check := Check{Section: section, Name: capability, Status: OK, Found: "held"}
	if !facts.Has(capability) {
		check.Status, check.Found = Limited, "missing"
		check.Reason, check.Remedy = lost, "run as root, or give the binary "+capability
	}
	return check
}

// mountPoints are the places where distributions mount what Vedette reads.
var mountPoints = map[string]string{
	"proc": "/proc", "tracefs": "/sys/kernel/tracing", "securityfs": "/sys/kernel/security",
	"cgroup2": "/sys/fs/cgroup", "bpf": "/sys/fs/bpf",
}

func mountChecks(facts kernel.Facts) []Check {
	var checks []Check
	for _, mount := range facts.Mounts {
		checks = append(checks, mountCheck(facts, mount))
	}
	return checks
}

func mountCheck(facts kernel.Facts, mount kernel.Mount) Check {
	check := Check{Section: "Mounts", Name: mount.Type, Status: OK, Found: mount.Path}
	if mount.Path == "" {
		check.Found = "not mounted"
		check.Remedy = fmt.Sprintf("mount -t %s %s %s", mount.Type, mount.Type, mountPoints[mount.Type])
		switch mount.Type {
		case "proc":
			check.Status, check.Reason = Failed, "running processes cannot be listed"
		case "tracefs":
			check.Status, check.Reason = Limited, "the tracepoint tier needs it; as root Vedette mounts it at start"
		default:
			check.Status, check.Remedy = Info, ""
		}
		return check
	}
	if mount.HidePID != "" {
		check.Found = join(mount.Path, "hidepid="+mount.HidePID)
		if !facts.Has("CAP_SYS_PTRACE") {
			check.Status, check.Reason = Limited, "processes of other users are hidden from this one"
			check.Remedy = "run as root, or give the binary CAP_SYS_PTRACE"
		}
	}
	return check
}

// heldChecks tell of policies that are in force though no agent runs.
func heldChecks(held *enforce.Held, err error) []Check {
	check := Check{Section: "Policies", Name: "in force", Status: OK, Found: "kept by an agent"}
	switch {
	case err != nil && !errors.Is(err, fs.ErrPermission):
		check.Status, check.Found, check.Reason = Limited, "unknown", err.Error()
	case held == nil || len(held.Policies) == 0:
		return nil
	case !held.Running:
		var names []string
		for _, p := range held.Policies {
			names = append(names, p.Name)
		}
		check.Status, check.Found = Limited, "without an agent for "+held.Silent.Round(time.Second).String()
		check.Reason = "nobody is told what these refuse: " + strings.Join(names, ", ")
		check.Remedy = "start the agent, or take them down by vedette policy release"
	}
	return []Check{check}
}

// abilityNames say what each ability is for people.
var abilityNames = map[kernel.Ability]string{
	kernel.RingBuffer:        "ring buffer",
	kernel.BTFTracepoint:     "raw tracepoints",
	kernel.SyscallTracepoint: "syscall tracepoints",
	kernel.Kprobe:            "kprobes",
	kernel.Fentry:            "fentry",
	kernel.LSM:               "LSM programs",
	kernel.TaskStorage:       "task storage",
}

// notPermitted is the reason of a probe that failed with EPERM.
const notPermitted = "operation not permitted"

func abilityChecks(facts kernel.Facts, probes []kernel.Probe) []Check {
	var checks []Check
	for _, probe := range probes {
		checks = append(checks, abilityCheck(facts, probe))
	}
	return checks
}

func abilityCheck(facts kernel.Facts, probe kernel.Probe) Check {
	check := Check{Section: "BPF abilities", Name: abilityNames[probe.Ability], Status: OK, Found: "works"}
	if probe.OK {
		return check
	}
	check.Status, check.Found = abilityStatus(probe.Ability), join(probe.Step, "fails")
	check.Reason = probe.Reason
	if !MayLoad(facts) {
		check.Found, check.Reason, check.Remedy = "not permitted", "", rightsRemedy(facts)
		return check
	}
	switch _, tracefs := facts.Mounted("tracefs"); {
	case probe.Ability == kernel.Kprobe && !facts.Kprobes:
		check.Found, check.Reason = "missing", "this kernel was built without kprobes (CONFIG_KPROBES)"
	case probe.Reason == notPermitted:
		check.Found, check.Reason = "not permitted", "this kernel refuses it although the rights are there"
	case probe.Ability == kernel.SyscallTracepoint && !tracefs:
		check.Remedy = "mount -t tracefs tracefs /sys/kernel/tracing"
	case probe.Ability == kernel.LSM && facts.LSMReason == "" && !facts.HasLSM("bpf"):
		check.Remedy = "add bpf to the lsm= kernel parameter and reboot"
	}
	return check
}

// abilityStatus is the judgement on a missing ability. Every event kind needs the ring buffer
// and raw tracepoints; which kinds a missing tier costs is told by the events themselves.
func abilityStatus(ability kernel.Ability) Status {
	switch ability {
	case kernel.RingBuffer, kernel.BTFTracepoint:
		return Failed
	case kernel.TaskStorage:
		return Info
	}
	return Limited
}

func join(words ...string) string { return strings.TrimSpace(strings.Join(words, " ")) }
