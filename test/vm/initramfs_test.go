// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/vm/protocol"
)

// unpack extracts an archive with the cpio command, a reader that is not ours.
func unpack(t *testing.T, archive []byte) string {
	t.Helper()
	if _, err := exec.LookPath("cpio"); err != nil {
		ring.Cannot(t, "cpio not found; install the package cpio")
	}
	dir := t.TempDir()
	cmd := exec.Command("cpio", "-idm", "--quiet")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(archive)
	printed, err := cmd.CombinedOutput()
	require.NoError(t, err, string(printed))
	assert.Empty(t, string(printed))
	return dir
}

func TestArchive(t *testing.T) {
	source := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(source, "sub", "empty"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(source, "sub", "x"), []byte("12345"), 0o600))
	require.NoError(t, os.Symlink("sub/x", filepath.Join(source, "link")))

	var out bytes.Buffer
	a := newArchive(&out)
	require.NoError(t, a.bytes("/a/b/c", 0o755, []byte("content")))
	require.NoError(t, a.bytes("empty", 0o644, nil))
	require.NoError(t, a.symlink("a/to", "b/c"))
	require.NoError(t, a.dir("a/b"))
	require.NoError(t, a.tree("tree", source))
	require.NoError(t, a.close())
	assert.Zero(t, out.Len()%4)

	dir := unpack(t, out.Bytes())
	for name, want := range map[string]string{
		"a/b/c": "content", "empty": "", "a/to": "content", "tree/sub/x": "12345", "tree/link": "12345",
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, string(got), name)
	}
	for name, want := range map[string]os.FileMode{
		"a/b/c": 0o755, "empty": 0o644, "tree/sub/x": 0o600, "a/b": os.ModeDir | 0o755, "tree/sub/empty": os.ModeDir | 0o755,
	} {
		info, err := os.Lstat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode(), name)
	}
	target, err := os.Readlink(filepath.Join(dir, "tree/link"))
	require.NoError(t, err)
	assert.Equal(t, "sub/x", target)
}

func FuzzArchive(f *testing.F) {
	f.Add("a/b", []byte("content"))
	f.Add("..", []byte{})
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		var out bytes.Buffer
		a := newArchive(&out)
		require.NoError(t, a.bytes(name, 0o644, content))
		require.NoError(t, a.close())
		require.Zero(t, out.Len()%4, "every part is padded")
		require.Contains(t, out.String(), string(content))
	})
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
}

func TestImageHoldsWhatTestsRead(t *testing.T) {
	host := t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{host}, parts...)...) }
	writeFile(t, at("m", "go.mod"), "module example.org/m\n")
	writeFile(t, at("m", "config", "rules", "a.yml"), "rule")
	writeFile(t, at("m", "pkg", "a", "testdata", "in.txt"), "input")
	writeFile(t, at("bin", "a.test"), "test binary")
	writeFile(t, at("bin", "runner"), "runner")
	writeFile(t, at("bin", "vedette"), "program")
	writeFile(t, at("bin", "helper"), "helper")
	writeFile(t, at("bin", "busybox"), "busybox")
	writeFile(t, at("kernel", "root", "lib", "modules", "6.1.0", "overlay.ko"), "module")
	plan := protocol.Plan{Nonce: "N", Steps: []protocol.Step{{Name: "a", Dir: "/src/pkg/a", Argv: []string{"x"}, Timeout: time.Second}}}
	img := image{
		kernel: kernel{dir: at("kernel")}, module: module{path: "example.org/m", dir: at("m")}, busybox: at("bin", "busybox"),
		bin:  binaries{runner: at("bin", "runner"), program: at("bin", "vedette"), tests: map[string]string{"pkg/a": at("bin", "a.test")}},
		plan: plan, programs: []string{at("bin", "helper")}, dynamic: map[string]string{"/lib/libhelper.so": at("bin", "helper")}, init: initScript, shell: true,
	}
	require.NoError(t, img.write(at("initramfs")))
	packed, err := os.ReadFile(at("initramfs"))
	require.NoError(t, err)
	dir := unpack(t, packed)
	for name, want := range map[string]string{
		"init": string(initScript), "bin/busybox": "busybox", "vedette/runner": "runner", "vedette/shell": "", "usr/bin/vedette": "program",
		"src/go.mod": "module example.org/m\n", "src/config/rules/a.yml": "rule",
		"src/pkg/a/a.test": "test binary", "src/pkg/a/testdata/in.txt": "input",
		"usr/bin/helper": "helper", "lib/libhelper.so": "helper", "lib/modules/6.1.0/overlay.ko": "module",
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, string(got), name)
	}
	written, err := os.ReadFile(filepath.Join(dir, protocol.PlanPath))
	require.NoError(t, err)
	var got protocol.Plan
	require.NoError(t, json.Unmarshal(written, &got))
	assert.Equal(t, plan, got)

	img.busybox = at("bin", "missing")
	assert.ErrorContains(t, img.write(at("initramfs")), "missing: no such file")
}

func TestCheckStatic(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	writeFile(t, script, "#!/bin/sh\n")
	assert.ErrorContains(t, checkStatic(script), "is not a program")
	assert.ErrorContains(t, checkStatic("/bin/ls"), "/bin/ls is not static")
	if name, err := findBusybox(); err == nil {
		assert.NoError(t, checkStatic(name))
	} else {
		assert.ErrorContains(t, err, "busybox-static")
	}
	t.Setenv("PATH", t.TempDir())
	_, err := findBusybox()
	assert.EqualError(t, err, "busybox not found; install the package busybox-static")
}

func TestInitScriptIsShell(t *testing.T) {
	cmd := exec.Command("sh", "-n")
	cmd.Stdin = strings.NewReader(string(initScript))
	printed, err := cmd.CombinedOutput()
	assert.NoError(t, err, string(printed))
}
