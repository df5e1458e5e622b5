// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

// rpmHost is a host with a real database of rpm, which the library that reads it comes with.
func rpmHost(t *testing.T, database, name string) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/knqyf263/go-rpmdb").Output()
	if err != nil {
		ring.Cannot(t, "go cannot say where the databases are: "+err.Error())
	}
	from := filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata", database, name)
	data, err := os.ReadFile(from)
	if err != nil {
		ring.Cannot(t, "the module was got without its databases: "+err.Error())
	}
	root := t.TempDir()
	write(t, root, "var/lib/rpm/"+name, string(data), 0o644)
	return root
}

func TestPackagesOfRPM(t *testing.T) {
	for database, tc := range map[string]struct{ file, name, version string }{
		"centos8-modularitylabel": {"Packages", "rpm", "4.14.2-37.el8"},
		"centos7-plain":           {"Packages", "rpm", "4.11.3-32.el7"},
		"sle15-bci":               {"Packages.db", "rpm-ndb", "4.14.3-40.1"},
	} {
		packages, err := New(rpmHost(t, database, tc.file)).Packages()
		require.NoError(t, err)
		assert.Equal(t, tc.version, packages[tc.name], database)
		assert.Greater(t, len(packages), 30, database)
	}
}

func TestPackagesAreReadAnewWhenRPMChangesThem(t *testing.T) {
	root := rpmHost(t, "centos7-plain", "Packages")
	old(t)
	h := Kept(root, Effort{}, nil)
	watched := h.Watched()
	_, err := watched.Packages()
	require.NoError(t, err)
	next, changed := h.Next()
	assert.False(t, changed(watched.Looks()))
	require.NoError(t, os.Truncate(filepath.Join(root, "var/lib/rpm/Packages"), 100))
	next, changed = next.Next()
	assert.True(t, changed(watched.Looks()))
	_, err = next.Packages()
	assert.ErrorContains(t, err, "reading the database of packages")
}

func TestPackagesSayWhatTheyCannotRead(t *testing.T) {
	root := t.TempDir()
	_, err := New(root).Packages()
	assert.ErrorContains(t, err, "found neither /var/lib/dpkg/status nor /var/lib/rpm/Packages")
	write(t, root, "var/lib/rpm/rpmdb.sqlite", "SQLite format 3", 0o644)
	_, err = New(root).Packages()
	assert.ErrorContains(t, err, "found a database of SQLite")
}
