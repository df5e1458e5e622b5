// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package policies

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/policy"
)

func TestRunning(t *testing.T) {
	h := &facts{host: policy.NewHost("/")}
	a, err := h.actor(Who{PID: uint32(os.Getpid())})
	require.NoError(t, err)
	executable, err := os.Executable()
	require.NoError(t, err)
	assert.Equal(t, executable, a.Lineage[0].Executable)
	assert.EqualValues(t, os.Geteuid(), a.UID)
	assert.False(t, a.Init)
	for i := range len(a.Lineage) - 1 {
		assert.NotEqual(t, a.Lineage[i].Executable, a.Lineage[i+1].Executable, "a fork adds nothing")
	}
	assert.NotEmpty(t, h.notes, "that trust is guessed")
}

func TestFileFacts(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	require.NoError(t, os.WriteFile(name, []byte("abc"), 0o600))
	h := &facts{host: policy.NewHost("/"), hashes: true}
	f := h.file(&policy.Set{}, name)
	assert.Equal(t, []string{name}, f.Paths)
	assert.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", f.SHA256)
	assert.True(t, f.ChangedSinceBoot)
	assert.Equal(t, &policy.File{Paths: []string{name + "x"}}, h.file(&policy.Set{}, name+"x"))
	h.hashes = false
	assert.Empty(t, h.file(&policy.Set{}, name).SHA256)
	assert.Empty(t, h.hash(filepath.Dir(name)))
}

func TestUserOf(t *testing.T) {
	name, uid, err := userOf("root")
	require.NoError(t, err)
	assert.Equal(t, "root", name)
	assert.Zero(t, uid)
	name, uid, err = userOf("3999999999")
	require.NoError(t, err)
	assert.Empty(t, name)
	assert.EqualValues(t, 3999999999, uid)
}
