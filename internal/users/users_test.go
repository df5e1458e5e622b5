// SPDX-License-Identifier: Apache-2.0

package users

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func newTable(t *testing.T, content string) (*Table, *clock, string) {
	path := filepath.Join(t.TempDir(), "passwd")
	write(t, path, content)
	c := &clock{at: time.Unix(1000, 0)}
	return New(path, c.now), c, path
}

func TestName(t *testing.T) {
	table, _, _ := newTable(t, "root:x:0:0:root:/root:/bin/bash\n# note\n+::::::\nweb:x:33:33::/:/bin/false\ntwin:x:33:33::/:\nbroken\nbad:x:many:0\nlast:x:4294967294:1")
	for uid, want := range map[uint32]string{0: "root", 33: "web", 4294967294: "last", 77: "77"} {
		assert.Equal(t, want, table.Name(uid))
	}
}

func TestNameOfOwnUser(t *testing.T) {
	if _, err := os.Stat("/etc/passwd"); err != nil {
		t.Skip("the host has no /etc/passwd")
	}
	assert.Equal(t, "root", New("/etc/passwd", time.Now).Name(0))
}

func TestFileChange(t *testing.T) {
	table, c, path := newTable(t, "a:x:1:1::/:\n")
	require.Equal(t, "a", table.Name(1))

	write(t, path, "longer:x:1:1::/:\n")
	assert.Equal(t, "a", table.Name(1), "not looked at again within a second")
	c.at = c.at.Add(time.Second)
	assert.Equal(t, "longer", table.Name(1))

	replacement := path + ".new"
	write(t, replacement, "rename:x:1:1::/:\n")
	require.NoError(t, os.Rename(replacement, path))
	c.at = c.at.Add(time.Second)
	assert.Equal(t, "rename", table.Name(1))

	require.NoError(t, os.Remove(path))
	c.at = c.at.Add(time.Second)
	assert.Equal(t, "rename", table.Name(1), "a missing file forgets nothing")
}

func TestSameSizeOtherTime(t *testing.T) {
	table, c, path := newTable(t, "a:x:1:1::/:\n")
	require.Equal(t, "a", table.Name(1))
	write(t, path, "b:x:1:1::/:\n")
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Unix(5, 0)))
	c.at = c.at.Add(time.Second)
	assert.Equal(t, "b", table.Name(1))
}

func TestClockGoesBack(t *testing.T) {
	table, c, path := newTable(t, "a:x:1:1::/:\n")
	require.Equal(t, "a", table.Name(1))
	write(t, path, "other:x:1:1::/:\n")
	c.at = c.at.Add(-time.Hour)
	assert.Equal(t, "other", table.Name(1))
}

func TestMissingFile(t *testing.T) {
	table := New(filepath.Join(t.TempDir(), "none"), time.Now)
	assert.Equal(t, "1000", table.Name(1000))
}

func TestBounded(t *testing.T) {
	var b strings.Builder
	for i := range maxUsers + 10 {
		b.WriteString("u:x:" + strconv.Itoa(i) + ":0::/:\n")
	}
	names, err := parse(strings.NewReader(b.String()))
	require.NoError(t, err)
	assert.Len(t, names, maxUsers)
}

func TestReadError(t *testing.T) {
	_, err := parse(iotest.ErrReader(errors.New("disk gone")))
	assert.ErrorContains(t, err, "disk gone")
}

func TestConcurrentUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	write(t, path, "a:x:1:1::/:\n")
	var mu sync.Mutex
	at := time.Unix(0, 0)
	table := New(path, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(checkInterval)
		return at
	})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				assert.Equal(t, "a", table.Name(1))
				assert.Equal(t, "2", table.Name(2))
			}
		})
	}
	group.Wait()
}

func FuzzParse(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/bash\n")
	f.Add("a:b:c:d\n:::\n\n#x:x:1:1\nx:x:99999999999:1:\n")
	f.Fuzz(func(t *testing.T, content string) {
		names, err := parse(strings.NewReader(content))
		require.NoError(t, err)
		for _, name := range names {
			require.NotEmpty(t, name)
			require.NotContains(t, name, ":")
			require.NotContains(t, name, "\n")
		}
	})
}
