// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func fileID(t *testing.T, path string) FileID {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Stat(path, &st))
	return FileID{Inode: st.Ino, Device: unix.Major(st.Dev)<<20 | unix.Minor(st.Dev)}
}

func TestWatchedReadsInEveryTier(t *testing.T) {
	eachTier(t, KindFileAccess, func(t *testing.T, tier Tier) {
		s := watch(t, tier, Options{Kinds: []Kind{KindFileAccess}})
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "watched", "below"), 0o700))
		for _, name := range []string{"file", "other", "watched/key", "watched/below/deep"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
		}
		require.NoError(t, os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "link")))
		read := func() []string {
			for _, name := range []string{"file", "link", "other", "watched/key", "watched/below/deep"} {
				_, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
			}
			f, err := os.OpenFile(filepath.Join(dir, "file"), os.O_WRONLY, 0)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			_, err = os.ReadDir(filepath.Join(dir, "watched"))
			require.NoError(t, err)
			var have []string
			for _, e := range events(t, s) {
				assert.Equal(t, KindFileAccess, e.kind)
				name, err := filepath.Rel(dir, e.path)
				require.NoError(t, err)
				have = append(have, name)
			}
			return have
		}
		assert.Empty(t, read())
		file, watched := fileID(t, filepath.Join(dir, "file")), fileID(t, filepath.Join(dir, "watched"))
		require.NoError(t, s.WatchReads([]FileID{file, watched}))
		assert.Equal(t, []string{"file", "link", "watched/key"}, read())
		require.NoError(t, s.WatchReads([]FileID{watched, watched}))
		assert.Equal(t, []string{"watched/key"}, read())
		require.NoError(t, s.WatchReads(nil))
		assert.Empty(t, read())
	})
}
