// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// inCopy runs a shell script in a mount namespace of its own in which /etc and /root are copies, so
// that a technique can be carried out for real without changing the host.
func inCopy(t *testing.T, text string) {
	t.Helper()
	copies := t.TempDir()
	// Others may be at work in /etc: a file that is gone before it is copied is none that a technique needs.
	setUp := "mkdir " + copies + "/etc " + copies + "/root; cp -a /etc/. " + copies + "/etc/ || true; " +
		"mount --bind " + copies + "/etc /etc; mount --bind " + copies + "/root /root; "
	out, err := exec.Command("unshare", "-m", "/bin/sh", "-ec", setUp+text).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// runCopy copies this program to where a technique wants it and runs it.
func runCopy(t *testing.T, name string) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, self, 0o700))
	t.Cleanup(func() { _ = os.Remove(name) })
	cmd := exec.Command(name)
	cmd.Env = append(os.Environ(), endAtOnce+"=1")
	require.NoError(t, cmd.Run())
}

func runFromMemory(t *testing.T) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	fd, err := unix.MemfdCreate("payload", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	memory := os.NewFile(uintptr(fd), "payload")
	defer memory.Close()
	_, err = memory.Write(self)
	require.NoError(t, err)
	cmd := exec.Command("/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{memory}
	cmd.Env = append(os.Environ(), endAtOnce+"=1")
	require.NoError(t, cmd.Run())
}

// TestRulesSeeTheirTechnique carries out what each of the built-in rules is for.
func TestRulesSeeTheirTechnique(t *testing.T) {
	ring.Require(t, ring.Native)
	need(t, "unshare", "mount")
	a := startAgent(t)
	for _, test := range []struct {
		name, rule, technique string
		run                   func(t *testing.T)
	}{
		{"memory", "Program run from memory", "T1620", runFromMemory},
		{"shared memory", "Program run from shared memory", "T1027", func(t *testing.T) { runCopy(t, "/dev/shm/vedette-payload") }},
		{"temporary directory", "Program run from a temporary directory", "T1059", func(t *testing.T) { runCopy(t, "/tmp/vedette-payload") }},
		{"passwd", "Account or group file changed by an unusual program", "T1136", func(t *testing.T) { inCopy(t, "echo x:x:0:0::/:/bin/sh >> /etc/passwd") }},
		{"passwd by rename", "Account or group file changed by an unusual program", "T1136", func(t *testing.T) { inCopy(t, "cp /etc/passwd /etc/p; mv -f /etc/p /etc/passwd") }},
		{"shadow", "Password file changed by an unusual program", "T1098", func(t *testing.T) { inCopy(t, "echo x::1:::::: >> /etc/shadow") }},
		{"sudoers", "Rules of sudo changed by an unusual program", "T1548", func(t *testing.T) {
			inCopy(t, "mkdir -p /etc/sudoers.d; echo 'x ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/x")
		}},
		{"cron", "Cron table written directly", "T1053", func(t *testing.T) { inCopy(t, "mkdir -p /etc/cron.d; echo '* * * * * root id' > /etc/cron.d/x") }},
		{"systemd", "Systemd unit written directly", "T1543", func(t *testing.T) {
			inCopy(t, "mkdir -p /etc/systemd/system; echo '[Service]' > /etc/systemd/system/x.service")
		}},
		{"authorized keys", "SSH authorized keys written", "T1098", func(t *testing.T) { inCopy(t, "mkdir -p /root/.ssh; echo key >> /root/.ssh/authorized_keys") }},
		{"preload", "Preload list of the dynamic linker written", "T1574", func(t *testing.T) { inCopy(t, "echo > /etc/ld.so.preload") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			a.t = t
			test.run(t)
			all := a.settle()
			require.Len(t, all, 1, "exactly one alert: %v", all)
			assert.Equal(t, test.rule, all[0].Rule.Name)
			assert.Contains(t, all[0].Threat.Technique.ID, test.technique)
			t.Log(all[0])
		})
	}
}

// TestNearMisses does what is close to a technique and is everyday work.
func TestNearMisses(t *testing.T) {
	ring.RequireOnHost(t)
	need(t, "unshare", "mount")
	a := startAgent(t)
	for _, test := range []struct {
		name  string
		needs []string
		run   func(t *testing.T)
	}{
		{"reading the account files", nil, func(t *testing.T) { inCopy(t, "cat /etc/passwd /etc/shadow > /dev/null") }},
		{"adding a user", []string{"useradd", "userdel"}, func(t *testing.T) {
			inCopy(t, "useradd -M vedettetest; userdel vedettetest")
		}},
		{"changing a password", []string{"chpasswd"}, func(t *testing.T) { inCopy(t, "echo daemon:vedette-Test-1 | chpasswd") }},
		{"a file named like one", nil, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "etc/cron.d"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "etc/passwd"), nil, 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "etc/cron.d/x"), nil, 0o600))
		}},
		{"a program that works in a temporary directory", nil, func(t *testing.T) {
			script(t, "cd /tmp && /bin/ls > /dev/null && cp /bin/ls vedette-copy && rm vedette-copy")
		}},
		{"data in shared memory", nil, func(t *testing.T) {
			require.NoError(t, os.WriteFile("/dev/shm/vedette-data", []byte("x"), 0o600))
			require.NoError(t, os.Remove("/dev/shm/vedette-data"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			need(t, test.needs...)
			a.t = t
			test.run(t)
			assert.Empty(t, a.settle())
		})
	}
}
