// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
)

// victim is another process and an address in it that can be read and written.
func victim(t *testing.T) (pid int, address uintptr) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), waits+"=1")
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait()
	})
	_, err = fmt.Fscanln(output, &address)
	require.NoError(t, err)
	return cmd.Process.Pid, address
}

// wait is what the victim does: it says where it can be written and waits for the end of its input.
func wait() {
	place := new([64]byte)
	fmt.Println(uintptr(unsafe.Pointer(place)))
	_, _ = os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(place)
}

func memory(t *testing.T, pid int, flags int) {
	t.Helper()
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/mem", pid), flags|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
}

func attacked(t *testing.T, pid int, address uintptr) {
	t.Helper()
	remote := []unix.RemoteIovec{{Base: address, Len: 8}}
	bytes := make([]byte, 8)
	local := []unix.Iovec{{Base: &bytes[0], Len: 8}}
	for range 2 {
		_, err := unix.ProcessVMReadv(pid, local, remote, 0)
		require.NoError(t, err)
	}
	_, err := unix.ProcessVMWritev(pid, local, remote, 0)
	require.NoError(t, err)
	pidfd, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err)
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, 0, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
	memory(t, pid, unix.O_RDONLY)
	memory(t, pid, unix.O_RDWR)

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.NoError(t, unix.PtraceSeize(pid))
	require.NoError(t, unix.PtraceInterrupt(pid))
	stopped(t, pid)
	require.NoError(t, unix.PtraceDetach(pid))
	require.NoError(t, unix.PtraceAttach(pid))
	stopped(t, pid)
	for range 3 {
		_, err = unix.PtracePokeData(pid, address, bytes)
		require.NoError(t, err)
	}
	var regs unix.PtraceRegs
	require.NoError(t, unix.PtraceGetRegs(pid, &regs))
	require.NoError(t, unix.PtraceSetRegs(pid, &regs))
	require.NoError(t, unix.PtraceDetach(pid))
}

func stopped(t *testing.T, pid int) {
	t.Helper()
	var status unix.WaitStatus
	_, err := unix.Wait4(pid, &status, 0, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped())
}

var (
	accessWays = []bpf.SensorAccessCall{
		bpf.SensorAccessCallACCESS_VM_READ, bpf.SensorAccessCallACCESS_PIDFD_GETFD, bpf.SensorAccessCallACCESS_MEM_READ,
		bpf.SensorAccessCallACCESS_PTRACE_SEIZE, bpf.SensorAccessCallACCESS_PTRACE_ATTACH,
	}
	injectWays = []bpf.SensorAccessCall{
		bpf.SensorAccessCallACCESS_VM_WRITE, bpf.SensorAccessCallACCESS_MEM_WRITE,
		bpf.SensorAccessCallACCESS_PTRACE_POKE, bpf.SensorAccessCallACCESS_PTRACE_SETREGS,
	}
)

func TestAccessInEveryTier(t *testing.T) {
	eachTier(t, KindAccess, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: []Kind{KindAccess, KindInject}}, KindInject)
		pid, address := victim(t)
		attacked(t, pid, address)
		// What is harmless and what is one's own is no access.
		_, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		require.NoError(t, err)
		_, err = os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		require.NoError(t, err)
		memory(t, os.Getpid(), unix.O_RDWR)
		assert.Error(t, unix.PtraceAttach(1<<22+5))

		have := map[Kind][]bpf.SensorAccessCall{}
		var batch Batch
		_, err = s.Drain(&batch)
		require.NoError(t, err)
		for _, r := range batch.Records {
			e, err := r.Access()
			require.NoError(t, err)
			if e.Head.Tgid != uint32(os.Getpid()) {
				continue
			}
			assert.EqualValues(t, pid, e.Target.Tgid)
			assert.NotZero(t, e.Target.StartTime)
			have[r.Kind()] = append(have[r.Kind()], bpf.SensorAccessCall(e.Call))
		}
		assert.Equal(t, accessWays, have[KindAccess])
		assert.Equal(t, injectWays, have[KindInject])
	})
}

func TestInjectAlone(t *testing.T) {
	eachTier(t, KindInject, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: []Kind{KindInject}})
		pid, address := victim(t)
		attacked(t, pid, address)
		list := events(t, s)
		list = slices.DeleteFunc(list, func(e seen) bool { return e.pid != uint32(os.Getpid()) })
		assert.Len(t, list, len(injectWays))
	})
}
