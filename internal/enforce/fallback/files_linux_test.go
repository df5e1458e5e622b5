// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

func file(t *testing.T, dir string, parts ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{dir}, parts...)...)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
	return path
}

func TestWritingIsRefused(t *testing.T) {
	ring.Require(t, ring.Native)
	intruder, service, dir := copyOf(t, "intruder"), copyOf(t, "service"), directory(t)
	protected, free := file(t, dir, "protected"), file(t, dir, "free")
	e := loadedWith(t, `
policy: data
mode: enforce
rules:
  - {name: file, files: {paths: [%s], operations: tamper}, allow: [{executable: %s}]}
`, protected, service)
	assert.Equal(t, "EPERM", outcome(t, intruder, "write", protected))
	v := verdict(t, e, policy.Write)
	assert.Equal(t, protected, v.Object.Path)
	assert.Equal(t, enforce.Prevented, v.Strength)
	assert.Equal(t, "intruder", v.Comm)
	assert.NotZero(t, v.Object.Inode)
	assert.NotZero(t, v.Start)
	assert.Equal(t, "EPERM", outcome(t, intruder, "append", protected))
	assert.Equal(t, "ok", outcome(t, intruder, "read", protected), "reading is not what the rule is about")
	assert.Equal(t, "ok", outcome(t, intruder, "write", free))
	assert.Equal(t, "ok", outcome(t, service, "write", protected))
	assert.Equal(t, "ok", outcome(t, service, "run", intruder, "write", protected), "what the service starts is trusted")
}

func TestReadingIsRefused(t *testing.T) {
	ring.Require(t, ring.Native)
	thief, dir := copyOf(t, "thief"), directory(t)
	protected := file(t, dir, "key")
	e := loadedWith(t, `
policy: keys
mode: enforce
rules:
  - {name: key, files: {paths: [%s/*], operations: [read]}, who: [{executable: %s}]}
`, dir, thief)
	assert.Equal(t, "EPERM", outcome(t, thief, "read", protected))
	assert.Equal(t, protected, verdict(t, e, policy.Read).Object.Path)
	assert.Equal(t, "ok", outcome(t, copyOf(t, "other"), "read", protected))
	later := file(t, dir, "later")
	assert.Equal(t, "EPERM", outcome(t, thief, "read", later), "a name that came later")
}

func TestOtherNamesLeadToTheSameFile(t *testing.T) {
	ring.Require(t, ring.Native)
	intruder, dir, elsewhere := copyOf(t, "intruder"), directory(t), directory(t)
	protected := file(t, dir, "tree", "file")
	hard := filepath.Join(elsewhere, "hard")
	require.NoError(t, os.Link(protected, hard))
	soft := filepath.Join(elsewhere, "soft")
	require.NoError(t, os.Symlink(protected, soft))
	mounted := filepath.Join(elsewhere, "mounted")
	require.NoError(t, os.Mkdir(mounted, 0o755))
	require.NoError(t, unix.Mount(filepath.Join(dir, "tree"), mounted, "", unix.MS_BIND, ""))
	defer unix.Unmount(mounted, unix.MNT_DETACH)
	loadedWith(t, `
policy: tree
mode: enforce
rules:
  - {name: all, files: {paths: [%s/tree/**], operations: tamper}}
`, dir)
	for _, name := range []string{protected, hard, soft, filepath.Join(mounted, "file")} {
		assert.Equal(t, "EPERM", outcome(t, intruder, "write", name), name)
		assert.Equal(t, "EPERM", outcome(t, intruder, "unshare", intruder, "write", name), "%s in a mount namespace of its own", name)
	}
	assert.Equal(t, "EPERM", outcome(t, intruder, "openat2", protected), "another thread could change what is asked for")
}

// needsTelling is for tests of what is told of when it is done, which not every file system does: before 5.13 not those in memory.
func needsTelling(t *testing.T, e *Enforcer, dir string) {
	t.Helper()
	e.files.mu.Lock()
	err := e.files.failures[dir]
	e.files.mu.Unlock()
	if err != nil {
		ring.Cannot(t, "this file system does not tell of changes: "+err.Error())
	}
}

func TestTreeGrows(t *testing.T) {
	ring.Require(t, ring.Native)
	intruder, gardener, dir := copyOf(t, "intruder"), copyOf(t, "gardener"), directory(t)
	e := loadedWith(t, `
policy: tree
mode: enforce
rules:
  - {name: all, files: {paths: [%s/**], operations: [write, create]}, allow: [{executable: %s}]}
`, dir, gardener)
	needsTelling(t, e, dir)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "new"), 0o755))
	assert.Equal(t, "ok", outcome(t, gardener, "create", filepath.Join(dir, "new", "file")))
	assert.Eventually(t, func() bool {
		return outcome(t, intruder, "write", filepath.Join(dir, "new", "file")) == "EPERM"
	}, timeLimit, timeStep)
	assert.Equal(t, "EPERM", outcome(t, intruder, "create", filepath.Join(dir, "other")), "the name is made, and its opening refused")
	assert.Equal(t, filepath.Join(dir, "other"), verdict(t, e, policy.Create).Object.Path)
}

func TestTreeGrowsWhilePoliciesAreReplaced(t *testing.T) {
	ring.Require(t, ring.Native)
	intruder, dir := copyOf(t, "intruder"), directory(t)
	text := `
policy: tree
mode: enforce
rules:
  - {name: all, files: {paths: [%s/**], operations: [write, create]}, who: [{executable: %s}]}
`
	e := loadedWith(t, text, dir, intruder)
	needsTelling(t, e, dir)
	next := e.files.plan(e.current.Load()) // the directory is not there yet
	next.add()
	protected := file(t, dir, "new", "file")
	refused := func() bool { return outcome(t, intruder, "write", protected) == "EPERM" }
	require.Eventually(t, refused, timeLimit, timeStep)
	e.files.keep(next)
	assert.True(t, refused())
	load(t, e, text, dir, intruder)
	assert.True(t, refused())
	other := e.files.newWatch()
	other.ask[dir] = askOpen | unix.FAN_EVENT_ON_CHILD
	other.add()
	e.files.abandon(other)
	assert.True(t, refused())
}

func TestChangesAreReported(t *testing.T) {
	ring.Require(t, ring.Native)
	intruder, dir := copyOf(t, "intruder"), directory(t)
	protected := func(name string) string { return file(t, dir, "tree", name) }
	a, b, c, d := protected("a"), protected("b"), protected("c"), protected("d")
	e := loadedWith(t, `
policy: tree
mode: enforce
rules:
  - {name: all, files: {paths: [%s/tree/*], operations: tamper}, who: [{executable: %s}]}
`, dir, intruder)
	needsTelling(t, e, filepath.Join(dir, "tree"))
	for _, one := range []struct {
		operation policy.Operation
		path      string
		act       []string
	}{
		{policy.Delete, a, []string{"remove", a}},
		{policy.Rename, b, []string{"rename", b, filepath.Join(dir, "moved")}},
		{policy.Attributes, c, []string{"chmod", c}},
		{policy.Write, d, []string{"trunc", d}},
	} {
		assert.Equal(t, "ok", outcome(t, intruder, one.act...), one.act)
		v := verdict(t, e, one.operation)
		assert.Equal(t, one.path, v.Object.Path)
		assert.Equal(t, enforce.Detected, v.Strength)
		assert.Equal(t, policy.Audit, v.Mode)
		assert.Zero(t, v.Errno)
		assert.Equal(t, "intruder", v.Comm, one.act)
	}
	weaker := e.Status().Rules[0].Weaker
	require.NotEmpty(t, weaker)
	assert.Contains(t, weaker[0].Reason, "lsm=")
	assert.Equal(t, enforce.Unseen, e.Status().Rules[0].Strength, "of mounts over a file nothing tells")
}

func TestRunningIsRefused(t *testing.T) {
	ring.Require(t, ring.Native)
	shell, other, tool := copyOf(t, "shell"), copyOf(t, "other"), copyOf(t, "tool")
	e := loadedWith(t, `
policy: tools
mode: enforce
rules:
  - {name: tool, exec: {deny: {paths: [%s]}}, who: [{executable: %s}]}
`, tool, shell)
	assert.Equal(t, "EPERM", outcome(t, shell, "run", tool, "read", "/dev/null"))
	v := verdict(t, e, policy.Run)
	assert.Equal(t, enforce.Prevented, v.Strength)
	assert.Equal(t, tool, v.Object.Path)
	assert.Equal(t, "ok", outcome(t, other, "run", tool, "read", "/dev/null"))
}

func TestTrustEndsWithWhatOthersMayWrite(t *testing.T) {
	ring.RequireOnHost(t)
	service, worker, dir := copyOf(t, "service"), copyOf(t, "worker"), directory(t)
	protected := file(t, dir, "protected")
	loadedWith(t, `
policy: data
mode: enforce
rules:
  - {name: file, files: {paths: [%s], operations: tamper}, allow: [{executable: %s}]}
`, protected, service)
	assert.Equal(t, "ok", outcome(t, service, "run", worker, "write", protected))
	require.NoError(t, os.Chmod(worker, 0o777))
	assert.Equal(t, "EPERM", outcome(t, service, "run", worker, "write", protected))
}

func TestScriptIsASubject(t *testing.T) {
	ring.RequireOnHost(t)
	writer, dir := copyOf(t, "writer"), directory(t)
	protected, script := file(t, dir, "protected"), filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"+writer+" write "+protected+"\n"), 0o755))
	loadedWith(t, `
policy: data
mode: enforce
rules:
  - {name: file, files: {paths: [%s], operations: tamper}, allow: [{executable: %s}]}
`, protected, script)
	assert.Equal(t, "EPERM", outcome(t, writer, "write", protected))
	assert.Equal(t, "ok", outcome(t, script))
	require.NoError(t, os.Chmod(script, 0o777))
	assert.Equal(t, "EPERM", outcome(t, script), "anybody may write the script now")
}

// inNumberOf makes a file that has got the number of one that is gone, which file systems give again as soon as they can.
func inNumberOf(t *testing.T, gone, path string, content []byte) {
	t.Helper()
	var before, now unix.Stat_t
	require.NoError(t, unix.Stat(gone, &before))
	require.NoError(t, os.Remove(gone))
	for i := range 1000 {
		spare := path + strconv.Itoa(i)
		require.NoError(t, os.WriteFile(spare, nil, 0o755))
		require.NoError(t, unix.Stat(spare, &now))
		if now.Ino == before.Ino {
			require.NoError(t, os.WriteFile(spare, content, 0o755))
			require.NoError(t, os.Rename(spare, path))
			return
		}
	}
	ring.Cannot(t, "this file system does not give numbers again")
}

func TestNumberOfAProtectedFileIsGivenAgain(t *testing.T) {
	ring.RequireOnHost(t)
	writer, dir := copyOf(t, "writer"), directory(t)
	gone, protected, script := file(t, dir, "gone"), file(t, dir, "protected"), filepath.Join(dir, "script")
	e := loadedWith(t, `
policy: before
mode: enforce
rules:
  - {name: file, files: {paths: [%s], operations: tamper}}
`, gone)
	inNumberOf(t, gone, script, []byte("#!/bin/sh\n"+writer+" write "+protected+"\n"))
	load(t, e, `
policy: before
mode: enforce
rules:
  - {name: file, files: {paths: [%s], operations: tamper}}
---
policy: data
mode: enforce
rules:
  - {name: file, files: {paths: [%s], operations: tamper}, allow: [{executable: %s}]}
`, gone, protected, script)
	assert.Equal(t, "ok", outcome(t, script))
	load(t, e, `
policy: data
mode: enforce
rules:
  - {name: file, files: {paths: [%s], operations: tamper}, allow: [{executable: %s}]}
`, protected, script)
	assert.Equal(t, "ok", outcome(t, script))
}

func TestNumberOfATrustedProgramIsGivenAgain(t *testing.T) {
	ring.RequireOnHost(t)
	writer, dir := copyOf(t, "writer"), directory(t)
	protected, other := file(t, dir, "protected"), filepath.Join(filepath.Dir(writer), "other")
	loadedWith(t, `
policy: data
mode: enforce
rules:
  - {name: file, files: {paths: [%s], operations: tamper}, allow: [{executable: %s}]}
`, protected, writer)
	require.Equal(t, "ok", outcome(t, writer, "write", protected))
	content, err := os.ReadFile(writer)
	require.NoError(t, err)
	inNumberOf(t, writer, other, content)
	assert.Equal(t, "EPERM", outcome(t, other, "write", protected))
}
