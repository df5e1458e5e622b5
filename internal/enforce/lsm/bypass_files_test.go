// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
)

func pointer(b []byte) unsafe.Pointer { return unsafe.Pointer(&b[0]) }

// scene is a protected directory with a file, and a place outside.
type scene struct {
	t       *testing.T
	e       *Enforcer
	dir     string // protected
	file    string // in it
	single  string // a protected file in a directory that is not
	outside string
	before  *os.File // file, opened for writing before it was protected
	linked  string   // another name of file, made before it was protected
}

const content = "content"

func newScene(t *testing.T) *scene {
	t.Helper()
	e := shared(t)
	s := newPlaces(t)
	s.e = e
	return s
}

// newPlaces makes a scene that has no enforcer yet.
func newPlaces(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t}
	root, err := os.MkdirTemp("/opt", "scene-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(root)) })
	s.dir, s.outside = root+"/guarded", root+"/outside"
	require.NoError(t, os.MkdirAll(s.dir+"/sub", 0o755))
	require.NoError(t, os.MkdirAll(s.outside, 0o755))
	s.file, s.single, s.linked = s.dir+"/file", root+"/etc/single", s.outside+"/before"
	require.NoError(t, os.MkdirAll(root+"/etc", 0o755))
	require.NoError(t, os.WriteFile(s.file, []byte(content), 0o644))
	require.NoError(t, os.WriteFile(s.single, []byte(content), 0o644))
	require.NoError(t, os.Link(s.file, s.linked))
	s.before, err = os.OpenFile(s.file, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { s.before.Close() })
	return s
}

// protect puts the scene's policy in force.
func (s *scene) protect() {
	s.t.Helper()
	load(s.t, s.e, fmt.Sprintf(`
policy: scene
mode: enforce
rules:
  - name: all
    files: {paths: [%s/**, %s], operations: tamper}
    allow: [{executable: %s}, {executable: %s}]
`, s.dir, s.single, trusted, second))
}

// refuses does something that must be refused, and told with the object it was about.
func (s *scene) refuses(what string, act func() error) {
	s.t.Helper()
	require.ErrorIs(s.t, act(), unix.EPERM, what)
	v := next(s.t, s.e, func(v enforce.Verdict) bool { return v.Errno == int(unix.EPERM) && v.Policy == "scene" })
	assert.Equal(s.t, "all", v.Rule, what)
	assert.Equal(s.t, enforce.Prevented, v.Strength, what)
	assert.NotEmpty(s.t, v.Object.Path, what)
	drain(s.t, s.e)
	s.intact(what)
}

func (s *scene) intact(what string) {
	s.t.Helper()
	for _, name := range []string{s.file, s.single} {
		found, err := os.ReadFile(name)
		require.NoError(s.t, err, what)
		require.Equal(s.t, content, string(found), what)
	}
}

// opens gives the error of opening for writing.
func opens(name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err == nil {
		file.Close()
	}
	return err
}

// steps are what a bypass tries, each with what it is.
type steps map[string]func(s *scene) error

func TestBypassFiles(t *testing.T) {
	ring.Require(t, ring.VM)
	tests := []struct {
		name   string
		before func(s *scene) // the policy is loaded
		steps  steps
	}{
		{"01 hard link", nil, steps{
			"link out of the directory":   func(s *scene) error { return os.Link(s.file, s.outside+"/new") },
			"link of a single file":       func(s *scene) error { return os.Link(s.single, s.outside+"/new") },
			"write to a link from before": func(s *scene) error { return opens(s.linked) },
			"truncate a link from before": func(s *scene) error { return os.Truncate(s.linked, 0) },
			"link into the directory":     func(s *scene) error { return os.Link(s.outside+"/before", s.dir+"/in") },
			"link by descriptor":          func(s *scene) error { return linkByDescriptor(s) },
		}},
		{"02 symbolic link", func(s *scene) {
			require.NoError(s.t, os.Symlink(s.file, s.outside+"/file"))
			require.NoError(s.t, os.Symlink(s.dir+"/sub", s.outside+"/dir"))
		}, steps{
			"to the file":           func(s *scene) error { return opens(s.outside + "/file") },
			"to a directory and up": func(s *scene) error { return opens(s.outside + "/dir/../file") },
			"remove behind it":      func(s *scene) error { return os.Remove(s.outside + "/dir/../file") },
		}},
		{"03 rename", func(s *scene) {
			require.NoError(s.t, os.WriteFile(s.outside+"/other", []byte("other"), 0o644))
		}, steps{
			"out of the directory": func(s *scene) error { return os.Rename(s.file, s.outside+"/x") },
			"the directory":        func(s *scene) error { return os.Rename(s.dir, s.dir+"-away") },
			"a directory above":    func(s *scene) error { return os.Rename(filepath.Dir(s.dir), "/opt/away") },
			"above a single file":  func(s *scene) error { return os.Rename(filepath.Dir(s.single), s.outside+"/away") },
			"another over it":      func(s *scene) error { return os.Rename(s.outside+"/other", s.file) },
			"another into it":      func(s *scene) error { return os.Rename(s.outside+"/other", s.dir+"/other") },
			"exchange":             func(s *scene) error { return exchange(s.outside+"/other", s.file) },
			"exchange, other way":  func(s *scene) error { return exchange(s.file, s.outside+"/other") },
			"exchange a single":    func(s *scene) error { return exchange(s.outside+"/other", s.single) },
		}},
		{"04 delete and recreate", nil, steps{
			"delete":           func(s *scene) error { return os.Remove(s.file) },
			"delete a single":  func(s *scene) error { return os.Remove(s.single) },
			"create":           func(s *scene) error { return os.WriteFile(s.dir+"/new", nil, 0o644) },
			"make directory":   func(s *scene) error { return os.Mkdir(s.dir+"/new", 0o755) },
			"make symlink":     func(s *scene) error { return os.Symlink("/", s.dir+"/new") },
			"make pipe":        func(s *scene) error { return unix.Mkfifo(s.dir+"/new", 0o644) },
			"remove directory": func(s *scene) error { return os.Remove(s.dir + "/sub") },
			"editor's save":    func(s *scene) error { return save(s.single) },
			"write what a trusted program saved": func(s *scene) error {
				if err := runs(trusted, "save", s.single); err != nil {
					return err
				}
				err := opens(s.single)
				return errorsJoin(err, restore(s.single))
			},
		}},
		{"05 mounts", nil, steps{
			"over the directory": func(s *scene) error { return unix.Mount("none", s.dir, "tmpfs", 0, "") },
			"over the file":      func(s *scene) error { return unix.Mount(s.linked, s.file, "", unix.MS_BIND, "") },
			"over a directory above": func(s *scene) error {
				return unix.Mount("none", filepath.Dir(s.dir), "tmpfs", 0, "")
			},
			"write through a bind mount": func(s *scene) error {
				return mounted(s.outside, func() error { return unix.Mount(s.dir, s.outside, "", unix.MS_BIND, "") },
					func() error { return opens(s.outside + "/file") })
			},
			"delete through a bind mount": func(s *scene) error {
				return mounted(s.outside, func() error { return unix.Mount(s.dir, s.outside, "", unix.MS_BIND, "") },
					func() error { return os.Remove(s.outside + "/file") })
			},
			"move a mount over it": func(s *scene) error {
				return mounted(s.outside, func() error { return unix.Mount("none", s.outside, "tmpfs", 0, "") },
					func() error { return unix.MoveMount(unix.AT_FDCWD, s.outside, unix.AT_FDCWD, s.dir, 0) })
			},
			"change the root": func(s *scene) error { return unix.PivotRoot(s.dir, s.dir+"/sub") },
		}},
		{"06 namespaces", nil, steps{
			"mount over it in namespaces of one's own": func(s *scene) error {
				c := command(stranger, "unshare", s.dir)
				c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
					UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}}
				return outcomeOf(c)
			},
			"write in namespaces of one's own": func(s *scene) error {
				c := command(stranger, "write", s.file)
				c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
					UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}}
				return outcomeOf(c)
			},
		}},
		{"07 depth and long names", func(s *scene) { s.makeDeep() }, steps{
			"below nested mounts":       func(s *scene) error { return opens(s.dir + "/m/n/file") },
			"delete below mounts":       func(s *scene) error { return os.Remove(s.dir + "/m/n/file") },
			"name of 255 bytes":         func(s *scene) error { return opens(s.dir + "/" + strings.Repeat("n", 255)) },
			"20 deep":                   func(s *scene) error { return s.opensDeep(20) },
			"30 deep":                   func(s *scene) error { return s.opensDeep(30) },
			"64 deep":                   func(s *scene) error { return s.opensDeep(64) },
			"128 deep, over 4096 bytes": func(s *scene) error { return s.opensDeep(128) },
			"200 deep":                  func(s *scene) error { return s.opensDeep(200) },
		}},
		{"08 mapped memory", nil, steps{
			"open for reading and writing": func(s *scene) error { _, err := os.OpenFile(s.file, os.O_RDWR, 0); return err },
			"map what was open":            func(s *scene) error { return s.maps(unix.PROT_READ | unix.PROT_WRITE) },
			"protect later": func(s *scene) error {
				memory, err := unix.Mmap(int(s.before.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
				if err != nil {
					return err
				}
				return errorsJoin(unix.Mprotect(memory, unix.PROT_READ|unix.PROT_WRITE), unix.Munmap(memory))
			},
		}},
		{"09 truncate", nil, steps{
			"O_TRUNC":   func(s *scene) error { _, err := os.OpenFile(s.file, os.O_RDONLY|os.O_TRUNC, 0); return err },
			"truncate":  func(s *scene) error { return os.Truncate(s.file, 0) },
			"ftruncate": func(s *scene) error { return s.before.Truncate(0) },
		}},
		{"10 other ways to write", func(s *scene) {
			require.NoError(s.t, os.WriteFile(s.outside+"/other", []byte("other"), 0o644))
		}, steps{
			"punch a hole": func(s *scene) error {
				return unix.Fallocate(int(s.before.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096)
			},
			"allocate":        func(s *scene) error { return unix.Fallocate(int(s.before.Fd()), 0, 0, 8192) },
			"copy_file_range": func(s *scene) error { return s.copies(copyRange) },
			"sendfile":        func(s *scene) error { return s.copies(sendFile) },
			"splice":          func(s *scene) error { return s.copies(splice) },
		}},
		{"11 descriptors", nil, steps{
			"opened before": func(s *scene) error { _, err := s.before.WriteString("x"); return err },
			"pwrite":        func(s *scene) error { _, err := s.before.WriteAt([]byte("x"), 0); return err },
			"opened again":  func(s *scene) error { return opens(fmt.Sprintf("/proc/self/fd/%d", s.before.Fd())) },
			"by a root":     func(s *scene) error { return opens(fmt.Sprintf("/proc/%d/root%s", os.Getpid(), s.file)) },
			"pidfd_getfd":   func(s *scene) error { return s.takesDescriptor() },
			"inherited":     func(s *scene) error { return s.inheritsDescriptor() },
			"over a socket": func(s *scene) error { return s.receivesDescriptor() },
		}},
		{"12 attributes", nil, steps{
			"chmod":     func(s *scene) error { return os.Chmod(s.file, 0o666) },
			"chown":     func(s *scene) error { return os.Chown(s.file, 1, 1) },
			"times":     func(s *scene) error { return unix.Utimes(s.file, make([]unix.Timeval, 2)) },
			"attribute": func(s *scene) error { return unix.Setxattr(s.file, "trusted.x", []byte("x"), 0) },
			"remove":    func(s *scene) error { return unix.Removexattr(s.file, "trusted.x") },
			"acl":       func(s *scene) error { return unix.Setxattr(s.file, "system.posix_acl_access", minimalACL, 0) },
			"chattr":    func(s *scene) error { return setFlags(s.file) },
			"by name":   func(s *scene) error { return setFlagsByName(s.file) },
		}},
		{"13 overlay", nil, steps{
			"write through an overlay into its upper directory": func(s *scene) error {
				return s.overlay(s.outside, s.dir, func(merged string) error { return os.WriteFile(merged+"/new", nil, 0o644) })
			},
			"write a protected upper file": func(s *scene) error {
				return s.overlay(s.outside, s.dir, func(merged string) error { return opens(merged + "/file") })
			},
		}},
		{"14 io_uring", func(s *scene) { skipWithoutRing(s.t) }, steps{
			"open":              func(s *scene) error { return s.ringOpens(0, 0) },
			"open, async":       func(s *scene) error { return s.ringOpens(0, asyncFlag) },
			"write":             func(s *scene) error { return s.ringWrites(0, 0) },
			"write, async":      func(s *scene) error { return s.ringWrites(0, asyncFlag) },
			"write by a thread": func(s *scene) error { return s.ringWrites(sqPoll, 0) },
			"unlink":            func(s *scene) error { return s.ringUnlinks() },
			"rename":            func(s *scene) error { return s.ringNames(uringRenameAt) },
			"link":              func(s *scene) error { return s.ringNames(uringLinkAt) },
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			if test.before != nil {
				test.before(s)
			}
			s.protect()
			for what, step := range test.steps {
				s.refuses(what, func() error { return step(s) })
			}
			require.NoError(t, runs(trusted, "write", s.file), "the trusted program itself")
			require.NoError(t, runs(trusted, "start", stranger, "write", s.file), "what it starts")
			require.NoError(t, restore(s.file))
			s.intact("by trusted programs")
		})
	}
}

// What is seen in an overlay is written by writing its lower directory behind it.
func TestBypass13LowerDirectory(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	lower, upper, work, merged := s.outside+"/lower", s.outside+"/upper", s.outside+"/work", s.outside+"/merged"
	for _, dir := range []string{lower, upper, work, merged} {
		require.NoError(t, os.Mkdir(dir, 0o755))
	}
	require.NoError(t, os.WriteFile(lower+"/below", []byte(content), 0o644))
	require.NoError(t, unix.Mount("overlay", merged, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(merged, unix.MNT_DETACH)) })
	load(t, s.e, "policy: scene\nmode: enforce\nrules:\n  - {name: all, files: {paths: ["+merged+"/**, "+s.dir+"/**, "+s.single+"], operations: tamper}}\n")
	for what, step := range (steps{
		"the lower file":           func(*scene) error { return opens(lower + "/below") },
		"remove the lower file":    func(*scene) error { return os.Remove(lower + "/below") },
		"a file in the upper one":  func(*scene) error { return os.WriteFile(upper+"/below", nil, 0o644) },
		"the lower directory away": func(*scene) error { return os.Rename(lower, lower+"-away") },
		"the view itself":          func(*scene) error { return opens(merged + "/below") },
	}) {
		s.refuses(what, func() error { return step(s) })
	}
	found, err := os.ReadFile(merged + "/below")
	require.NoError(t, err)
	assert.Equal(t, content, string(found))
}
