// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// open opens a file or directory that no link leads to, and nothing else: others may have put there what is not to be opened. It goes step by step,
// as kernels before 5.6, such as RHEL 8's, cannot do that in one.
func (r root) open(path string) (*os.File, error) {
	fd, err := unix.Open(string(r), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	names := strings.Split(strings.Trim(path, "/"), "/")
	for i, name := range names {
		flags := unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
		if i < len(names)-1 {
			flags |= unix.O_DIRECTORY
		}
		next, err := unix.Openat(fd, name, flags, 0)
		if err != nil {
			return nil, err
		}
		_ = unix.Close(fd)
		fd = next
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return nil, fmt.Errorf("found the type %#o, expected a file or directory", kind)
	}
	return os.Open("/proc/self/fd/" + strconv.Itoa(fd))
}

// isProc reports whether a file is the kernel's own.
func isProc(full string) bool {
	var st unix.Statfs_t
	return unix.Statfs(full, &st) == nil && st.Type == unix.PROC_SUPER_MAGIC
}

// mountFlags are options that belong to a mount and not to its file system.
var mountFlags = map[string]uintptr{
	"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "noatime": unix.MS_NOATIME,
	"nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME,
}

// remount gives a mount other options.
func (r *Repairer) remount(c Change) error {
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND)
	for option := range strings.SplitSeq(c.New, ",") {
		flags |= mountFlags[option]
	}
	if err := unix.Mount("", c.Path, "", flags, ""); err != nil {
		return fmt.Errorf("mounting %s again with %s: %w", c.Path, c.New, err)
	}
	return nil
}

// isMountFlag reports whether an option can be changed while the file system is mounted.
func isMountFlag(option string) bool { return mountFlags[option] != 0 }
