// SPDX-License-Identifier: Apache-2.0

//go:build unix

package elasticsearchexporter

import (
	"golang.org/x/sys/unix"
)

// freeBytes is what is left on the disk for those who are not root.
func freeBytes(directory string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(directory, &stat); err != nil {
		return 0, err
	}
	return stat.Bavail * uint64(stat.Bsize), nil
}
