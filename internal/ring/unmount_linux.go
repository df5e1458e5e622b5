// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Unmount unmounts what a test has mounted. Others who look at all file systems of this host have something open for moments, so it is
// tried again; who keeps something open fails the test.
func Unmount(t testing.TB, dir string) {
	t.Helper()
	const longest = 2 * time.Minute
	for deadline := time.Now().Add(longest); ; time.Sleep(time.Millisecond) {
		err := unix.Unmount(dir, 0)
		if err == nil {
			return
		}
		if err != unix.EBUSY || time.Now().After(deadline) {
			t.Errorf("unmount %s: %v", dir, err)
			return
		}
	}
}
