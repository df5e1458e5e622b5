// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/test/vm/protocol"
)

// What is found is enough to run the program where there is nothing else.
func TestFindDynamic(t *testing.T) {
	found, err := findDynamic()
	require.NoError(t, err)
	assert.Contains(t, found, protocol.SpareLibrary)
	dir := t.TempDir()
	var loader string
	for name, source := range found {
		content, err := os.ReadFile(source)
		require.NoError(t, err, name)
		copied := filepath.Join(dir, filepath.Base(name))
		require.NoError(t, os.WriteFile(copied, content, 0o755))
		if name == source && filepath.Base(name)[:3] == "ld-" {
			loader = copied
		}
	}
	written := filepath.Join(dir, "written")
	out, err := exec.Command(loader, "--inhibit-cache", "--library-path", dir, filepath.Join(dir, filepath.Base(protocol.DynamicProgram)), written).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.FileExists(t, written)
}

func TestFindLibrary(t *testing.T) {
	_, err := findLibrary("libnone.so.1")
	assert.ErrorContains(t, err, "library libnone.so.1 not found in /lib/x86_64-linux-gnu")
	_, err = addLibraries(map[string]string{}, os.DevNull)
	assert.ErrorContains(t, err, "is not a program")
}
