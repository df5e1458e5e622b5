// SPDX-License-Identifier: Apache-2.0

// Package bpffs is about the file system in which what is in the kernel outlives the process that put it there.
package bpffs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Root is its usual place.
const Root = "/sys/fs/bpf"

// Mount mounts it at its usual place where it is not.
func Mount() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(Root, &fs); err == nil && fs.Type == unix.BPF_FS_MAGIC {
		return nil
	}
	if err := unix.Mount("bpf", Root, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return fmt.Errorf("mount the BPF file system at %s: %w", Root, err)
	}
	return nil
}
