// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"time"

	"golang.org/x/sys/unix"
)

// birth returns when the file was made, so that its age outlives a restart; zero where the
// file system does not know.
func birth(path string) time.Time {
	var stat unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &stat)
	if err != nil || stat.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}
	}
	return time.Unix(stat.Btime.Sec, int64(stat.Btime.Nsec))
}
