// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package target

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/users"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var processes = Processes{Proc: process.ProcFS{Root: "/proc"}, BootID: "boot", EndWait: 60 * time.Second}

func protection() Protection { return Protection{Names: users.New("/etc/passwd", time.Now)} }

func identify(t *testing.T, pid int) enforcement.Process {
	stat, err := processes.Proc.ReadStat(uint32(pid))
	require.NoError(t, err)
	return enforcement.Process{PID: uint32(pid), EntityID: stat.Key.EntityID("boot")}
}

// start starts a command whose processes, however many, are gone after the test.
func start(t *testing.T, attr *syscall.SysProcAttr, name string, args ...string) (*exec.Cmd, string) {
	mark := fmt.Sprintf("VEDETTE_TEST_TREE=%d-%d", os.Getpid(), time.Now().UnixNano())
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), mark)
	cmd.SysProcAttr = attr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // sshd writes its title over the mark
		for range 100 {
			left := marked(t, mark)
			for _, pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			if len(left) == 0 {
				break
			}
		}
		_ = cmd.Wait()
	})
	return cmd, mark
}

// marked returns the living processes that have the mark in their environment.
func marked(t *testing.T, mark string) (found []int) {
	pids, err := processes.Proc.List()
	require.NoError(t, err)
	for _, pid := range pids {
		stat, err := processes.Proc.ReadStat(pid)
		if err != nil || stat.State == 'Z' {
			continue
		}
		environment, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(pid)), "environ"))
		if bytes.Contains(environment, []byte(mark)) {
			found = append(found, int(pid))
		}
	}
	return found
}

// asleep returns the processes that have the mark when there are so many of them and all sleep. Until then some may still be copies of their
// parents, or have no environment while they become another program.
func asleep(t *testing.T, mark string, count int) (found []int) {
	require.Eventually(t, func() bool {
		found = marked(t, mark)
		return len(found) == count && !slices.ContainsFunc(found, func(pid int) bool {
			stat, err := processes.Proc.ReadStat(uint32(pid))
			return err != nil || stat.State != 'S'
		})
	}, 60*time.Second, 10*time.Millisecond)
	return found
}

func state(t *testing.T, pid int) byte {
	stat, err := processes.Proc.ReadStat(uint32(pid))
	require.NoError(t, err)
	return stat.State
}

func TestKill(t *testing.T) {
	ring.Require(t, ring.Native)
	cmd, _ := start(t, nil, "sleep", "600")
	wanted := identify(t, cmd.Process.Pid)
	require.NoError(t, processes.Check(wanted, protection()))
	note, err := processes.Kill(wanted, protection())
	require.NoError(t, err)
	assert.Empty(t, note)
	assert.ErrorContains(t, cmd.Wait(), "killed")
	_, err = processes.Kill(wanted, protection())
	assert.ErrorIs(t, err, ErrGone)
}

func TestALaterProcessWithTheSameIDIsNotTouched(t *testing.T) {
	ring.Require(t, ring.Native)
	cmd, _ := start(t, nil, "sleep", "600")
	wanted := identify(t, cmd.Process.Pid)
	wanted.EntityID = process.Key{PID: wanted.PID, Start: 1}.EntityID("boot")
	_, kill := processes.Kill(wanted, protection())
	_, tree := processes.KillTree(wanted, protection())
	for _, err := range []error{kill, tree, processes.Suspend(wanted, protection()), processes.Resume(wanted)} {
		require.ErrorIs(t, err, ErrRefused)
		assert.ErrorContains(t, err, "is another one by now")
	}
	wanted.EntityID = ""
	_, err := processes.Kill(wanted, protection())
	assert.ErrorContains(t, err, "is not identified")
	assert.NotEqual(t, byte('T'), state(t, cmd.Process.Pid))
}

func TestSuspendAndResume(t *testing.T) {
	ring.Require(t, ring.Native)
	cmd, _ := start(t, nil, "sleep", "600")
	wanted := identify(t, cmd.Process.Pid)
	require.NoError(t, processes.Suspend(wanted, protection()))
	require.Eventually(t, func() bool { return state(t, cmd.Process.Pid) == 'T' }, 60*time.Second, 10*time.Millisecond)
	require.NoError(t, processes.Resume(wanted))
	require.Eventually(t, func() bool { return state(t, cmd.Process.Pid) != 'T' }, 60*time.Second, 10*time.Millisecond)
}

// storm forks as fast as the shell can, children that fork too, and orphans.
const storm = `i=0; while [ $i -lt 120 ]; do sh -c 'sleep 600 & (sleep 600 &) ; sleep 600' & i=$((i+1)); done; wait`

func TestKillTreeThatForksAllTheTime(t *testing.T) {
	ring.Require(t, ring.Native)
	cmd, mark := start(t, &syscall.SysProcAttr{Setsid: true}, "sh", "-c", storm)
	require.Eventually(t, func() bool { return len(marked(t, mark)) > 30 }, 3*time.Minute, 50*time.Millisecond)
	note, err := processes.KillTree(identify(t, cmd.Process.Pid), protection())
	require.NoError(t, err)
	_ = cmd.Wait()
	// What was told to end late may take a moment.
	require.Eventually(t, func() bool { return len(marked(t, mark)) == 0 }, 60*time.Second, 10*time.Millisecond, note)
}

func TestKillTreeSparesOthers(t *testing.T) {
	ring.Require(t, ring.Native)
	cmd, mark := start(t, &syscall.SysProcAttr{Setsid: true}, "sh", "-c", "sh -c 'sleep 600 & sleep 600; true' & sleep 600; true")
	all := asleep(t, mark, 5)
	inner := 0
	for _, pid := range childrenOf(all, cmd.Process.Pid) {
		if len(childrenOf(all, pid)) == 2 {
			inner = pid
		}
	}
	require.NotZero(t, inner)
	note, err := processes.KillTree(identify(t, inner), protection())
	require.NoError(t, err)
	assert.Equal(t, "3 processes", note)
	asleep(t, mark, 2) // The parent and its other child live on.
}

func childrenOf(all []int, parent int) (children []int) {
	for _, pid := range all {
		if stat, err := processes.Proc.ReadStat(uint32(pid)); err == nil && stat.ParentPID == uint32(parent) {
			children = append(children, pid)
		}
	}
	return children
}

func TestKillTreeSparesProtectedDescendants(t *testing.T) {
	ring.Require(t, ring.Native)
	cmd, mark := start(t, &syscall.SysProcAttr{Setsid: true}, "sh", "-c", "sleep 600 & sleep 600 & wait")
	p := protection()
	for _, pid := range asleep(t, mark, 3) {
		if pid != cmd.Process.Pid {
			p.PIDs = []uint32{uint32(pid)}
		}
	}
	note, err := processes.KillTree(identify(t, cmd.Process.Pid), p)
	require.NoError(t, err)
	assert.Equal(t, "2 processes, 1 protected ones spared", note)
	_ = cmd.Wait()
	require.Equal(t, []int{int(p.PIDs[0])}, asleep(t, mark, 1))
	assert.NotEqual(t, byte('T'), state(t, int(p.PIDs[0])), "was not even stopped")
}

func TestProtectedProcesses(t *testing.T) {
	ring.Require(t, ring.Native)
	kernelThread := 0
	pids, err := processes.Proc.List()
	require.NoError(t, err)
	for _, pid := range pids {
		if stat, err := processes.Proc.ReadStat(pid); err == nil && stat.KernelThread {
			kernelThread = int(pid)
			break
		}
	}
	cmd, _ := start(t, nil, "sleep", "600")
	self, err := os.Readlink("/proc/self/exe")
	require.NoError(t, err)
	var exe string
	require.Eventually(t, func() bool { // until then it may still be a copy of this one
		exe, err = os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
		return err == nil && exe != self
	}, 60*time.Second, 10*time.Millisecond)
	for want, tc := range map[string]struct {
		pid     int
		protect func(*Protection)
	}{
		"process 1 is protected":          {1, nil},
		"is a kernel thread":              {kernelThread, nil},
		"is the agent":                    {os.Getpid(), nil},
		"the agent descends from process": {os.Getppid(), nil},
		"process " + strconv.Itoa(cmd.Process.Pid) + " is protected by the configuration": {cmd.Process.Pid,
			func(p *Protection) { p.PIDs = []uint32{uint32(cmd.Process.Pid)} }},
		exe + " is protected by the configuration":        {cmd.Process.Pid, func(p *Protection) { p.Executables = []string{exe} }},
		"the user root is protected by the configuration": {cmd.Process.Pid, func(p *Protection) { p.Users = []string{"root"} }},
		"the user 0 is protected by the configuration":    {cmd.Process.Pid, func(p *Protection) { p.Users = []string{"0"} }},
	} {
		t.Run(want, func(t *testing.T) {
			if tc.pid == 0 {
				ring.Cannot(t, "no kernel thread is visible")
			}
			p := protection()
			if tc.protect != nil {
				tc.protect(&p)
			}
			wanted := identify(t, tc.pid)
			// A broken protection must not end the machine, so only Check is asked.
			err := processes.Check(wanted, p)
			require.ErrorIs(t, err, ErrRefused)
			assert.ErrorContains(t, err, want)
		})
	}
	require.NoError(t, processes.Check(identify(t, cmd.Process.Pid), protection()))
}

func TestTheSSHDaemonIsProtected(t *testing.T) {
	ring.RequireOnHost(t)
	const sshd = "/usr/sbin/sshd"
	if _, err := os.Stat(sshd); err != nil {
		ring.Cannot(t, "no ssh daemon is installed")
	}
	require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).Run())
	cmd, _ := start(t, nil, sshd, "-D", "-f", "/dev/null", "-h", key, "-p", "22022", "-o", "ListenAddress=127.0.0.1", "-o", "PidFile=none")
	require.Eventually(t, func() bool {
		err := processes.Check(identify(t, cmd.Process.Pid), protection())
		return err != nil && err.Error() == fmt.Sprintf("refused: process %d is the ssh daemon", cmd.Process.Pid)
	}, 2*time.Minute, 10*time.Millisecond)
}

func TestAProgramCalledSSHDIsNotProtected(t *testing.T) {
	ring.RequireOnHost(t)
	path := filepath.Join(t.TempDir(), "sshd")
	content, err := os.ReadFile("/usr/bin/sleep")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content, 0o755))
	cmd, _ := start(t, nil, path, "600")
	assert.NoError(t, processes.Check(identify(t, cmd.Process.Pid), protection()))
}

func TestProtectedAddresses(t *testing.T) {
	p := Protection{Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
	own, err := OwnAddresses()
	require.NoError(t, err)
	for _, text := range []string{
		"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255",
		"198.51.100.7", "::ffff:198.51.100.7", own[len(own)-1].Addr().String(),
	} {
		assert.ErrorIs(t, p.CheckAddress(netip.MustParseAddr(text)), ErrRefused, text)
	}
	assert.ErrorIs(t, p.CheckAddress(netip.Addr{}), ErrRefused)
	assert.NoError(t, p.CheckAddress(netip.MustParseAddr("203.0.113.1")))
	assert.NoError(t, p.CheckAddress(netip.MustParseAddr("2001:db8::1")))
}

func TestProtectedFiles(t *testing.T) {
	ring.RequireOnHost(t)
	directory := t.TempDir()
	p := protection()
	p.Directories = []string{directory}
	p.Executables = []string{"/usr/bin/env"}
	self, err := os.Executable()
	require.NoError(t, err)
	for _, path := range []string{"/etc/passwd", "/bin/sh", "/usr/bin/bash", "/usr/bin/env", filepath.Join(directory, "x"), self} {
		var stat syscall.Stat_t
		_ = syscall.Stat(path, &stat)
		assert.ErrorIs(t, p.CheckFile(processes, path, stat.Ino), ErrRefused, path)
	}
	other := filepath.Join(t.TempDir(), "evil")
	require.NoError(t, os.WriteFile(other, nil, 0o700))
	var stat syscall.Stat_t
	require.NoError(t, syscall.Stat(other, &stat))
	assert.NoError(t, p.CheckFile(processes, other, stat.Ino))
}
