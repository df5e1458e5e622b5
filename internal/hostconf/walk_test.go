// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes a file with its mode below a root.
func write(t *testing.T, root, path, text string, mode os.FileMode) {
	full := filepath.Join(root, path)
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
	require.NoError(t, os.Chmod(full, mode))
}

// accountsOfThisUser are files in which whoever runs the test is an account.
func accountsOfThisUser(t *testing.T, root string) {
	write(t, root, "etc/passwd", fmt.Sprintf("me:x:%d:%d::/:/bin/sh\n", os.Getuid(), os.Getgid()), 0o644)
	write(t, root, "etc/group", fmt.Sprintf("me:x:%d:\n", os.Getgid()), 0o644)
}

func TestWalkFindsWhatIsAskedFor(t *testing.T) {
	root := t.TempDir()
	accountsOfThisUser(t, root)
	write(t, root, "srv/open", "", 0o666)
	write(t, root, "srv/closed", "", 0o664)
	write(t, root, "usr/bin/run", "", 0o755|os.ModeSetuid)
	write(t, root, "usr/bin/group", "", 0o755|os.ModeSetgid)
	require.NoError(t, os.Mkdir(filepath.Join(root, "tmp"), 0o755))
	require.NoError(t, os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(root, "link")))
	found, err := New(root).Walk()
	require.NoError(t, err)
	byPath := map[string]Found{}
	for _, f := range found {
		byPath[f.Path] = f
	}
	require.Len(t, byPath, 4)
	assert.True(t, byPath["/srv/open"].WorldWritable)
	assert.True(t, byPath["/usr/bin/run"].SetUID)
	assert.True(t, byPath["/usr/bin/group"].SetGID)
	assert.Equal(t, uint32(0o1777), byPath["/tmp"].Mode)
	assert.True(t, byPath["/tmp"].Directory)
}

func TestWalkFindsWhatBelongsToNobody(t *testing.T) {
	root := t.TempDir()
	write(t, root, "etc/passwd", "other:x:4000000:4000000::/:/bin/sh\n", 0o644)
	write(t, root, "etc/group", "other:x:4000000:\n", 0o644)
	found, err := New(root).Walk()
	require.NoError(t, err)
	require.Len(t, found, 3)
	for _, f := range found {
		assert.True(t, f.NoOwner && f.NoGroup, f.Path)
	}
}

// TestWalkLeavesContainersTheirFiles has files that would be somebody's fault on the host, and are an image's in the stores of engines.
func TestWalkLeavesContainersTheirFiles(t *testing.T) {
	root := t.TempDir()
	write(t, root, "etc/passwd", "other:x:4000000:4000000::/:/bin/sh\n", 0o644)
	write(t, root, "etc/group", "other:x:4000000:\n", 0o644)
	for _, dir := range []string{"var/lib/docker/overlay2/a/diff", "home/ana/.local/share/containers/storage/overlay/a"} {
		write(t, root, dir+"/open", "", 0o666)
		write(t, root, dir+"/run", "", 0o755|os.ModeSetuid)
	}
	write(t, root, "var/lib/dockers/open", "", 0o666)
	found, err := New(root).Walk()
	require.NoError(t, err)
	byPath := map[string]Found{}
	for _, f := range found {
		byPath[f.Path] = f
	}
	for _, dir := range []string{"/var/lib/docker/overlay2/a/diff", "/home/ana/.local/share/containers/storage/overlay/a"} {
		assert.NotContains(t, byPath, dir)
		assert.NotContains(t, byPath, dir+"/open")
		require.Contains(t, byPath, dir+"/run")
		assert.True(t, byPath[dir+"/run"].SetUID)
		assert.False(t, byPath[dir+"/run"].NoOwner)
	}
	assert.True(t, byPath["/var/lib/dockers/open"].WorldWritable && byPath["/var/lib/dockers/open"].NoOwner)
}

// TestWalkOfManyDirectories has more than the channel between workers holds.
func TestWalkOfManyDirectories(t *testing.T) {
	root := t.TempDir()
	accountsOfThisUser(t, root)
	const width, depth = 1500, 40
	for i := range width {
		require.NoError(t, os.Mkdir(filepath.Join(root, fmt.Sprint(i)), 0o755))
	}
	deep := root
	for range depth {
		deep = filepath.Join(deep, "d")
	}
	require.NoError(t, os.MkdirAll(deep, 0o755))
	write(t, root, filepath.Join(deep[len(root):], "open"), "", 0o666)
	found, err := New(root).Walk()
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.True(t, found[0].WorldWritable)
}

func TestWalkWithoutAccountsKnowsRootsFiles(t *testing.T) {
	h := New(t.TempDir())
	write(t, h.root, "open", "", 0o666)
	found, err := h.Walk()
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, os.Getuid() != 0, found[0].NoOwner)
	users, groups := h.OwnersKnown()
	assert.ErrorIs(t, users, os.ErrNotExist)
	assert.ErrorIs(t, groups, os.ErrNotExist)
}

func TestLinksStayBelowTheRoot(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(outside, []byte("x"), 0o600))
	root := t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(root, "a")))
	require.NoError(t, os.Symlink(filepath.Dir(outside), filepath.Join(root, "d")))
	h := New(root)
	_, err := h.Read("/a")
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = h.Read("/d/secret")
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.False(t, h.Exists("/../../"+outside))
}
