// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSourcesList(t *testing.T) {
	assert.True(t, isArchive("http://mirror.example/debian/"))
	assert.True(t, isArchive("https://mirror.example/pub/debian-security"))
	assert.False(t, isArchive("https://mirror.example/ubuntu/"))
	list := SourcesList([]string{"http://mirror.example/debian/", "http://mirror.example/debian-security/"}, "trixie")
	assert.Equal(t, "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian/ trixie main\n"+
		"deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian-security/ trixie-security main\n", list)
}

func TestMainArchive(t *testing.T) {
	uri, err := Main([]string{"http://mirror.example/debian-security/", "http://mirror.example/debian/"})
	require.NoError(t, err)
	assert.Equal(t, "http://mirror.example/debian/", uri)
	_, err = Main([]string{"http://mirror.example/debian-security/"})
	assert.ErrorContains(t, err, "security archives only")
}

func TestCacheDir(t *testing.T) {
	t.Setenv("VEDETTE_CACHE_DIR", "/srv/cache")
	dir, err := CacheDir("kernels")
	require.NoError(t, err)
	assert.Equal(t, "/srv/cache/kernels", dir)
	t.Setenv("VEDETTE_CACHE_DIR", "")
	t.Setenv("XDG_CACHE_HOME", "/home/user/.cache")
	dir, err = CacheDir("kernels")
	require.NoError(t, err)
	assert.Equal(t, "/home/user/.cache/vedette/kernels", dir)
}
