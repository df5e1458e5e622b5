// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// TestForwardingLeavesRedirectsAsTheyAre changes whether the kernel of a network of its own forwards, which has it change what else it does.
func TestForwardingLeavesRedirectsAsTheyAre(t *testing.T) {
	ring.RequireOnHost(t)
	const redirects = "/proc/sys/net/ipv4/conf/all/accept_redirects"
	runtime.LockOSThread() // The thread ends with the test, as nothing unlocks it.
	require.NoError(t, unix.Unshare(unix.CLONE_NEWNET))
	r := &Repairer{root: "/"}
	for path := range changedAlong {
		for _, kept := range []string{"0", "1"} {
			for _, forwarding := range []string{"1", "0", "1"} {
				require.NoError(t, os.WriteFile(redirects, []byte(kept), 0o644))
				require.NoError(t, r.writeValue(Change{Path: path, New: forwarding}))
				now, err := r.readValue(path)
				require.NoError(t, err)
				assert.Equal(t, forwarding, now)
				now, err = r.readValue(redirects)
				require.NoError(t, err)
				assert.Equal(t, kept, now, "%s=%s", path, forwarding)
			}
		}
	}
}
