// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

func TestPrivate(t *testing.T) {
	ring.Require(t, ring.Native)
	root, err := Private()
	require.NoError(t, err)
	defer func() { require.NoError(t, root.Close()) }()
	assert.FileExists(t, fmt.Sprintf("/proc/self/fd/%d/cgroup.procs", root.Fd()))
}
