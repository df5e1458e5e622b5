// SPDX-License-Identifier: Apache-2.0

//go:build unix

package elasticsearchexporter

import (
	"fmt"
	"os"

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

// lock waits until nobody else holds the file. Closing the file unlocks it.
func lock(file *os.File) error {
	for {
		switch err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return fmt.Errorf("lock: %w", err)
		}
	}
}
