// SPDX-License-Identifier: Apache-2.0

package port

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFree(t *testing.T) {
	port, err := Free()
	require.NoError(t, err)
	assert.True(t, first <= port && port <= last, port)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
