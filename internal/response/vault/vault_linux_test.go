// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// sample makes a file that has everything a file can have.
func sample(t *testing.T, directory string) (string, Meta) {
	path := filepath.Join(directory, "sample")
	require.NoError(t, os.WriteFile(path, []byte("evil\n"), 0o600))
	require.NoError(t, os.Chown(path, 1234, 2345))
	require.NoError(t, unix.Chmod(path, 0o4755))
	if err := unix.Setxattr(path, "user.origin", []byte("x\x00y"), 0); err != nil {
		require.ErrorIs(t, err, unix.ENOTSUP)
	}
	then := time.Date(2020, 1, 2, 3, 4, 5, 678, time.UTC)
	require.NoError(t, os.Chtimes(path, then, then.Add(time.Hour)))
	return path, metaOf(t, path)
}

func metaOf(t *testing.T, path string) Meta {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOATIME, 0)
	require.NoError(t, err)
	defer file.Close()
	var m Meta
	require.NoError(t, describe(file, &m))
	m.SHA256, err = digest(file)
	require.NoError(t, err)
	return m
}

// otherFileSystem returns a directory on another file system than the one of the other directory.
func otherFileSystem(t *testing.T) string {
	directory := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", directory, "tmpfs", 0, ""))
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(directory, 0)) })
	return directory
}

func TestStoreAndRestore(t *testing.T) {
	ring.Require(t, ring.Native)
	for name, directories := range map[string]func() (files, vault string){
		"same file system":    func() (string, string) { return t.TempDir(), t.TempDir() },
		"another file system": func() (string, string) { return otherFileSystem(t), t.TempDir() },
	} {
		t.Run(name, func(t *testing.T) {
			files, root := directories()
			v := Vault{filepath.Join(root, "vault")}
			path, before := sample(t, files)
			meta, err := v.Store(Meta{ID: "1", Path: path, Inode: before.Inode, Rule: "r", AlertID: "a", Time: time.Unix(1, 0).UTC()})
			require.NoError(t, err)
			assert.NoFileExists(t, path)
			entries, err := os.ReadDir(files)
			require.NoError(t, err)
			assert.Empty(t, entries)
			info, err := os.Stat(v.content("1"))
			require.NoError(t, err)
			assert.Equal(t, fs.FileMode(0), info.Mode())
			stored, err := v.Read("1")
			require.NoError(t, err)
			assert.Equal(t, meta, stored)
			assert.Equal(t, "r", stored.Rule)

			_, err = v.Restore("1")
			require.NoError(t, err)
			after := metaOf(t, path)
			if name != "same file system" {
				before.Inode = after.Inode
			}
			assert.Equal(t, before, after)
			assert.False(t, v.Holds("1"))
			_, err = v.Restore("1")
			assert.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
}

func TestStoreRefuses(t *testing.T) {
	ring.Require(t, ring.Native)
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, path string, meta *Meta)
		want    string
	}{
		"another inode": {func(t *testing.T, path string, _ *Meta) {
			require.NoError(t, os.WriteFile(path+".new", []byte("good"), 0o600))
			require.NoError(t, os.Rename(path+".new", path))
		}, "is another file by now"},
		"a symbolic link": {func(t *testing.T, path string, _ *Meta) {
			require.NoError(t, os.Rename(path, path+".real"))
			require.NoError(t, os.Symlink(path+".real", path))
		}, "is a symbolic link"},
		"a directory": {func(t *testing.T, path string, meta *Meta) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
			meta.Inode = 0
		}, "is no regular file"},
		"a fifo": {func(t *testing.T, path string, meta *Meta) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, unix.Mkfifo(path, 0o700))
			meta.Inode = 0
		}, "is no regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			path, meta := sample(t, t.TempDir())
			tc.prepare(t, path, &meta)
			v := Vault{filepath.Join(t.TempDir(), "vault")}
			_, err := v.Store(Meta{ID: "1", Path: path, Inode: meta.Inode})
			require.ErrorIs(t, err, ErrRefused)
			assert.ErrorContains(t, err, tc.want)
			_, err = os.Lstat(path)
			assert.NoError(t, err, "what is there stays there")
			assert.False(t, v.Holds("1"))
		})
	}
}

func TestAReplacementUnderTheHiddenNameIsGivenBack(t *testing.T) {
	ring.Require(t, ring.Native)
	path, meta := sample(t, t.TempDir())
	meta.ID, meta.Path = "1", path
	v := Vault{t.TempDir()}
	directory, err := os.Open(filepath.Dir(path))
	require.NoError(t, err)
	defer directory.Close()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "hidden"), []byte("good"), 0o600))
	require.ErrorIs(t, v.take(directory, "hidden", file, &meta), ErrRefused)
	assert.False(t, v.Holds("1"))
}

func TestFurtherNamesOfAFileKeepIt(t *testing.T) {
	ring.Require(t, ring.Native)
	path, before := sample(t, t.TempDir())
	require.NoError(t, os.Link(path, path+".other"))
	v := Vault{filepath.Join(t.TempDir(), "vault")}
	meta, err := v.Store(Meta{ID: "1", Path: path, Inode: before.Inode})
	require.NoError(t, err)
	assert.Equal(t, uint64(2), meta.Links)
	assert.NoFileExists(t, path)
	other := metaOf(t, path+".other")
	assert.Equal(t, before, other, "as it was")
	_, err = v.Restore("1")
	require.NoError(t, err)
	restored := metaOf(t, path)
	restored.Inode = before.Inode
	assert.Equal(t, before, restored)
}

func TestRestoreOverWhatExists(t *testing.T) {
	ring.Require(t, ring.Native)
	path, before := sample(t, t.TempDir())
	v := Vault{filepath.Join(t.TempDir(), "vault")}
	_, err := v.Store(Meta{ID: "1", Path: path, Inode: before.Inode})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("other\n"), 0o600))
	_, err = v.Restore("1")
	require.ErrorIs(t, err, ErrRefused)
	assert.ErrorContains(t, err, "exists again with other content")
	assert.True(t, v.Holds("1"))
	require.NoError(t, os.WriteFile(path, []byte("evil\n"), 0o600))
	_, err = v.Restore("1")
	require.NoError(t, err)
	assert.Equal(t, before, metaOf(t, path))
}

func TestRestoreRefusesWhatWasChangedInTheVault(t *testing.T) {
	ring.Require(t, ring.Native)
	path, before := sample(t, t.TempDir())
	v := Vault{filepath.Join(t.TempDir(), "vault")}
	_, err := v.Store(Meta{ID: "1", Path: path, Inode: before.Inode})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(v.content("1"), []byte("worse"), 0o600))
	_, err = v.Restore("1")
	assert.ErrorIs(t, err, ErrRefused)
	assert.NoFileExists(t, path)
}

func TestAVaultThatOthersCanReadIsNotUsed(t *testing.T) {
	ring.Require(t, ring.Native)
	path, before := sample(t, t.TempDir())
	open := t.TempDir()
	require.NoError(t, os.Chmod(open, 0o755))
	_, err := Vault{open}.Store(Meta{ID: "1", Path: path, Inode: before.Inode})
	assert.ErrorContains(t, err, "expected a directory with mode 0700")
	assert.FileExists(t, path)
	assert.False(t, errors.Is(err, ErrRefused))
}
