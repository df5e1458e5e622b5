// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func openTestFile(t *testing.T, path string, rotation RotationConfig) *logFile {
	f, err := openLogFile(path, rotation)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.close()) })
	return f
}

func content(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// backups returns the rotated files.
func backups(t *testing.T, path string) []string {
	found, err := filepath.Glob(strings.TrimSuffix(path, ".jsonl") + "-*")
	require.NoError(t, err)
	return found
}

func TestRotationBySize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	f := openTestFile(t, path, RotationConfig{MaxSizeMiB: 1})
	first := strings.Repeat("x", 1<<20-10) + "\n"
	require.NoError(t, f.write([]byte(first)))
	require.NoError(t, f.write([]byte("123456789")), "fills the file to the last byte")
	require.Empty(t, backups(t, path))
	require.NoError(t, f.write([]byte("\n")))
	require.Len(t, backups(t, path), 1)
	assert.Equal(t, "\n", content(t, path))
	assert.Equal(t, first+"123456789", content(t, backups(t, path)[0]))
	for _, p := range append(backups(t, path), path) {
		assert.Equal(t, os.FileMode(0o600), modeOf(t, p))
	}
}

func TestAWriteLargerThanAFileStaysWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	f := openTestFile(t, path, RotationConfig{MaxSizeMiB: 1})
	large := strings.Repeat("x", 3<<20) + "\n"
	require.NoError(t, f.write([]byte("small\n")))
	require.NoError(t, f.write([]byte(large)))
	require.Len(t, backups(t, path), 1)
	assert.Equal(t, "small\n", content(t, backups(t, path)[0]))
	assert.Equal(t, large, content(t, path))
}

func TestRotationByAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	f := openTestFile(t, path, RotationConfig{MaxSizeMiB: 1, Interval: 24 * time.Hour})
	now := at
	f.now = func() time.Time { return now }
	require.NoError(t, f.write([]byte("one\n")))
	now = now.Add(24*time.Hour - 1)
	require.NoError(t, f.write([]byte("two\n")))
	require.Empty(t, backups(t, path))
	now = now.Add(1)
	require.NoError(t, f.write([]byte("three\n")))
	require.Len(t, backups(t, path), 1)
	assert.Equal(t, "one\ntwo\n", content(t, backups(t, path)[0]))
	assert.Equal(t, "three\n", content(t, path))
	now = now.Add(time.Hour)
	require.NoError(t, f.write([]byte("four\n")))
	assert.Len(t, backups(t, path), 1)
}

func TestAgeOutlivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("old\n"), 0o600))
	born := birth(path)
	if born.IsZero() {
		t.Skip("this file system does not know when a file was made")
	}
	f := openTestFile(t, path, RotationConfig{MaxSizeMiB: 1, Interval: time.Hour})
	f.now = func() time.Time { return born.Add(time.Hour - 1) }
	require.NoError(t, f.write([]byte("still\n")))
	require.Empty(t, backups(t, path))
	f.now = func() time.Time { return born.Add(time.Hour) }
	require.NoError(t, f.write([]byte("new\n")))
	assert.Len(t, backups(t, path), 1)
	assert.Equal(t, "new\n", content(t, path))
}

func TestOldFilesAreDeletedAndCompressed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	f, err := openLogFile(path, RotationConfig{MaxSizeMiB: 1, Interval: time.Hour, MaxBackups: 2, Compress: true})
	require.NoError(t, err)
	now := at
	f.now = func() time.Time { return now }
	for _, line := range []string{"1\n", "2\n", "3\n", "4\n"} {
		require.NoError(t, f.write([]byte(line)))
		now = now.Add(time.Hour)
	}
	require.NoError(t, f.close(), "waits for what is compressed and deleted")
	assert.Equal(t, "4\n", content(t, path))
	f = openTestFile(t, path, f.rotation)
	require.NoError(t, f.drop(), "deletes and compresses what a rotation on the way left")
	kept := backups(t, path)
	require.Len(t, kept, 2)
	for i, want := range []string{"2\n", "3\n"} {
		require.Equal(t, ".gz", filepath.Ext(kept[i]))
		assert.Equal(t, os.FileMode(0o600), modeOf(t, kept[i]))
		file, err := os.Open(kept[i])
		require.NoError(t, err)
		unpacked, err := gzip.NewReader(file)
		require.NoError(t, err)
		text, err := io.ReadAll(unpacked)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		assert.Equal(t, want, string(text))
	}
}

func TestOtherProgramsMayTouchTheFile(t *testing.T) {
	for name, tc := range map[string]struct {
		touch func(t *testing.T, path string)
		want  string
	}{
		"renamed":           {func(t *testing.T, path string) { require.NoError(t, os.Rename(path, path+".1")) }, "after\n"},
		"removed":           {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "after\n"},
		"directory removed": {func(t *testing.T, path string) { require.NoError(t, os.RemoveAll(filepath.Dir(path))) }, "after\n"},
		"cut":               {func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) }, "after\n"},
		"replaced": {func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path+".new", []byte("other\n"), 0o600))
			require.NoError(t, os.Rename(path+".new", path))
		}, "other\nafter\n"},
		"left alone": {func(*testing.T, string) {}, "before\nafter\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log", "a.jsonl")
			f := openTestFile(t, path, RotationConfig{MaxSizeMiB: 1, Interval: time.Minute})
			now := at
			f.now = func() time.Time { return now }
			// The file that a rotation made is as good as one that was opened.
			require.NoError(t, f.write([]byte("earlier\n")))
			now = now.Add(time.Minute)
			require.NoError(t, f.write([]byte("before\n")))
			tc.touch(t, path)
			require.NoError(t, f.write([]byte("after\n")))
			assert.Equal(t, tc.want, content(t, path))
			assert.Equal(t, os.FileMode(0o600), modeOf(t, path))
			assert.Equal(t, os.FileMode(0o700), modeOf(t, filepath.Dir(path)))
			if name == "renamed" {
				assert.Equal(t, "before\n", content(t, path+".1"))
			}
		})
	}
}
