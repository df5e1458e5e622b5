// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// mount mounts a file system for the time of a test.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	require.NoError(t, unix.Mount(source, target, kind, flags, data))
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(target, unix.MNT_DETACH)) })
}

// fillBut leaves so many bytes free on a file system.
func fillBut(t *testing.T, dir string, free int64) {
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &st))
	size := int64(st.Bavail)*st.Bsize - free
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tmp/filler"), make([]byte, size), 0o600))
}

// TestFullDisk repairs with less and more space, until there is enough: what does not fit leaves the host as it was.
func TestFullDisk(t *testing.T) {
	ring.RequireOnHost(t)
	b := primitives(t)
	for _, rule := range []string{"config.dropin", "line", "account.days", "unit.enabled"} {
		t.Run(rule, func(t *testing.T) {
			outcomes := map[string]bool{}
			for free := int64(0); !outcomes[Fixed]; free += int64(os.Getpagesize()) {
				root := t.TempDir()
				mount(t, "tmpfs", root, "tmpfs", 0, "size=4m,mode=755")
				fillHost(t, root)
				require.NoError(t, openAt(t, root).Close())
				before := snapshot(t, root)
				fillBut(t, root, free)
				outcomes[fixOnFullDisk(t, root, rule)] = true
				require.NoError(t, os.Remove(filepath.Join(root, "tmp/filler")))
				require.NoError(t, openAt(t, root).Close())
				if verdict(t, root, b, rule) != "pass" {
					assertSame(t, before, snapshot(t, root), rule)
				}
			}
			assert.Greater(t, len(outcomes), 1, "it failed before it was done")
		})
	}
}

func fixOnFullDisk(t *testing.T, root, rule string) string {
	r, _, err := Open(root)
	if err != nil {
		assert.ErrorIs(t, err, unix.ENOSPC)
		return "not opened"
	}
	defer func() { assert.NoError(t, r.Close()) }()
	report, err := r.Fix(context.Background(), primitives(t), Options{Rules: []string{rule}})
	if err != nil {
		assert.ErrorIs(t, err, unix.ENOSPC)
	}
	require.Len(t, report.Rules, 1)
	if errors.Is(err, unix.ENOSPC) {
		return "not ended"
	}
	return report.Rules[0].Result
}

func TestReadOnlyFileSystem(t *testing.T) {
	ring.RequireOnHost(t)
	root, b := newHost(t), primitives(t)
	before := snapshot(t, root)
	etc := filepath.Join(root, "etc")
	mount(t, etc, etc, "", unix.MS_BIND, "")
	require.NoError(t, unix.Mount("", etc, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	elsewhere := []string{"boot.mode", "home", "walk"}
	var rules []string
	for _, r := range b.Rules {
		if !slices.Contains(elsewhere, r.ID) {
			rules = append(rules, r.ID)
		}
	}
	for _, o := range fix(t, root, b, rules...).Rules {
		assert.Contains(t, []string{Refused, Undone}, o.Result, o.Rule)
		assert.Contains(t, o.Reason, "read-only file system", o.Rule)
	}
	assertSame(t, before, snapshot(t, root), "read-only /etc")

	whole := newHost(t)
	mount(t, whole, whole, "", unix.MS_BIND, "")
	require.NoError(t, unix.Mount("", whole, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	_, _, err := Open(whole)
	assert.ErrorIs(t, err, unix.EROFS)
}
