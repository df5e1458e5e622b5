// SPDX-License-Identifier: Apache-2.0

// Package fschange remembers which names on whole file systems were made, moved to or given other attributes, so that whoever
// knows all files need not look at all of them again. The kernel tells it by fanotify, whoever did it and in whichever container.
package fschange

// Change is a name that came into being or whose attributes changed.
type Change struct {
	Path      string
	Directory bool
	Made      bool // it is new under this name, so that what is in it is too
}
