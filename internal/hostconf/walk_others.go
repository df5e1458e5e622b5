// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package hostconf

import "syscall"

// isLocal keeps the walk on the file system that it began on.
func isLocal(string) bool { return false }

// isInMemory knows of none.
func isInMemory(string) bool { return false }

// changeTime is when anything about a file was changed last.
func changeTime(st *syscall.Stat_t) int64 { return st.Ctimespec.Nano() }
