// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// isProc reports whether a file is the kernel's own.
// open opens a file or directory that no link leads to, and nothing else: others may have put there what is not to be opened.
func (r root) open(path string) (*os.File, error) {
	dir, err := os.Open(string(r))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	relative := strings.TrimPrefix(path, "/")
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(int(dir.Fd()), relative, &how)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return nil, fmt.Errorf("found the type %#o, expected a file or directory", kind)
	}
	return os.Open("/proc/self/fd/" + strconv.Itoa(fd))
}

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
