// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const mountinfo = `22 28 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw,hidepid=invisible
23 28 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:2 - sysfs sysfs rw
24 23 0:6 / /sys/kernel/security rw,nosuid shared:3 - securityfs securityfs rw
25 23 0:22 /kubepods /sys/fs/part rw shared:4 - cgroup2 cgroup2 rw
26 23 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate
27 23 0:23 / /sys/fs/bpf rw - bpf bpf rw,mode=700
`

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

func TestGather(t *testing.T) {
	facts := gather(fstest.MapFS{
		"proc/self/mountinfo":                       file(mountinfo),
		"proc/self/status":                          file("Name:\tvedette\nCapEff:\t000000c000080000\nSeccomp:\t0\n"),
		"proc/self/uid_map":                         file("         0          0 4294967295\n"),
		"proc/sys/kernel/unprivileged_bpf_disabled": file("2\n"),
		"proc/sys/kernel/ftrace_enabled":            file("1\n"),
		"proc/sys/debug/kprobes-optimization":       file("1\n"),
		"sys/kernel/btf/vmlinux":                    file("\x9f\xeb"),
		"sys/kernel/security/lsm":                   file("lockdown,capability,yama,apparmor"),
		"sys/kernel/security/lockdown":              file("none [integrity] confidentiality\n"),
	})
	two, one := 2, 1
	assert.Equal(t, Facts{
		BTF:          true,
		LSMs:         []string{"lockdown", "capability", "yama", "apparmor"},
		Lockdown:     "integrity",
		Capabilities: []string{"CAP_SYS_PTRACE", "CAP_PERFMON", "CAP_BPF"},
		Mounts: []Mount{
			{Type: "proc", Path: "/proc", HidePID: "invisible"},
			{Type: "cgroup2", Path: "/sys/fs/cgroup"},
			{Type: "tracefs"},
			{Type: "securityfs", Path: "/sys/kernel/security"},
			{Type: "bpf", Path: "/sys/fs/bpf"},
		},
		UnprivilegedBPFDisabled: &two,
		FtraceEnabled:           &one,
		Kprobes:                 true,
	}, facts)
	assert.True(t, facts.Has("CAP_BPF"))
	assert.False(t, facts.Has("CAP_SYS_ADMIN"))
	assert.True(t, facts.HasLSM("yama"))
	assert.False(t, facts.HasLSM("bpf"))
	_, mounted := facts.Mounted("tracefs")
	assert.False(t, mounted)
}

func TestGatherNothing(t *testing.T) {
	facts := gather(fstest.MapFS{})
	assert.Equal(t, "securityfs is not mounted", facts.LSMReason)
	facts.LSMReason, facts.Mounts = "", nil
	assert.Equal(t, Facts{}, facts)
}

func TestUserNamespace(t *testing.T) {
	for content, want := range map[string]bool{
		"":                                   false,
		"         0          0 4294967295\n": false,
		"         0       1000          1\n": true,
		"0 100000 65536\n":                   true,
	} {
		assert.Equal(t, want, inUserNamespace(content), content)
	}
}

func TestMalformed(t *testing.T) {
	assert.Empty(t, parseCapabilities("CapEff:\tnot hexadecimal\n"))
	assert.Empty(t, parseLockdown("none integrity"))
	assert.Nil(t, parseInt("many"))
	assert.Equal(t, Mount{Type: "proc"}, findMount("22 28 0:20 / - proc\nshort - proc proc rw\n", "proc"))
}

func FuzzParse(f *testing.F) {
	f.Add(mountinfo)
	f.Add("CapEff:\tffffffffffffffff\n")
	f.Add("[none] [integrity]")
	f.Fuzz(func(t *testing.T, content string) {
		require.Len(t, parseMounts(content), len(wantedMounts))
		require.LessOrEqual(t, len(parseCapabilities(content)), 64*(1+len(content)/8))
		require.NotContains(t, parseLockdown(content), " ")
	})
}
