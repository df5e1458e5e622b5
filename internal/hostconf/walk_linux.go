// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// localFileSystems are those that hold the host's own files. Overlays are left out because what is below them is walked, and
// ramfs and the like because the kernel makes what is in them.
var localFileSystems = []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC,
	unix.TMPFS_MAGIC, unix.REISERFS_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC, zfsMagic}

const zfsMagic = 0x2fc12fc1

// isLocal reports whether a directory on another device than its parent is one to walk.
func isLocal(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && slices.Contains(localFileSystems, int64(fs.Type))
}

// isInMemory reports whether a directory is on a file system that the next start empties.
func isInMemory(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && int64(fs.Type) == unix.TMPFS_MAGIC
}

// changeTime is when anything about a file was changed last.
func changeTime(st *syscall.Stat_t) int64 { return st.Ctim.Nano() }
