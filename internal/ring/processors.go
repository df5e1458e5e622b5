// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"runtime"
	"testing"
)

// TwoProcessors lets a test that has one processor use two. One that starts programs and itself answers the kernel whether they may
// run needs them: Go keeps the processor of who starts a program until that runs.
func TwoProcessors(t testing.TB) {
	if before := runtime.GOMAXPROCS(0); before < 2 {
		runtime.GOMAXPROCS(2)
		t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	}
}
