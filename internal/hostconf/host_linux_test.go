// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// withoutRights does something as somebody who may not pass modes.
func withoutRights(t *testing.T, do func()) {
	if os.Getuid() != 0 {
		do()
		return
	}
	runtime.LockOSThread()
	require.NoError(t, unix.Setfsuid(65534))
	do()
	require.NoError(t, unix.Setfsuid(0))
	runtime.UnlockOSThread()
}

// TestPatternsTellWhatCannotBeLookedAt has names below a directory that nobody else may enter.
func TestPatternsTellWhatCannotBeLookedAt(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	// What is for all tests, and above, is left as it is.
	shared, err := filepath.EvalSymlinks(filepath.Clean(os.TempDir()))
	require.NoError(t, err)
	for dir := root; dir != shared && within(shared, dir); dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	write(t, root, "etc/open/a/x.conf", "a", 0o644)
	write(t, root, "etc/shut/a/x.conf", "a", 0o644)
	shut := filepath.Join(root, "etc/shut")
	require.NoError(t, os.Chmod(shut, 0o444))
	t.Cleanup(func() { _ = os.Chmod(shut, 0o755) })
	withoutRights(t, func() {
		h := Kept("/", Effort{}, nil).Watched()
		found, err := h.Glob(root + "/etc/open/*/*.conf")
		assert.NoError(t, err)
		assert.Equal(t, []string{root + "/etc/open/a/x.conf"}, found)
		for name, find := range map[string]func() ([]string, error){
			"names":       func() ([]string, error) { return h.Glob(root + "/etc/*/*/*.conf") },
			"files":       func() ([]string, error) { return h.Files([]string{root + "/etc/shut/*"}) },
			"below a dir": func() ([]string, error) { return New(root).Glob("/etc/*/*/*.conf") },
		} {
			_, err := find()
			assert.ErrorIs(t, err, fs.ErrPermission, name)
		}
	})
}
