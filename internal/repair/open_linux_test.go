// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestOpenFollowsNoLink opens what is there itself, and not what somebody else has put in its place.
func TestOpenFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a/b/file"), []byte("text"), 0o644))
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink("file", filepath.Join(dir, "a/b/link")))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "a/pipe"), 0o644))
	for path, works := range map[string]bool{
		"/a/b/file": true, "/a/b": true, "/a": true, "/a/b/link": false, "/link/b/file": false, "/link": false, "/a/pipe": false, "/a/none": false,
		"/a/b/file/x": false,
	} {
		f, err := root(dir).open(path)
		if !works {
			assert.Error(t, err, path)
			continue
		}
		require.NoError(t, err, path)
		info, err := f.Stat()
		require.NoError(t, err)
		assert.Equal(t, filepath.Base(path) == "file", info.Mode().IsRegular(), path)
		require.NoError(t, f.Close())
	}
}
