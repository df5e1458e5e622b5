// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

const ownTemplate = `template: own
title: {en: Own, zh: 自有}
values:
  longest: {default: 90, max: 120, title: Longest age}
rules:
  - id: age
    title: {en: Passwords age, zh: 口令期限}
    rationale: They get known.
    maps: {own: ["1.1"]}
    check: {account: {where: {password: usable}, expect: {max_days: {max: "${longest}"}}}}
  - id: mounts
    title: Mounts
    check: {mount: {paths: [/tmp], expect: {mounted: true}}}
  - id: banner
    title: Banner
    manual: {en: Read it., zh: 阅读。}
---
waivers:
  - {rule: mounts, template: own, owner: ops, approver: ciso, reason: Later., expires: 2020-01-01}
`

// baselineHost is a root directory and a file with a template and a waiver that has expired.
func baselineHost(t *testing.T) (root, template string) {
	root = t.TempDir()
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/shadow": "root:$6$a$b:1:0:100:7:::\n", "etc/group": "root:x:0:\n",
		"proc/self/mounts": "tmpfs /tmp tmpfs rw 0 0\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	template = filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(template, []byte(ownTemplate), 0o600))
	return root, template
}

func TestBaselineScan(t *testing.T) {
	root, template := baselineHost(t)
	scan := []string{"baseline", "scan", "own", "--root", root, "--from", template}
	stdout, stderr, err := execute(t, host(), scan...)
	require.Error(t, err)
	assert.Empty(t, stderr)
	assert.Contains(t, stdout, "FAIL    medium    age: Passwords age (own 1.1)\n          /etc/shadow:1: account root max_days: 100, expected: is at most 90\n")
	assert.Contains(t, stdout, "manual  medium    banner: Banner\n          Read it.\n")
	assert.Contains(t, stdout, "STALE   "+template+":19:5: the waiver for mounts has expired")
	assert.NotContains(t, stdout, "mounts: Mounts", "what passed is not shown")
	assert.Regexp(t, `own: 3 rules in [0-9.]+ s, score 50 %: 1 fail, 0 error, 0 waived, 1 manual, 1 pass, 0 not applicable\n\z`, stdout)

	stdout, _, err = execute(t, host(), append(scan, "--all", "--set", "longest=110", "--language", "zh")...)
	require.Error(t, err, "the waiver is stale")
	assert.Contains(t, stdout, "符合    中        age: 口令期限 (own 1.1)\n")

	_, _, err = execute(t, host(), append(scan, "--rule", "age", "--set", "longest=121")...)
	assert.ErrorContains(t, err, "longest: found 121, expected at most 120")
}

func TestBaselineScanAsJSON(t *testing.T) {
	root, template := baselineHost(t)
	stdout, _, err := execute(t, host(), "baseline", "scan", "own", "--root", root, "--from", template, "--json")
	require.Error(t, err)
	var report baselines.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	assert.Equal(t, 1, report.Summary[baseline.Fail])
	require.Len(t, report.Results, 3)
	assert.Equal(t, "100", report.Results[0].Evidence[0].Actual)
	assert.Equal(t, 1, report.Results[0].Evidence[0].Line)
	assert.Len(t, report.Stale, 1)
}

func TestBaselineCommandsRefuse(t *testing.T) {
	_, template := baselineHost(t)
	for want, args := range map[string][]string{
		`found no template with this id`:                                                     {"scan", "none"},
		`--language: found "de", expected en or zh`:                                          {"list", "--language", "de"},
		`--set: found "a", expected NAME=VALUE`:                                              {"scan", "own", "--from", template, "--set", "a"},
		`found the rule "none", expected one of the`:                                         {"show", "own", "none", "--from", template},
		`found the template "own", expected one of the`:                                      {"show", "own"},
		`setting none: found "none", expected the name of a value:`:                          {"scan", "mlps-l2", "--set", "none=1"},
		`found the profile "none", expected one of the template cis-debian12: level1-server`: {"scan", "cis-debian12", "--profile", "none"},
		`cannot be read`:                         {"fix", "own", "--dry-run", "--root", t.TempDir(), "--from", template, "--from", template + ".none"},
		`--allow-program: found "echo"`:          {"scan", "mlps-l2", "--allow-program", "echo"},
		`--root: stat /no/such: no such file`:    {"scan", "mlps-l2", "--root", "/no/such"},
		`--root: open /etc/passwd: not a direct`: {"scan", "mlps-l2", "--root", "/etc/passwd"},
		`found --json and --format html`:         {"scan", "mlps-l2", "--json", "--format", "html"},
	} {
		_, _, err := execute(t, host(), append([]string{"baseline"}, args...)...)
		assert.ErrorContains(t, err, want)
	}
}

func TestBaselineListShowAndSchema(t *testing.T) {
	_, template := baselineHost(t)
	stdout, _, err := execute(t, host(), "baseline", "list", "--from", template)
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^own +3 +1 +- +`+template+` +Own$`, stdout)
	assert.Regexp(t, `(?m)^mlps-l3 `, stdout)
	stdout, _, err = execute(t, host(), "baseline", "show", "own", "age", "--from", template, "--language", "zh")
	require.NoError(t, err)
	assert.Equal(t, "age (medium)\n口令期限\nThey get known.\nown 1.1\n"+template+":6:5\n", stdout)
	stdout, _, err = execute(t, host(), "baseline", "show", "mlps-l2")
	require.NoError(t, err)
	file, err := os.ReadFile("../../config/baselines/mlps-l2.yaml")
	require.NoError(t, err)
	assert.Equal(t, string(file), stdout)
	stdout, _, err = execute(t, host(), "baseline", "show", "own", "--from", template, "--json")
	require.NoError(t, err)
	var shown baselines.ShownTemplate
	require.NoError(t, json.Unmarshal([]byte(stdout), &shown))
	assert.Equal(t, "own", shown.ID)
	require.Len(t, shown.Rules, 3)
	assert.Equal(t, "age", shown.Rules[0].ID)
	stdout, _, err = execute(t, host(), "baseline", "schema")
	require.NoError(t, err)
	schema, err := baseline.Schema()
	require.NoError(t, err)
	assert.Equal(t, string(schema), stdout)
}

func TestBaselineApprove(t *testing.T) {
	root, template := baselineHost(t)
	file := filepath.Join(t.TempDir(), "state", "approved.json")
	approve := []string{"baseline", "approve", "own", "--root", root, "--from", template, "--file", file, "--by", "ana"}
	stdout, stderr, err := execute(t, host(), approve...)
	require.NoError(t, err, stderr)
	assert.Equal(t, "own: 3 rules approved by ana as they are, 1 of them failing, in "+file+"\n", stdout)
	require.NoError(t, os.WriteFile(filepath.Join(root, "proc/self/mounts"), nil, 0o600))
	stdout, _, err = execute(t, host(), append(approve, "--json")...)
	require.NoError(t, err)
	var told baselines.Approving
	require.NoError(t, json.Unmarshal([]byte(stdout), &told))
	assert.Equal(t, []baselines.Drift{{Rule: "mounts", Approved: baseline.Pass, Now: baseline.Fail}}, told.Changes)
	state, err := baselines.ReadApproved(file)
	require.NoError(t, err)
	require.Len(t, state.Approvals, 1, "the new state is in the place of the old one")
	assert.Equal(t, baseline.Fail, state.Of("own", "").Verdicts["mounts"])
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, _, err = execute(t, host(), "baseline", "approve", "own", "--root", root+"/none", "--from", template, "--file", file, "--by", "ana")
	assert.ErrorContains(t, err, "--root: stat")
	_, _, err = execute(t, host(), append(approve[:len(approve)-1], "")...)
	assert.ErrorContains(t, err, "--by: found nothing")
}

func TestBaselineScanWritesFiles(t *testing.T) {
	root, template := baselineHost(t)
	dir := t.TempDir()
	for name, begins := range map[string]string{
		"r.html": "<!doctype html>", "r.json": "{\n  \"version\": 1", "r.csv": "rule,title,", "r.sarif": "{\n  \"$schema\"", "r.xml": "<?xml", "r.jsonl": "{\"activity_id\":1",
		"r.txt": "own 1.1\n",
	} {
		file := filepath.Join(dir, name)
		stdout, stderr, err := execute(t, host(), "baseline", "scan", "own", "--root", root, "--from", template, "--output", file)
		assert.Error(t, err, "a rule fails")
		assert.Empty(t, stdout+stderr, "there is no bar where there is no terminal")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(string(text), begins), "%s: %.40s", name, text)
	}
	_, _, err := execute(t, host(), "baseline", "scan", "own", "--root", root, "--from", template, "--format", "pdf")
	assert.ErrorContains(t, err, `--format: found "pdf", expected one of csv, html, json, ocsf, sarif, text, xccdf`)
}

func TestBaselineRoles(t *testing.T) {
	root, _ := baselineHost(t)
	template := filepath.Join(t.TempDir(), "roles.yaml")
	text := "template: roles\ntitle: Roles\nrules:\n  - {id: r, title: R, applies: {role: [bastion]}, check: {file: {paths: [/none], expect: {exists: true}}}}\n"
	require.NoError(t, os.WriteFile(template, []byte(text), 0o600))
	scan := []string{"baseline", "scan", "roles", "--root", root, "--from", template, "--all"}
	stdout, _, err := execute(t, host(), scan...)
	require.NoError(t, err)
	assert.Contains(t, stdout, "it is about hosts of the role bastion")
	stdout, _, err = execute(t, host(), append(scan, "--role", "bastion")...)
	require.Error(t, err)
	assert.Contains(t, stdout, "1 fail")
}

// TestBaselineScanGoesOnWithoutWhatIsWrong has a template, a policy of Wazuh of which one check cannot be read, and a file that is neither.
func TestBaselineScanGoesOnWithoutWhatIsWrong(t *testing.T) {
	root, _ := baselineHost(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"policy.yml": "policy: {id: p, name: P, regex_type: pcre2}\nchecks:\n  - {id: 1, title: A, condition: all, rules: ['f:/etc/passwd -> r:^root']}\n" +
			"  - {id: 2, title: B, condition: all, rules: ['f:/etc/passwd -> r:^(?!root)']}\n  - {id: 3, title: C, condition: all, rules: ['f:/etc/passwd->r:^root']}\n",
		"broken.yaml": "template: [",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	stdout, stderr, err := execute(t, host(), "baseline", "scan", "p", "--root", root, "--from", dir)
	require.Error(t, err, "not all is well")
	assert.Contains(t, stdout, "p: 1 rules in ")
	assert.Contains(t, stdout, " 1 pass,")
	assert.Contains(t, stderr, dir+"/broken.yaml:1: ")
	assert.Contains(t, stderr, dir+"/policy.yml:4:47: found \"^(?!root)\", expected a regular expression")
	assert.Contains(t, stderr, "found the path \"/etc/passwd->r:^root\", expected blanks around arrows")
	stdout, stderr, err = execute(t, host(), "baseline", "list", "--from", dir)
	require.Error(t, err)
	assert.Contains(t, stdout, "\nmlps-l3 ")
	assert.Contains(t, stderr, "broken.yaml:1: ")
	_, stderr, err = execute(t, host(), "baseline", "scan", "q", "--root", root, "--from", dir)
	require.Error(t, err)
	assert.Contains(t, stderr, "found no template with this id")
}
