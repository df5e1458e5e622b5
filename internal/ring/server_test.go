// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	testify "github.com/stretchr/testify/require"
)

func TestServerReason(t *testing.T) {
	write := func(root, file, content string) {
		path := filepath.Join(root, file)
		testify.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		testify.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	root := t.TempDir()
	assert.Contains(t, probeServersIn(root), "are not known")
	whole := ""
	for _, name := range serverSources {
		write(root, "test/server/"+name, name+"\n")
		whole += name + "\n"
	}
	assert.Contains(t, probeServersIn(root), "`make servers` does it")
	write(root, Servers+"/installed", "older\n")
	assert.Contains(t, probeServersIn(root), "holds other servers")
	write(root, Servers+"/installed", whole)
	assert.Empty(t, probeServersIn(root))
}

// TestServerSourcesAreAll finds a source that a change would not be noticed of.
func TestServerSourcesAreAll(t *testing.T) {
	root, err := ModuleRoot()
	testify.NoError(t, err)
	entries, err := os.ReadDir(filepath.Join(root, "test", "server"))
	testify.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	assert.ElementsMatch(t, serverSources[:], names)
}
