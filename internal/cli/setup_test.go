// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What set-up does to servers is tested in test/elastic.
func TestSetupRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"requires at least 1 arg":                      {"setup"},
		`invalid argument "opensearch"`:                {"setup", "opensearch"},
		`url: found "es:9200", expected a URL such as`: {"setup", "elasticsearch", "--elasticsearch", "es:9200"},
		"set up kibana: Get":                           {"setup", "kibana", "--kibana", "http://127.0.0.1:1"},
	} {
		_, stderr, err := execute(t, host(), args...)
		require.Error(t, err, args)
		assert.Contains(t, stderr, want)
	}
}

func TestSetupPackage(t *testing.T) {
	dir := t.TempDir()
	_, _, err := execute(t, host(), "setup", "package", dir)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "manifest.yml"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "type: content\n")
	assert.FileExists(t, filepath.Join(dir, "kibana", "dashboard", "vedette-attack.json"))
}
