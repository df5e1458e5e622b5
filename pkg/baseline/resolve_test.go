// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func everything(t testing.TB) *Set {
	file := parseEverything(t)
	return &Set{Templates: file.Templates, Waivers: file.Waivers}
}

func ruleIDs(b *Baseline) []string {
	var ids []string
	for _, r := range b.Rules {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestResolveInherits(t *testing.T) {
	set := everything(t)
	child, err := set.Resolve("child", nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"accounts.age", "packages.denied", "shadow.mode", "root.alone", "own"}, ruleIDs(child))
	age := child.Rules[0]
	assert.Equal(t, Critical, age.Severity)
	assert.Equal(t, map[string][]string{"mlps-l3": {"8.1.4.1.a"}, "cis-debian12": {"5.4.1.1"}, "own": {"1"}}, age.Maps)
	assert.Equal(t, "is at most 30, is at least 1", age.Check.All[0].Leaf.Expect[0].Condition.describe().EN)
	assert.Equal(t, "banner", child.Disabled[0].Rule)

	base, err := set.Resolve("base", map[string]string{"longest": "60", "denied": "a,b"})
	require.NoError(t, err)
	assert.Equal(t, High, base.Rules[0].Severity, "what the child changes is not the base's")
	assert.Equal(t, "is at most 60, is at least 1", base.Rules[0].Check.All[0].Leaf.Expect[0].Condition.describe().EN)
	assert.Equal(t, []string{"a", "b"}, base.Rules[1].Check.Any[0].Leaf.Args["names"].Items)
}

func TestResolveTellsWhatDoesNotFit(t *testing.T) {
	const base = "template: a\ntitle: A\nvalues: {n: {default: 1, max: 5, title: N}, l: {type: list, default: [x], title: L}, m: {type: text, default: '(', title: M}}\n" +
		"rules: [{id: r, title: R, manual: M}]\n"
	for name, tt := range map[string]struct{ src, id, want string }{
		"no template":        {base, "b", "b: found no template with this id, expected one of a"},
		"extends nothing":    {"template: b\ntitle: B\nextends: c", "b", `x.yaml:3:10: extends: found "c", expected one of b`},
		"circle":             {"template: b\ntitle: B\nextends: b", "b", `found "b", which extends this template`},
		"unknown value":      {base + "---\ntemplate: b\ntitle: B\nextends: a\nset: {o: 1}", "b", `x.yaml:9:7: found "o", expected the name of a value: l, m, n`},
		"beyond the ceiling": {base + "---\ntemplate: b\ntitle: B\nextends: a\nset: {n: 6}", "b", "x.yaml:9:7: n: found 6, expected at most 5: what is looser needs a waiver"},
		"value again":        {base + "---\ntemplate: b\ntitle: B\nextends: a\nvalues: {n: {default: 1, title: N}}", "b", `values: found "n", which is inherited from x.yaml:3:10`},
		"rule again":         {base + "---\ntemplate: b\ntitle: B\nextends: a\nrules: [{id: r, title: R, manual: M}]", "b", `rules: found the id "r", which is inherited from x.yaml:4:9`},
		"override nothing":   {base + "---\ntemplate: b\ntitle: B\nextends: a\noverride: {s: {severity: low}}", "b", `override: found "s"`},
		"disable nothing":    {base + "---\ntemplate: b\ntitle: B\nextends: a\ndisable: {s: Why}", "b", `disable: found "s"`},
		"profile":            {"template: b\ntitle: B\nrules: [{id: r, title: R, manual: M, profiles: [p]}]", "b", `rules.profiles: found "p"`},
		"unknown reference":  {"template: b\ntitle: B\nrules: [{id: r, title: R, check: {account: {count: '${n}'}}}]", "b", "found ${n}, expected one of the values"},
		"override with a profile that is not there": {base + "---\ntemplate: b\ntitle: B\nextends: a\noverride: {r: {profiles: [none]}}", "b", `override.profiles: found "none", expected a profile`},
		"reference to a list":                       {base + "---\ntemplate: b\ntitle: B\nextends: a\nrules: [{id: s, title: R, check: {account: {count: '${l}'}}}]", "b", `found the value "l" for equals, expected one value`},
		"reference to a path":                       {base + "---\ntemplate: b\ntitle: B\nextends: a\nrules: [{id: s, title: R, check: {file: {paths: '${l}'}}}]", "b", `file.paths: found "x", expected an absolute path`},
		"reference to pattern":                      {base + "---\ntemplate: b\ntitle: B\nextends: a\nrules: [{id: s, title: R, check: {line: {files: /a, pattern: '${m}'}}}]", "b", `line.pattern: found "(", expected a regular expression`},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := Parse("x.yaml", []byte(tt.src))
			require.NoError(t, err)
			_, err = (&Set{Templates: file.Templates}).Resolve(tt.id, nil)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestSettingsKeepToFloorAndCeiling(t *testing.T) {
	_, err := everything(t).Resolve("base", map[string]string{"longest": "366"})
	assert.EqualError(t, err, "setting longest: longest: found 366, expected at most 365: what is looser needs a waiver")
	_, err = everything(t).Resolve("base", map[string]string{"longest": "0"})
	assert.ErrorContains(t, err, "expected at least 1")
	_, err = everything(t).Resolve("base", map[string]string{"loosest": "0999"})
	assert.ErrorContains(t, err, "expected octal digits")
}

func TestLoaderKeepsWhatIsGood(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("good.yaml", "template: good\ntitle: G\n")
	write("again.yml", "template: good\ntitle: G\n")
	write("sub/orphan.yaml", "template: orphan\ntitle: O\nextends: none\n")
	write("waivers.yaml", "waivers:\n  - {rule: r, template: goood, owner: o, approver: a, reason: x, expires: 2030-01-01}\n"+
		"  - {rule: r, template: good, owner: o, approver: a, reason: x, expires: 2030-01-01}\n")
	write(".git/x.yaml", "broken: [")
	write("notes.txt", "broken: [")
	l := &Loader{}
	l.Add(dir, filepath.Join(dir, "none.yaml"))
	set, err := l.Set()
	require.Len(t, set.Templates, 1)
	assert.Equal(t, "good", set.Templates[0].ID)
	assert.ErrorContains(t, err, `template: found "good" twice`)
	assert.ErrorContains(t, err, `waivers.yaml:2:5: waivers.template: found "goood", expected one of good, orphan`)
	require.Len(t, set.Waivers, 1)
	assert.Equal(t, "good", set.Waivers[0].Template)
	assert.ErrorContains(t, err, `extends: found "none"`)
	assert.ErrorContains(t, err, "none.yaml: cannot be read: no such file or directory")
	assert.NotContains(t, err.Error(), "broken")
}
