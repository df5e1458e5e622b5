// SPDX-License-Identifier: Apache-2.0

package kernel

import "golang.org/x/sys/unix"

func uname() (release, version, machine string) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", "", ""
	}
	return unix.ByteSliceToString(name.Release[:]),
		unix.ByteSliceToString(name.Version[:]),
		unix.ByteSliceToString(name.Machine[:])
}
