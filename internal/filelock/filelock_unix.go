// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Package filelock has processes wait for each other at a file (flock).
package filelock

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Lock waits until nobody else holds a file. Closing it lets go of it, also by the end of the program.
func Lock(file *os.File) error { return flock(file, unix.LOCK_EX) }

// Unlock lets go of a file that stays open.
func Unlock(file *os.File) error { return flock(file, unix.LOCK_UN) }

// flock tries again where a signal ended the wait.
func flock(file *os.File, how int) error {
	for {
		switch err := unix.Flock(int(file.Fd()), how); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return fmt.Errorf("lock %s: %w", file.Name(), err)
		}
	}
}
