// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRootCgroup(t *testing.T) {
	const v1 = "30 24 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
	const part = "31 24 0:27 /machine /mnt/part rw - cgroup2 cgroup2 rw\n"
	const whole = "32 24 0:27 / /sys/fs/my\\040group rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
	have, err := rootCgroup(strings.NewReader(v1 + "short\n" + part + whole))
	require.NoError(t, err)
	assert.Equal(t, "/sys/fs/my group", have)
	_, err = rootCgroup(strings.NewReader(v1 + part))
	assert.ErrorContains(t, err, "no cgroup2 file system is mounted")
}
