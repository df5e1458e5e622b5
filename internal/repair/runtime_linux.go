// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

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
