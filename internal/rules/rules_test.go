// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ruleset"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	good       = "testdata/rules"
	bad        = "testdata/bad"
	exceptions = "testdata/exceptions"
)

func load(t testing.TB, dirs ...string) *ruleset.Set {
	t.Helper()
	return loadWith(t, ruleset.Config{Directories: dirs})
}

func loadWith(t testing.TB, cfg ruleset.Config) *ruleset.Set {
	t.Helper()
	set, err := ruleset.Load(cfg)
	require.NoError(t, err)
	return set
}

// golden compares an output with a file.
func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.WriteFile(file, have, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(have))
}

func TestFind(t *testing.T) {
	set := loadWith(t, ruleset.Config{Directories: []string{good, bad}, Disable: ruleset.Disable{IDs: []string{"8b1d3f54-0000-4000-8000-000000000004"}}})
	for text, want := range map[string]string{
		"8B1D3F54-0000-4000-8000-000000000001": "Port scanner",
		"scanner":                              "Port scanner",
		"port":                                 "Port scanner",
		"many sc":                              "Many scans",
		"8b1d3f54-0000-4000-8000-000000000002": "Many scans",
		"Refused login":                        "Refused login",
	} {
		r, c, err := Find(set, text)
		require.NoError(t, err, text)
		if r != nil {
			assert.Equal(t, want, r.Title)
		} else {
			assert.Equal(t, want, c.Title)
		}
	}
	for text, want := range map[string]string{
		"":                                     `no rule has the id, the name or a title that begins with "" (` + "`vedette rules list` shows them)",
		"no suc":                               `no rule has the id, the name or a title that begins with "no suc"`,
		"m":                                    `"m" begins several titles: "Much is wrong", "Many scans", "much is WRONG"; expected one that only one rule has`,
		"8b1d3f54-0000-4000-8000-000000000004": `testdata/rules/login.yml:26: "Shell in a container of the build" is disabled: disable::ids names it`,
		"broken":                               `testdata/bad/broken.yml:1: "Broken" is refused: testdata/bad/broken.yml:7`,
	} {
		_, _, err := Find(set, text)
		assert.ErrorContains(t, err, want)
	}
}

func TestCheck(t *testing.T) {
	report := Check(load(t, good), nil)
	assert.Empty(t, report.Findings)
	assert.False(t, report.Failed(true))

	report = Check(load(t, good, bad), Scope{bad})
	var out bytes.Buffer
	require.NoError(t, report.WriteText(&out, false))
	golden(t, "check.txt", out.Bytes())
	out.Reset()
	require.NoError(t, WriteJSON(&out, report))
	golden(t, "check.json", out.Bytes())
	assert.True(t, report.Failed(false))
	assert.Zero(t, Check(load(t, good, bad), Scope{good}).Warnings)
}

func TestCheckWarningsFailWhenStrict(t *testing.T) {
	dir := t.TempDir()
	text := "title: T\nlogsource: {product: linux, category: process_creation}\ndetection:\n  s: {Image: /x}\n  condition: s\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yml"), []byte(text), 0o600))
	report := Check(load(t, dir), nil)
	assert.Equal(t, 4, report.Warnings, "%v", report.Findings)
	assert.False(t, report.Failed(false))
	assert.True(t, report.Failed(true))
}

func TestBuiltinRulesAreClean(t *testing.T) {
	report := Check(loadWith(t, ruleset.Config{Builtin: true}), nil)
	var out bytes.Buffer
	require.NoError(t, report.WriteText(&out, false))
	assert.False(t, report.Failed(true), out.String())
}
