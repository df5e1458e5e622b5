// SPDX-License-Identifier: Apache-2.0

package ring_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

func TestNativeKernelTypes(t *testing.T) {
	ring.Require(t, ring.Native)
	spec, err := btf.LoadKernelSpec()
	require.NoError(t, err)
	var task *btf.Struct
	require.NoError(t, spec.TypeByName("task_struct", &task))
	assert.NotEmpty(t, task.Members)
}

// The tests below prove that a guest gives what the sensor and the enforcement
// are built on. If one of them fails, no other result of the vm ring counts.

func TestGuestRunsTheBPFSecurityModule(t *testing.T) {
	ring.Require(t, ring.VM)
	list, err := os.ReadFile("/sys/kernel/security/lsm")
	require.NoError(t, err)
	assert.Contains(t, strings.Split(string(list), ","), "bpf")
}

func TestGuestMounts(t *testing.T) {
	ring.Require(t, ring.VM)
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for _, want := range []string{
		"/proc proc", "/sys sysfs", "/dev devtmpfs", "/dev/pts devpts", "/dev/shm tmpfs", "/tmp tmpfs",
		"/sys/kernel/tracing tracefs", "/sys/kernel/security securityfs", "/sys/fs/bpf bpf", "/sys/fs/cgroup cgroup2",
	} {
		assert.Contains(t, string(mounts), " "+want+" ")
	}
}

func TestGuestMountsOverlay(t *testing.T) {
	ring.Require(t, ring.VM)
	dir := t.TempDir()
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lower", "file"), []byte("below"), 0o644))
	options := "lowerdir=" + dir + "/lower,upperdir=" + dir + "/upper,workdir=" + dir + "/work"
	merged := filepath.Join(dir, "merged")
	require.NoError(t, syscall.Mount("overlay", merged, "overlay", 0, options))
	defer func() { assert.NoError(t, syscall.Unmount(merged, 0)) }()
	content, err := os.ReadFile(filepath.Join(merged, "file"))
	require.NoError(t, err)
	assert.Equal(t, "below", string(content))
}

func TestGuestKprobe(t *testing.T) {
	ring.Require(t, ring.VM)
	require.NoError(t, rlimit.RemoveMemlock())
	hits := newCounter(t)
	prog := load(t, &ebpf.ProgramSpec{Type: ebpf.Kprobe, Instructions: countOwn(hits)})
	attached, err := link.Kprobe("security_file_open", prog, nil)
	require.NoError(t, err)
	defer attached.Close()
	assertCountsOpens(t, hits)
}

func TestGuestFentry(t *testing.T) {
	ring.Require(t, ring.VM)
	require.NoError(t, rlimit.RemoveMemlock())
	hits := newCounter(t)
	prog := load(t, &ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: "security_file_open",
		Instructions: countOwn(hits),
	})
	attached, err := link.AttachTracing(link.TracingOptions{Program: prog})
	require.NoError(t, err)
	defer attached.Close()
	assertCountsOpens(t, hits)
}

func TestGuestLSMDenies(t *testing.T) {
	ring.Require(t, ring.VM)
	require.NoError(t, rlimit.RemoveMemlock())
	deny := asm.Instructions{asm.Mov.Imm(asm.R0, -int32(syscall.EPERM)), asm.Return()}
	prog := load(t, &ebpf.ProgramSpec{
		Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: "inode_mkdir",
		Instructions: ifOwn(deny),
	})
	dir := t.TempDir()
	attached, err := link.AttachLSM(link.LSMOptions{Program: prog})
	require.NoError(t, err)
	assert.ErrorIs(t, os.Mkdir(filepath.Join(dir, "denied"), 0o755), syscall.EPERM)
	require.NoError(t, attached.Close())
	assert.NoError(t, os.Mkdir(filepath.Join(dir, "allowed"), 0o755))
}

// ifOwn runs then in this test's own process and returns 0 everywhere else.
func ifOwn(then asm.Instructions) asm.Instructions {
	head := asm.Instructions{
		asm.FnGetCurrentPidTgid.Call(),
		asm.RSh.Imm(asm.R0, 32),
		asm.JNE.Imm(asm.R0, int32(os.Getpid()), "other"),
	}
	tail := asm.Instructions{asm.Mov.Imm(asm.R0, 0).WithSymbol("other"), asm.Return()}
	return append(append(head, then...), tail...)
}

// countOwn adds one to hits each time this test's own process comes by.
func countOwn(hits *ebpf.Map) asm.Instructions {
	return ifOwn(asm.Instructions{
		asm.LoadMapValue(asm.R1, hits.FD(), 0),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
	})
}

func newCounter(t *testing.T) *ebpf.Map {
	t.Helper()
	counter, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	require.NoError(t, err)
	t.Cleanup(func() { counter.Close() })
	return counter
}

func load(t *testing.T, spec *ebpf.ProgramSpec) *ebpf.Program {
	t.Helper()
	spec.License = "GPL"
	prog, err := ebpf.NewProgram(spec)
	require.NoError(t, err)
	t.Cleanup(func() { prog.Close() })
	return prog
}

func assertCountsOpens(t *testing.T, hits *ebpf.Map) {
	t.Helper()
	const opens = 10
	for range opens {
		f, err := os.Open("/proc/self/stat")
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	var count uint64
	require.NoError(t, hits.Lookup(uint32(0), &count))
	assert.GreaterOrEqual(t, count, uint64(opens))
}
