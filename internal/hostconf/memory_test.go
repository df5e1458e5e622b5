// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// old makes a file's times old enough to tell of a change after them.
func old(t *testing.T) { time.Sleep(2 * settled); t.Helper() }

func TestNextTellsWhatChanged(t *testing.T) {
	for name, tc := range map[string]struct {
		ask    func(h *Host)
		change func(root string) error
	}{
		"text": {func(h *Host) { _, _ = h.Read("/etc/a") }, func(root string) error { return os.WriteFile(root+"/etc/a", []byte("2"), 0o600) }},
		"text of the same length and time": {func(h *Host) { _, _ = h.Read("/etc/a") }, func(root string) error {
			info, err := os.Stat(root + "/etc/a")
			if err != nil {
				return err
			}
			if err := os.WriteFile(root+"/etc/a", []byte("3"), 0o600); err != nil {
				return err
			}
			return os.Chtimes(root+"/etc/a", info.ModTime(), info.ModTime())
		}},
		"a file that was not there": {func(h *Host) { _, _ = h.Read("/etc/new") }, func(root string) error { return os.WriteFile(root+"/etc/new", nil, 0o600) }},
		"a file that is gone":       {func(h *Host) { _, _ = h.Read("/etc/a") }, func(root string) error { return os.Remove(root + "/etc/a") }},
		"a mode":                    {func(h *Host) { _, _ = h.Lstat("/etc/a") }, func(root string) error { return os.Chmod(root+"/etc/a", 0o640) }},
		"a mode behind a link":      {func(h *Host) { _, _ = h.Stat("/etc/l") }, func(root string) error { return os.Chmod(root+"/etc/a", 0o640) }},
		"names":                     {func(h *Host) { _, _ = h.Names("/etc") }, func(root string) error { return os.WriteFile(root+"/etc/new", nil, 0o600) }},
		"a pattern":                 {func(h *Host) { _, _ = h.Glob("/etc/*.conf") }, func(root string) error { return os.WriteFile(root+"/etc/b.conf", nil, 0o600) }},
		"a link": {func(h *Host) { _, _ = h.Readlink("/etc/l") }, func(root string) error {
			return os.Rename(filepath.Join(root, "etc/m"), filepath.Join(root, "etc/l"))
		}},
		"what the kernel makes up": {func(h *Host) { _, _, _ = h.Sysctl("kernel.a") }, func(root string) error { return os.WriteFile(root+"/proc/sys/kernel/a", []byte("2"), 0o600) }},
		"a fact of several files":  {func(h *Host) { _, _ = h.Accounts() }, func(root string) error { return os.WriteFile(root+"/etc/shadow", nil, 0o600) }},
		"a fact that was known":    {func(h *Host) { _, _ = h.Accounts(); _, _ = h.Accounts() }, func(root string) error { return os.WriteFile(root+"/etc/group", nil, 0o600) }},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			accountsOfThisUser(t, root)
			write(t, root, "etc/a", "1", 0o600)
			write(t, root, "proc/sys/kernel/a", "1", 0o600)
			require.NoError(t, os.Symlink("a", root+"/etc/l"))
			require.NoError(t, os.Symlink("b", root+"/etc/m"))
			old(t)
			h := Kept(root, Effort{}, nil)
			watched := h.Watched()
			tc.ask(watched)
			require.NotEmpty(t, watched.Looks())
			next, changed := h.Next()
			assert.False(t, changed(watched.Looks()), "nothing has changed")
			require.NoError(t, tc.change(root))
			_, changed = next.Next()
			assert.True(t, changed(watched.Looks()))
		})
	}
}

func TestWhatWasJustChangedCountsAsChangedOnceMore(t *testing.T) {
	root := t.TempDir()
	write(t, root, "etc/a", "1", 0o600)
	h := Kept(root, Effort{}, nil)
	watched := h.Watched()
	_, err := watched.Read("/etc/a")
	require.NoError(t, err)
	now := time.Now()
	assert.True(t, stamp{changed: now.UnixNano()}.isRacy(now.Add(settled/2)))
	assert.False(t, stamp{changed: now.UnixNano()}.isRacy(now.Add(settled)))
	h.memory.racy.Store(Look{bytesOf, "/etc/a"}, true)
	_, changed := h.Next()
	assert.True(t, changed(watched.Looks()))
}

func TestNextKeepsFactsAndLetsGoOfBytes(t *testing.T) {
	root := t.TempDir()
	accountsOfThisUser(t, root)
	old(t)
	h := Kept(root, Effort{}, nil)
	watched := h.Watched()
	first, err := watched.Accounts()
	require.NoError(t, err)
	h.Settle(watched.Looks())
	_, held := h.memory.values.Load(contentOf + "/etc/passwd")
	assert.False(t, held)
	next, _ := h.Next()
	again, err := next.Accounts()
	require.NoError(t, err)
	assert.Same(t, first, again)
	next.Settle()
	stamps := 0
	next.memory.stamps.Range(func(any, any) bool { stamps++; return true })
	assert.Equal(t, 3, stamps, "passwd, shadow and group")
}

func TestFactsThatCannotBeComparedAreReadAnew(t *testing.T) {
	root := t.TempDir()
	write(t, root, "proc/1/comm", "init\n", 0o600)
	h := Kept(root, Effort{}, nil)
	watched := h.Watched()
	_, err := watched.Processes()
	require.NoError(t, err)
	_, changed := h.Next()
	assert.True(t, changed(watched.Looks()))
	assert.Len(t, watched.Looks(), 1, "single processes are not remembered")
}
