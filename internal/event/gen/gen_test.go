// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is the repository's root as seen from this package.
var root = filepath.Join("..", "..", "..")

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := generate(root)
	require.NoError(t, err)
	require.Len(t, files, 2)
	for path, want := range files {
		have, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(have), "%s is stale: run go generate ./internal/event", path)
	}
}

func TestRunWritesBothFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "internal", "event"), 0o755))
	text, err := os.ReadFile(filepath.Join(root, "internal", "event", "fields.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "internal", "event", "fields.yaml"), text, 0o600))
	require.NoError(t, run(dir))
	for _, path := range []string{"internal/event/zz_generated.go", "docs/events.md"} {
		want, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		have, err := os.ReadFile(filepath.Join(dir, path))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(have))
	}
}

func TestGoName(t *testing.T) {
	for dotted, want := range map[string]string{
		"process.entity_id":             "ProcessEntityID",
		"process.parent_pid":            "ProcessParentPID",
		"process.io.stdin.peer":         "ProcessIOStdinPeer",
		"security_rule.uuid":            "SecurityRuleUUID",
		"threat.technique.id":           "ThreatTechniqueID",
		"threat.technique.subtechnique": "ThreatTechniqueSubtechnique",
	} {
		assert.Equal(t, want, goName(dotted))
	}
}

const (
	aKind  = "kinds:\n  - {name: a.b, class: process, meaning: M., ecs: {category: [process], type: [info], action: x}, sigma: [c], groups: [g]}\n"
	aGroup = "groups:\n  g:\n    meaning: G.\n    fields:\n      - {attribute: p.id, type: int, ecs: p.id, sigma: {S: [c]}, meaning: M.}\n"
)

func TestLoad(t *testing.T) {
	v, err := load([]byte(aKind + aGroup))
	require.NoError(t, err)
	assert.Equal(t, []string{"p.id"}, v.attributes(v.Kinds[0]))
}

func TestLoadRefuses(t *testing.T) {
	field := func(text string) string { return aKind + aGroup + "fields:\n  - {" + text + "}\n" }
	for name, tc := range map[string]struct{ text, want string }{
		"not YAML":             {"kinds: [", "line 1"},
		"second document":      {aKind + aGroup + "---\na: b\n", "more than one YAML document"},
		"unknown key at top":   {aKind + aGroup + "extra: 1\n", "line 8: field extra not found"},
		"unknown key in field": {field("attribute: q, typ: int, type: int, ecs: q, meaning: M."), "line 9: field typ not found"},
		"unknown group":        {strings.Replace(aKind, "[g]", "[h]", 1) + aGroup, `line 2: kind a.b: unknown group "h", expected one of g`},
		"unknown field":        {strings.Replace(aKind, "groups: [g]", "fields: [zz]", 1) + aGroup, `line 2: kind a.b: unknown field "zz"`},
		"unknown class":        {strings.Replace(aKind, "class: process", "class: proc", 1) + aGroup, `found class "proc", expected process, file`},
		"kind twice":           {aKind + strings.TrimPrefix(aKind, "kinds:\n") + aGroup, "line 3: kind a.b is declared on line 2 already"},
		"unknown category":     {field("attribute: q, type: int, ecs: q, sigma: {S: [d]}, meaning: M."), `line 9: attribute q: Sigma field S: unknown category "d"`},
		"no category":          {field("attribute: q, type: int, ecs: q, sigma: {S: []}, meaning: M."), "Sigma field S has no categories"},
		"unknown type":         {field("attribute: q, type: float, ecs: q, meaning: M."), `line 9: attribute q: found type "float", expected one of bool, int`},
		"no ecs":               {field("attribute: q, type: int, meaning: M."), `found ecs "", expected an ECS field or "-"`},
		"no meaning":           {field("attribute: q, type: int, ecs: q"), "line 9: attribute q: has no meaning"},
		"no attribute":         {field("type: int, ecs: q, meaning: M."), "a field without attribute"},
		"empty attribute":      {field(`attribute: "", type: int, ecs: q, meaning: M.`), "line 9: empty name"},
		"bad attribute":        {field("attribute: q-r, type: int, ecs: q, meaning: M."), "line 9: attribute q-r: expected letters"},
		"repeat that differs":  {field("attribute: p.id, type: int, ecs: p.id, sigma: {S: [c]}, meaning: Other."), "line 9: attribute p.id differs from its declaration on line 7"},
		"same Go name":         {field("attribute: p_id, type: int, ecs: q, meaning: M."), "attributes p.id and p_id make the same Go name PID"},
		"ECS field taken":      {field("attribute: q, type: int, ecs: p.id, meaning: M."), "line 9: ECS field p.id is taken by attribute p.id"},
		"ECS field in a value": {field("attribute: q, type: int, ecs: p.id.x, meaning: M."), "needs an object where attribute p.id puts a value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load([]byte(tc.text))
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(aKind + aGroup)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := load([]byte(text))
		if err != nil {
			return
		}
		if _, err := renderGo(v); err != nil {
			t.Fatalf("accepted, but makes no valid Go: %v", err)
		}
	})
}
