// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

func TestAudit(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	load(t, s.e, `
policy: watched
mode: audit
rules:
  - {name: reported, files: {paths: [`+s.file+`], operations: [write]}}
  - {name: refused, mode: enforce, files: {paths: [`+s.single+`], operations: [write]}}
`)
	before := s.e.Status() // tests that flood lose verdicts, and this one may have run before
	audited := func(rule string) {
		v := next(t, s.e, func(v enforce.Verdict) bool { return v.Rule == rule })
		assert.Equal(t, policy.Audit, v.Mode)
		assert.Equal(t, enforce.Detected, v.Strength)
		assert.Zero(t, v.Errno)
		drain(t, s.e)
	}
	require.NoError(t, opens(s.file))
	audited("reported")
	require.ErrorIs(t, opens(s.single), unix.EPERM)
	drain(t, s.e)
	require.NoError(t, s.e.AuditOnly(true))
	require.NoError(t, opens(s.single))
	audited("refused")
	require.NoError(t, s.e.AuditOnly(false))
	require.ErrorIs(t, opens(s.single), unix.EPERM)
	status := s.e.Status()
	since := func(of func(enforce.RuleStatus) uint64) []uint64 {
		return []uint64{of(status.Rules[0]) - of(before.Rules[0]), of(status.Rules[1]) - of(before.Rules[1])}
	}
	assert.Equal(t, []uint64{0, 2}, since(func(r enforce.RuleStatus) uint64 { return r.Denied }))
	assert.Equal(t, []uint64{1, 1}, since(func(r enforce.RuleStatus) uint64 { return r.Audited }))
	assert.Equal(t, before.Lost, status.Lost)
	assert.Empty(t, status.Missing)
}

func TestSubjectParts(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	require.NoError(t, os.Chmod(s.file, 0o666))
	require.NoError(t, os.Chmod(filepath.Dir(s.dir), 0o755))
	load(t, s.e, `
policy: parts
mode: enforce
rules:
  - name: all
    files: {paths: [`+s.file+`], operations: [write]}
    allow: [{user: tester}, {unit: test.service}]
`)
	assert.ErrorIs(t, runs(stranger, "write", s.file), unix.EPERM)
	c := command(stranger, "write", s.file)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
	assert.NoError(t, outcomeOf(c), "the user")
	assert.NoError(t, inCgroup(t, "system.slice/test.service/inner", s.file), "the unit")
	assert.ErrorIs(t, inCgroup(t, "user.slice/user@1.service/test.service", s.file), unix.EPERM, "a unit of a user")
}

// inCgroup writes to a file as a process of a cgroup.
func inCgroup(t *testing.T, cgroup, file string) error {
	t.Helper()
	name := filepath.Join("/sys/fs/cgroup", cgroup)
	require.NoError(t, os.MkdirAll(name, 0o755))
	dir, err := os.Open(name)
	require.NoError(t, err)
	defer dir.Close()
	c := command(stranger, "write", file)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	return outcomeOf(c)
}
