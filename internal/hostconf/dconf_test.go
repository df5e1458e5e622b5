// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// compiledByDconf is what dconf itself compiled of the keyfiles beside it.
const compiledByDconf = "../../config/testdata/dconf"

const idleDelay = "/org/gnome/desktop/session/idle-delay"

// dconfHost has that database, in the profile gdm.
func dconfHost(t *testing.T) *Host {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(root, "etc/dconf/db"), os.DirFS(compiledByDconf)))
	write(t, root, "etc/dconf/profile/gdm", "# the greeter's\nuser-db:user\nsystem-db:a # ours\n", 0o644)
	write(t, root, "etc/dconf/profile/user", "user-db:user\n", 0o644)
	return New(root)
}

func TestDconf(t *testing.T) {
	keyfile := Place{"/etc/dconf/db/a.d/x", 7}
	for _, tt := range []struct {
		name, path, text string
		want             DconfKey
	}{
		{"as compiled", "", "", DconfKey{"gdm", "600", true, true, true, true, keyfile}},
		{"a later keyfile is not compiled", "etc/dconf/db/a.d/y", "[org/gnome/desktop/session]\nidle-delay=uint32 5\n",
			DconfKey{"gdm", "600", true, true, true, false, Place{"/etc/dconf/db/a.d/y", 2}}},
		{"an earlier one does not count", "etc/dconf/db/a.d/00-first", "[org/gnome/desktop/session]\nidle-delay=uint32 5\n",
			DconfKey{"gdm", "600", true, true, true, true, keyfile}},
		{"a lock that is gone is still in force", "etc/dconf/db/a.d/locks/x", "", DconfKey{"gdm", "600", true, true, true, false, keyfile}},
		{"nothing is compiled", "etc/dconf/db/a", "none", DconfKey{"gdm", "", false, true, false, false, keyfile}},
		{"a type that is not read", "etc/dconf/db/a.d/y", "[org/gnome/desktop/session]\nidle-delay=[1, 2]\n",
			DconfKey{"gdm", "600", true, false, true, false, Place{"/etc/dconf/db/a.d/y", 2}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := dconfHost(t)
			switch {
			case tt.text == "none":
				require.NoError(t, os.Remove(filepath.Join(h.root, tt.path)))
			case tt.path != "":
				write(t, h.root, tt.path, tt.text, 0o644)
			}
			all, err := h.Dconf(idleDelay)
			require.NoError(t, err)
			assert.Equal(t, []DconfKey{tt.want}, all, "a profile of users alone has no row")
		})
	}
}

func TestDconfOfAFileAndOfTwoDatabases(t *testing.T) {
	h := dconfHost(t)
	write(t, h.root, "etc/dconf/profile/gdm", "user-db:user\nsystem-db:none\nfile-db:/etc/dconf/db/a\n", 0o644)
	all, err := h.Dconf("/org/gnome/login-screen/banner-message-text")
	require.NoError(t, err)
	assert.Equal(t, []DconfKey{{"gdm", "Authorised use only.", true, true, false, true, Place{"/etc/dconf/db/a", 0}}}, all)
}

func TestDconfTellsWhatIsNoDatabase(t *testing.T) {
	h := dconfHost(t)
	write(t, h.root, "etc/dconf/db/a", "x", 0o644)
	_, err := h.Dconf(idleDelay)
	assert.ErrorContains(t, err, "/etc/dconf/db/a: found no signature GVariant")
}

// TestKeyfilesAreReadAsDconfDoes compares all keys of the keyfiles with what dconf compiled of them.
func TestKeyfilesAreReadAsDconfDoes(t *testing.T) {
	h := dconfHost(t)
	compiled, err := h.compiledDconf("/etc/dconf/db/a")
	require.NoError(t, err)
	sources, err := h.dconfSources("/etc/dconf/db/a.d")
	require.NoError(t, err)
	require.Len(t, compiled.values, 9)
	require.Len(t, sources.values, len(compiled.values))
	for key, v := range compiled.values {
		assert.Equal(t, v.text, sources.values[key].text, key)
		assert.True(t, v.known && sources.values[key].known, key)
	}
	require.Len(t, compiled.locks, 5)
	for key := range compiled.locks {
		assert.Contains(t, sources.locks, key)
	}
}

func TestItemsThatAreEachOthersParentsEnd(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(compiledByDconf, "a"))
	require.NoError(t, err)
	root := binary.LittleEndian.Uint32(data[16:])
	bloom, buckets := binary.LittleEndian.Uint32(data[root:])&gvdbBloom, binary.LittleEndian.Uint32(data[root+4:])
	first := root + 8 + 4*(bloom+buckets)
	binary.LittleEndian.PutUint32(data[first+4:], 0)
	_, err = parseGVDB("/a", data)
	assert.ErrorContains(t, err, "found an item without a beginning of its name")
}

// FuzzGVDB reads any bytes. None may panic.
func FuzzGVDB(f *testing.F) {
	data, err := os.ReadFile(filepath.Join(compiledByDconf, "a"))
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if db, err := parseGVDB("/x", data); err == nil {
			for name := range db.values {
				assert.LessOrEqual(t, len(name), longestGVDBName+1<<16)
			}
		}
	})
}

// FuzzDconfKeyfile reads any text. None may panic, and places are lines of it.
func FuzzDconfKeyfile(f *testing.F) {
	f.Add("[a/b]\nx='y'\nz=@u 0x5\nw=uint32 7\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines := linesOf("/x", []byte(text))
		db := &dconfDatabase{map[string]dconfValue{}, map[string]Place{}}
		db.addKeyfile(lines)
		for key, v := range db.values {
			assert.Regexp(t, "^/", key)
			assert.LessOrEqual(t, v.place.Line, len(lines))
		}
	})
}
