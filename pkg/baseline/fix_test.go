// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ruleWithFix is a template with a rule whose fix is given, on line 4.
func ruleWithFix(fix string) string {
	return "template: x\ntitle: X\nrules:\n  - {id: r, title: R, check: {account: {}}, undo: R0, fix: " + fix + "}\n"
}

func TestParseTellsWhatIsWrongWithAFix(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"no list", ruleWithFix("{kmod: {names: [a]}}"), "fix: found a map, expected a list"},
		{"two keys", ruleWithFix("[{kmod: {names: [a]}, line: {}}]"), "fix: found a map with 2 keys, expected a map with one key: one of account, audit,"},
		{"unknown primitive", ruleWithFix("[{command: {}}]"), `fix: found the text "command" as a key, expected one of account, audit, boot, config, file,`},
		{"unknown parameter", ruleWithFix("[{kmod: {module: a}}]"), `fix.kmod: found the text "module" as a key, expected one of names`},
		{"where for no accounts", ruleWithFix("[{kmod: {names: [a], where: {uid: 0}}}]"), `fix.kmod: found the text "where" as a key`},
		{"missing parameter", ruleWithFix("[{unit: {names: [a.service]}}]"), `fix.unit: the key "state" is missing`},
		{"missing accounts", ruleWithFix(`[{account: {lock: true}}]`), `fix.account: the key "where" is missing`},
		{"nothing to do", ruleWithFix("[{file: {paths: [/a]}}]"), "fix.file: found none of the keys at_most, bits, owner, group, create"},
		{"days without field", ruleWithFix("[{account: {where: {uid: 0}, lock: true, days: 1}}]"), "found one of the keys field and days, expected both"},
		{"pattern for a path", ruleWithFix("[{config: {file: /etc/*, key: a}}]"), `fix.config.file: found "/etc/*", expected one absolute path`},
		{"way up", ruleWithFix("[{config: {file: /etc/../a, key: a}}]"), `fix.config.file: found "/etc/../a", expected one absolute path`},
		{"two lines", ruleWithFix(`[{line: {files: [/a], add: ["a\nb"]}}]`), "expected one line without control characters"},
		{"word", ruleWithFix("[{config: {file: /a, key: a b}}]"), "expected a word without white space"},
		{"mode", ruleWithFix(`[{file: {paths: [/a], at_most: "0999"}}]`), "expected octal digits"},
		{"setting of the kernel", ruleWithFix("[{sysctl: {keys: [../a], value: 1}}]"), "expected the name of one setting"},
		{"state", ruleWithFix("[{unit: {names: [a.service], state: off}}]"), "expected masked or disabled or enabled"},
		{"days", ruleWithFix("[{account: {where: {uid: 0}, field: max_days, days: -1}}]"), "expected a whole number that is not negative"},
		{"undo", "template: x\ntitle: X\nrules:\n  - {id: r, title: R, check: {account: {}}, undo: R9, fix: [{kmod: {names: [a]}}]}", "expected one of R0, R1, R2, R3"},
		{"no undo", "template: x\ntitle: X\nrules:\n  - {id: r, title: R, check: {account: {}}, fix: [{kmod: {names: [a]}}]}", `x.yaml:4:5: rules: the key "undo" is missing`},
		{"undo alone", "template: x\ntitle: X\nrules:\n  - {id: r, title: R, check: {account: {}}, undo: R0}", "rules: found undo without fix"},
		{"no check", "template: x\ntitle: X\nrules:\n  - {id: r, title: R, manual: M, undo: R0, fix: [{kmod: {names: [a]}}]}", "rules: found fix without check"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, err := Parse("x.yaml", []byte(tt.src))
			require.ErrorContains(t, err, tt.want)
			assert.Empty(t, file.Templates)
		})
	}
}

func TestResolvePutsValuesIntoFixes(t *testing.T) {
	l := &Loader{}
	l.Add("testdata/everything.yaml")
	set, err := l.Set()
	require.NoError(t, err)
	b, err := set.Resolve("child", nil)
	require.NoError(t, err)
	var fix []*Step
	for _, r := range b.Rules {
		if r.ID == "shadow.mode" {
			fix = r.Fix
			assert.Equal(t, UndoExact, r.Undo)
		}
	}
	require.Len(t, fix, 2)
	assert.Regexp(t, `^0?[0-7]{3}$`, fix[0].Text("at_most", ""))
	assert.Equal(t, []string{"root"}, fix[0].List("owner"))
	assert.True(t, fix[1].Keeps("90", true))
	assert.False(t, fix[1].Keeps("91", true))
	assert.False(t, fix[1].Keeps("", false))
	assert.False(t, fix[0].Keeps("1", true), "nothing is kept where nothing is said")
}

func TestResolveRefusesValuesThatAFixCannotTake(t *testing.T) {
	src := "template: x\ntitle: X\nvalues: {v: {type: list, default: [a], title: V}}\nrules:\n" +
		"  - {id: r, title: R, check: {account: {}}, undo: R0, fix: [{config: {file: /a, key: k, value: '${v}'}}]}\n"
	file, err := Parse("x.yaml", []byte(src))
	require.NoError(t, err)
	_, err = (&Set{Templates: file.Templates}).Resolve("x", nil)
	assert.ErrorContains(t, err, "fix.config.value: found a list, expected one element")
}

func TestStepChoosesAccounts(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\nlp:x:7:7::/:/usr/sbin/nologin\n",
		"etc/shadow": "root:*:1:0:100:7:::\nana:$6$a$b:1:0:100:7:::\nlp:!:1:0:100:7:::\n", "etc/group": "root:x:0:\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	file, err := Parse("x.yaml", []byte(ruleWithFix("[{account: {where: {password: usable}, lock: true}}]")))
	require.NoError(t, err)
	names, err := file.Templates[0].Rules[0].Fix[0].Accounts(root)
	require.NoError(t, err)
	assert.Equal(t, []string{"ana"}, names)
}
