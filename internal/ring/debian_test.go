// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	testify "github.com/stretchr/testify/require"
)

func TestDebianReason(t *testing.T) {
	write := func(root, file, content string) {
		path := filepath.Join(root, file)
		testify.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		testify.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	root := t.TempDir()
	assert.Contains(t, probeDebianIn(root), "is not known")
	write(root, debianSource, "one\n")
	assert.Contains(t, probeDebianIn(root), "`make debian` makes one")
	write(root, debianDir+"/installed", "older\n")
	assert.Contains(t, probeDebianIn(root), "makes it anew")
	write(root, debianDir+"/installed", "one\n")
	assert.Empty(t, probeDebianIn(root))
}
