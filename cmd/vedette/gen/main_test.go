// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGeneratedFilesAreCurrent(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	files, err := generate(filepath.Join(root, "builder-config.yaml"))
	require.NoError(t, err)
	require.Len(t, files, len(kept))
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, "cmd", "vedette", name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "%s is stale: run make generate", name)
	}
}

func TestBadConfigurations(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct{ content, want string }{
		"syntax":    {"dist: [", "did not find expected"},
		"no dist":   {"receivers: []", "no map under the key dist"},
		"component": {"dist: {module: example.com/x}\nreceivers:\n  - import: example.com/y\n", "run " + builder},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "builder-config.yaml")
			require.NoError(t, os.WriteFile(path, []byte(tt.content), 0o600))
			_, err := generate(path)
			assert.ErrorContains(t, err, tt.want)
		})
	}
	_, err := generate(filepath.Join(dir, "missing.yaml"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
