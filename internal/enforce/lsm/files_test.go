// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func errorsJoin(errs ...error) error { return errors.Join(errs...) }

// restore lets the trusted program give a file its content again.
func restore(name string) error { return runs(trusted, "restore", name) }

func init() {
	acts["restore"] = func(args []string) error { return os.WriteFile(args[0], []byte(content), 0o644) }
	acts["inherit"] = func(args []string) error { // opens a file and starts a program that someone untrusted could have written
		file, err := os.OpenFile(args[0], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		c := command(args[1], "use")
		c.ExtraFiles = []*os.File{file}
		return outcomeOf(c)
	}
	acts["give"] = func(args []string) error { // sends an open file over a socket
		file, err := os.OpenFile(args[0], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return unix.Sendmsg(3, []byte("x"), unix.UnixRights(int(file.Fd())), nil, 0)
	}
	acts["use"] = func([]string) error { _, err := os.NewFile(3, "inherited").WriteString("x"); return err }
}

func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

func linkByDescriptor(s *scene) error {
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", s.before.Fd()), unix.AT_FDCWD, s.outside+"/new", unix.AT_SYMLINK_FOLLOW)
}

// mounted does something while something is mounted at a place.
func mounted(place string, mount, act func() error) error {
	if err := mount(); err != nil {
		return fmt.Errorf("mount: %s", err) // not the error that the test waits for
	}
	err := act()
	return errors.Join(err, unix.Unmount(place, unix.MNT_DETACH))
}

const deepName = "a-name-of-about-forty-bytes-in-each-level"

// makeDeep makes nested mounts, a long name and deep directories in the protected directory.
func (s *scene) makeDeep() {
	for _, place := range []string{s.dir + "/m", s.dir + "/m/n"} {
		require.NoError(s.t, os.MkdirAll(place, 0o755))
		require.NoError(s.t, unix.Mount("none", place, "tmpfs", 0, ""))
		s.t.Cleanup(func() { require.NoError(s.t, unix.Unmount(place, unix.MNT_DETACH)) })
	}
	require.NoError(s.t, os.WriteFile(s.dir+"/m/n/file", nil, 0o644))
	require.NoError(s.t, os.WriteFile(s.dir+"/"+strings.Repeat("n", 255), nil, 0o644))
	require.NoError(s.t, s.descend(200, func(at int) error {
		if err := unix.Mkdirat(at, deepName, 0o755); err != nil {
			return err
		}
		file, err := unix.Openat(at, "file", unix.O_CREAT|unix.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		return unix.Close(file)
	}))
}

// descend goes so many directories down, doing something in each.
func (s *scene) descend(depth int, in func(at int) error) error {
	at, err := unix.Open(s.dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer func() { unix.Close(at) }()
	for range depth {
		if err := in(at); err != nil {
			return err
		}
		below, err := unix.Openat(at, deepName, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		unix.Close(at)
		at = below
	}
	return nil
}

// opensDeep opens the file in the directory at this depth for writing.
func (s *scene) opensDeep(depth int) error {
	level := 0
	return s.descend(depth, func(at int) error {
		level++
		if level < depth {
			return nil
		}
		file, err := unix.Openat(at, "file", unix.O_WRONLY, 0)
		if err == nil {
			unix.Close(file)
		}
		return err
	})
}

// maps maps the file that was open before.
func (s *scene) maps(protection int) error {
	memory, err := unix.Mmap(int(s.before.Fd()), 0, 4096, protection, unix.MAP_SHARED)
	if err == nil {
		return unix.Munmap(memory)
	}
	return err
}

// copies copies from a file into the one that was open before.
func (s *scene) copies(by func(from, to int) error) error {
	from, err := os.Open(s.outside + "/other")
	if err != nil {
		return err
	}
	defer from.Close()
	return by(int(from.Fd()), int(s.before.Fd()))
}

func copyRange(from, to int) error {
	_, err := unix.CopyFileRange(from, nil, to, nil, 5, 0)
	return err
}

func sendFile(from, to int) error {
	_, err := unix.Sendfile(to, from, nil, 5)
	return err
}

func splice(from, to int) error {
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	if _, err := unix.Splice(from, nil, pipe[1], nil, 5, 0); err != nil {
		return fmt.Errorf("fill the pipe: %s", err)
	}
	_, err := unix.Splice(pipe[0], nil, to, nil, 5, 0)
	return err
}

// takesDescriptor takes the open file of a trusted process.
func (s *scene) takesDescriptor() error {
	pid, fd := holds(s.t, trusted, s.file)
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("open the process: %s", err)
	}
	defer unix.Close(process)
	taken, err := unix.PidfdGetfd(process, fd, 0)
	if err == nil {
		unix.Close(taken)
	}
	return err
}

// inheritsDescriptor lets a program that was changed use what a trusted one opened.
func (s *scene) inheritsDescriptor() error {
	changed := s.outside + "/changed"
	if err := copyFile(stranger, changed); err != nil {
		return err
	}
	return runs(trusted, "inherit", s.file, changed)
}

// receivesDescriptor takes the open file that a trusted process sends over a socket. Where it is refused the message comes without it.
func (s *scene) receivesDescriptor() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	defer theirs.Close()
	c := command(trusted, "give", s.file)
	c.ExtraFiles = []*os.File{theirs}
	if err := c.Run(); err != nil {
		return fmt.Errorf("give: %s", err)
	}
	said, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	n, length, _, _, err := unix.Recvmsg(pair[0], said, rights, 0)
	if err != nil || n != 1 {
		return fmt.Errorf("receive %d bytes: %v", n, err)
	}
	if length == 0 {
		return unix.EPERM
	}
	messages, err := unix.ParseSocketControlMessage(rights[:length])
	if err != nil {
		return fmt.Errorf("read the message: %s", err)
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return fmt.Errorf("read the message: %s", err)
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	return nil
}

// minimalACL is an access control list with the entries of a mode.
var minimalACL = []byte{2, 0, 0, 0, 1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff, 4, 0, 6, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 6, 0, 0xff, 0xff, 0xff, 0xff}

func setFlags(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, 0x20)
}

// setFlagsByName makes a file immutable by file_setattr(2), where the kernel has it.
func setFlagsByName(name string) error {
	const number, immutable = 469, 1 << 3
	attributes := struct {
		flags                          uint64
		extent, extents, project, copy uint32
	}{flags: immutable}
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	dir := unix.AT_FDCWD
	err = call(number, uintptr(dir), uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes), 0)
	if errors.Is(err, unix.ENOSYS) {
		return setFlags(name)
	}
	return err
}

// overlay mounts one directory over another, and does something in the merged view.
func (s *scene) overlay(lower, upper string, act func(merged string) error) error {
	work, merged := s.dir+"-work", s.dir+"-merged"
	for _, dir := range []string{work, merged} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	return mounted(merged, func() error { return unix.Mount("overlay", merged, "overlay", 0, options) },
		func() error { return act(merged) })
}
