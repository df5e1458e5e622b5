// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCommittedFilesAreCurrent finds files that are stale.
func TestCommittedFilesAreCurrent(t *testing.T) {
	files, err := generate("../../..")
	require.NoError(t, err)
	assert.Len(t, files, 9)
	for path, want := range files {
		have, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(have), "%s is stale; `make generate-go` writes it anew", path)
	}
}
