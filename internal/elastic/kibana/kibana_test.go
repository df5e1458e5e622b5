// SPDX-License-Identifier: Apache-2.0

package kibana

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func objects(t *testing.T) []Object {
	text, err := os.ReadFile("../../../config/kibana/dashboards.yaml")
	require.NoError(t, err)
	spec, err := Parse(text)
	require.NoError(t, err)
	all, err := Objects(spec)
	require.NoError(t, err)
	return all
}

func TestParseRefuses(t *testing.T) {
	for panel, want := range map[string]string{
		`{kind: cake, datasets: [alert]}`:                                `found kind "cake", expected metric,`,
		`{kind: donut, datasets: [alert]}`:                               "found 0 by, expected 1 to 1 for a donut",
		`{kind: metric}`:                                                 "found no datasets, expected some",
		`{kind: metric, datasets: [alert], value: {op: sum}}`:            `found value op "sum" with field "", expected a field`,
		`{kind: metric, datasets: [alert], value: {op: avg}}`:            `found value op "avg", expected count, unique, sum, max or last`,
		`{kind: search, search: x}`:                                      `found search "x", expected the id of one`,
		`{kind: donut, datasets: [alert], by: [{time: true, field: a}]}`: "expected one of the two",
		`{kind: metric, datasets: [alert], colour: red}`:                 "field colour not found",
	} {
		_, err := Parse([]byte("dashboards: [{id: d, panels: [" + panel + "]}]"))
		assert.ErrorContains(t, err, want, panel)
	}
}

// TestPackage: the folder holds every object, with JSON that is plain, and what Elastic's tools look for first.
func TestPackage(t *testing.T) {
	dir := t.TempDir()
	all := objects(t)
	require.NoError(t, WritePackage(dir, all))
	for _, name := range []string{"manifest.yml", "changelog.yml", "docs/README.md"} {
		assert.FileExists(t, filepath.Join(dir, name))
	}
	files, err := filepath.Glob(filepath.Join(dir, "kibana", "*", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, len(all))
	text, err := os.ReadFile(filepath.Join(dir, "kibana", "dashboard", "vedette-overview.json"))
	require.NoError(t, err)
	var dashboard struct {
		Attributes struct {
			PanelsJSON []map[string]any `json:"panelsJSON"`
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	assert.Len(t, dashboard.Attributes.PanelsJSON, 11)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`dashboards: [{id: d, panels: [{title: t, kind: bar, datasets: [alert], by: [{time: true}], at: [0, 0, 1, 1]}]}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		spec, err := Parse(text)
		if err != nil {
			return
		}
		all, err := Objects(spec)
		require.NoError(t, err)
		_, err = Lines(all)
		require.NoError(t, err)
	})
}
