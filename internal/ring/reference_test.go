// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	testify "github.com/stretchr/testify/require"
)

func TestReferenceReason(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"outside of the sources":    {nil, "the versions of pySigma are not known"},
		"not installed":             {map[string]string{requirements: "a==1\n"}, "`make pysigma`"},
		"other versions":            {map[string]string{requirements: "a==2\n", installed: "a==1\n"}, "holds other versions"},
		"without the interpreter":   {map[string]string{requirements: "a==1\n", installed: "a==1\n"}, "is broken"},
		"installed as it should be": {map[string]string{requirements: "a==1\n", installed: "a==1\n", ReferencePython: ""}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, content := range test.files {
				path := filepath.Join(root, file)
				testify.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				testify.NoError(t, os.WriteFile(path, []byte(content), 0o644))
			}
			reason := probeReferenceIn(root)
			if test.want == "" {
				assert.Empty(t, reason)
			}
			assert.Contains(t, reason, test.want)
		})
	}
}

func TestModuleRoot(t *testing.T) {
	root, err := ModuleRoot()
	testify.NoError(t, err)
	assert.FileExists(t, filepath.Join(root, "internal/ring/reference.go"))

	t.Chdir(t.TempDir())
	_, err = ModuleRoot()
	assert.ErrorContains(t, err, "no go.mod")
}
