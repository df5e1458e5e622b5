// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

func init() {
	acts["contained"] = func(args []string) error { // sees a root of its own, with a directory of the host's, and writes to both
		root, shared := args[0], args[1]
		if err := errors.Join(
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount(shared, root+"/shared", "", unix.MS_BIND, ""),
			unix.Chroot(root), unix.Chdir("/"),
		); err != nil {
			return fmt.Errorf("begin as a container: %w", err)
		}
		fmt.Println(errors.Is(appendTo("/etc/file"), unix.EPERM), errors.Is(appendTo("/shared/file"), unix.EPERM), os.Getpid() == 1)
		return nil
	}
}

// actsIn lets a program act in a new cgroup, and in namespaces of its own where that is wanted.
func actsIn(t *testing.T, cgroup string, namespaces uintptr, act ...string) (string, error) {
	t.Helper()
	dir := openCgroup(t, cgroup)
	defer dir.Close()
	c := command(stranger, act...)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd()), Cloneflags: namespaces}
	out, err := c.Output()
	return strings.TrimSpace(string(out)), result(err)
}

// Policies hold for containers and units that are made when they are in force: what their subjects name, and what is seen by an overlay.
func TestContainersThatStartLater(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	mine, others := strings.Repeat("0a1b2c3d", 8), strings.Repeat("d3c2b1a0", 8)
	shared := s.outside + "/shared"
	root := s.outside + "/container"
	for _, dir := range []string{"lower/etc", "lower/shared", "upper/etc", "work", "merged"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	require.NoError(t, os.Mkdir(shared, 0o755))
	for _, file := range []string{shared + "/file", root + "/lower/etc/file"} {
		require.NoError(t, os.WriteFile(file, nil, 0o644))
	}
	load(t, s.e, fmt.Sprintf(`
policy: scene
mode: enforce
rules:
  - {name: container, files: {paths: [%[1]s/**], operations: [write]}, who: [{container: %[2]s}]}
  - {name: overlay, files: {paths: [%[3]s/merged/etc/**], operations: [write, create]}}
  - {name: machine, files: {paths: [%[1]s/**], operations: [write]}, who: [{container: web-1}]}
  - {name: unit, files: {paths: [%[4]s], operations: tamper}, who: [{unit: vedette-late.service}]}
`, shared, mine[:12], root, s.single))

	require.NoError(t, unix.Mount("none", root+"/merged", "overlay", 0, fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", root)))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(root+"/merged", unix.MNT_DETACH)) })
	require.Eventually(t, func() bool { return errors.Is(appendTo(root+"/merged/etc/file"), unix.EPERM) }, time.Minute, 50*time.Millisecond)
	assert.ErrorIs(t, os.WriteFile(root+"/upper/etc/new", nil, 0o644), unix.EPERM, "behind the overlay")
	assert.ErrorIs(t, appendTo(root+"/lower/etc/file"), unix.EPERM, "below it")

	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID
	for id, want := range map[string]string{mine: "true true true", others: "true false true"} {
		out, err := actsIn(t, "system.slice/docker-"+id+".scope/inner", namespaces, "contained", root+"/merged", shared)
		require.NoError(t, err)
		assert.Equal(t, want, out, "of the overlay's file and the shared one, in container %s", id)
	}
	assert.NoError(t, runs(stranger, "write", shared+"/file"), "on the host")
	for cgroup, want := range map[string]error{
		`machine.slice/machine-web\x2d1.scope/payload/init.scope`: unix.EPERM,
		"machine.slice/systemd-nspawn@web-1.service/payload":      unix.EPERM,
		"lxc.payload.web-1":                               unix.EPERM,
		`user.slice/machine-web\x2d1.scope`:               nil,
		`machine.slice/machine-web\x2d10.scope/payload`:   nil,
		"system.slice/systemd-nspawn@web.service/payload": nil,
	} {
		_, err := actsIn(t, cgroup, 0, "write", shared+"/file")
		assert.ErrorIs(t, err, want, cgroup)
	}
	_, err := actsIn(t, "system.slice/vedette-late.service", 0, "write", s.single)
	assert.ErrorIs(t, err, unix.EPERM, "in the unit")
	_, err = actsIn(t, "system.slice/vedette-other.service", 0, "write", s.single)
	assert.NoError(t, err, "in another one")
}
