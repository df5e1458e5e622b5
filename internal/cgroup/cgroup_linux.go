// SPDX-License-Identifier: Apache-2.0

// Package cgroup reaches the tree of version 2 cgroups on hosts that have not mounted it.
package cgroup

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Private opens the root of the cgroups of version 2, which exist whether or not the host has them mounted, by a mount of its own that
// ends with the file. Below /proc/self/fd, by the file's number, is the tree.
func Private() (*os.File, error) {
	fs, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open cgroup2: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("create a cgroup2 instance: %w", err)
	}
	root, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("mount cgroup2 privately: %w", err)
	}
	return os.NewFile(uintptr(root), "cgroup2"), nil
}
