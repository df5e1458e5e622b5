// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), text)
}

const good = "policy: good\nrules: [{name: a, files: {paths: [/a], operations: write}}]\n"

// withRule is a policy with one rule that has these entries.
func withRule(entries string) string {
	return "policy: x\nrules:\n  - name: r\n" + indent(entries)
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	return b.String() + "\n"
}

// broken holds files with something wrong; what is said about each is in testdata/errors.golden.
var broken = []struct{ name, src string }{
	{"yaml syntax", "policy: [a\n"},
	{"yaml syntax in the second of three documents", good + "---\npolicy: 'x\n---\n" + strings.Replace(good, "good", "other", 1)},
	{"not UTF-8", "policy: \xff\n"},
	{"not a map", "- policy: x\n"},
	{"a scalar", "just text\n"},
	{"everything missing", "description: x\n"},
	{"keys twice", good + "mode: audit\nmode: enforce\n"},
	{"unknown keys", "policy: x\nmods: audit\nrules:\n  - name: r\n    file: {}\n    files: {path: [/a], paths: [/a], operations: write}\n"},
	{"keys that are no text", "policy: x\n? [a]\n: b\n5: c\nrules: []\n"},
	{"merge key", "policy: x\nrules:\n  - &a {name: r, files: {paths: [/a], operations: write}}\n  - {<<: *a, name: s}\n"},
	{"types", "policy: 5\ndescription: [x]\nmode: on\nseverity: 3\nattack: T1565\non_agent_loss: {a: b}\nagent_loss_deadline: 5\ncommit_confirm: soon\noverride: lockout\nsubjects: [a]\nrules: {a: b}\n"},
	{"values", "policy: Web Root\nmode: deny\nseverity: severe\nattack: [1565, T15]\non_agent_loss: stop\nagent_loss_deadline: 1ms\ncommit_confirm: -5m\noverride: [all]\nrules: []\n"},
	{"policies twice", good + "---\n" + good},
	{"rules twice", "policy: x\nrules:\n  - {name: a, kernel: [bpf]}\n  - {name: a, kernel: [bpf]}\n"},
	{"rule without a part", "policy: x\nrules:\n  - {name: a, allow: []}\n  - x\n  - {kernel: bpf}\n"},
	{"rule with two parts", withRule("files: {paths: [/a], operations: write}\nkernel: [bpf]")},
	{"empty lists", withRule("files: {paths: [], operations: []}\nwho: []") + "  - {name: p, processes: {executables: [], units: []}}\n  - {name: n, network: {deny: []}}\n  - {name: k, kernel: []}\n"},
	{"files incomplete", withRule("files: {except: [/a]}")},
	{"paths", withRule("files:\n  operations: tamper\n  paths: [var/www, /a/, /a//b, /a/../b, '', 5, [x], /, /**, \"/a\\0b\"]")},
	{"wildcards", withRule("files:\n  operations: tamper\n  paths: ['/a/*/b', '/a/**/b', '/a/b**', '/a/[b', '/a/[z-a]', '/*/**', '/a/[]']")},
	{"long paths", withRule("files:\n  operations: tamper\n  paths: [/" + strings.Repeat("a", 256) + ", " + strings.Repeat("/aaaaaaa", 512) + "]")},
	{"operations", withRule("files: {paths: [/a], operations: [write, signal, 5]}") + "  - {name: p, processes: {units: [a.service], operations: tamper}}\n  - {name: n, network: {operations: listen, only: []}}\n  - {name: k, kernel: [module]}\n  - {name: l, kernel: {a: b}}\n"},
	{"processes", withRule("processes: {operations: [signal]}") + "  - {name: p, processes: {executables: [nginx, /usr/**, '/a/[b'], units: [nginx, a/b.service, 5]}}\n"},
	{"exec", withRule("exec: {}") + "  - {name: a, exec: {deny: {}, only: {paths: [/a]}}}\n  - {name: b, exec: {only: {changed_since_boot: true}}}\n" +
		"  - {name: c, exec: {deny: {origins: [disk], sha256: [abc], changed_since_boot: 1}}}\n  - {name: d, exec: {deny: {changed_since_boot: false}}}\n  - {name: e, exec: [x]}\n"},
	{"network", withRule("network: {operations: [connect]}") + "  - {name: a, network: {only: [], deny: ['*']}}\n  - name: b\n    network:\n      deny: [10.0.0.0/33, 10.1.0.0/8, example.org, '10.0.0.1:70000', '10.0.0.1:9-5', '10.0.0.1:22/sctp', '[::1', '::1:x', 'fe80::1%eth0', '::ffff:10.0.0.1', '', ':80', 300.1.1.1, 5, '[10.0.0.1]:x']\n"},
	{"subjects", "policy: x\nsubjects:\n  Deployers: [{user: x}]\n  a: []\n  b: {user: x}\n  c: [a]\nrules:\n  - {name: r, kernel: [bpf], allow: [d, 5, [x], null, b]}\n  - {name: s, kernel: [bpf], allow: d}\n"},
	{"subject of an unknown list without any", withRule("kernel: [bpf]\nallow: [d]")},
	{"parts of subjects", withRule("kernel: [bpf]\nallow:\n  - {}\n  - {lineage: false}\n  - {lineage: false, user: a}\n  - {sha256: " + strings.Repeat("0", 64) + "}\n  - {executable: nginx, user: 'a b', unit: a, container: '', lineage: no way, sha256: 0}\n  - {user: 007}\n  - {user: 42949672960}\n  - {user: -1}\n  - {name: a}")},
	{"an error behind an anchor is told once", "policy: x\nsubjects: {a: [&s {user: ''}], b: [*s]}\nrules: []\n"},
}

func TestErrors(t *testing.T) {
	var out strings.Builder
	for _, b := range broken {
		_, err := Parse("policy.yaml", []byte(b.src))
		require.Error(t, err, b.name)
		fmt.Fprintf(&out, "== %s\n%s\n", b.name, err)
	}
	golden(t, "testdata/errors.golden", out.String())
}

func TestBadPoliciesLeaveTheGoodOnes(t *testing.T) {
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			other := strings.Replace(good, "good", "other", 1)
			alone, _ := Parse("policy.yaml", []byte(b.src))
			among, err := Parse("policy.yaml", []byte(good+"---\n"+b.src+"\n---\n"+other))
			assert.Error(t, err)
			if b.name == "not UTF-8" {
				assert.Empty(t, among)
				return
			}
			names := map[string]bool{"good": true, "other": true}
			for _, policy := range alone {
				names[policy.Name] = true
			}
			assert.Len(t, among, len(names))
		})
	}
}

func TestParse(t *testing.T) {
	src, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	policies, err := Parse("everything.yaml", src)
	require.NoError(t, err)
	encoded, err := json.MarshalIndent(policies, "", " ")
	require.NoError(t, err)
	golden(t, "testdata/everything.golden", string(encoded)+"\n")
}

func TestDefaults(t *testing.T) {
	policies, err := Parse("p.yaml", []byte(good+"---\n# nothing but a remark\n"))
	require.NoError(t, err)
	require.Len(t, policies, 1)
	p := policies[0]
	assert.Equal(t, Policy{Name: "good", Mode: Audit, Severity: High, OnAgentLoss: KeepOnLoss, LossAfter: defaultLossAfter,
		Rules: p.Rules, Position: Position{"p.yaml", 1, 1}}, *p)
	assert.Equal(t, Audit, p.ModeOf(p.Rules[0]))
	p.Rules[0].Mode = Enforce
	assert.Equal(t, Enforce, p.ModeOf(p.Rules[0]))
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	write("b.yaml", strings.Replace(good, "good", "b", 1))
	write("sub/a.yml", strings.Replace(good, "good", "a", 1))
	write("sub/readme.txt", "policy: [")
	write(".git/c.yaml", "policy: [")
	set, err := Load(dir)
	require.NoError(t, err)
	require.Len(t, set.Policies, 2)
	assert.Equal(t, "a", set.Policies[0].Name, "in the order of names")
	assert.Equal(t, filepath.Join(dir, "sub/a.yml")+":1:1", set.Policies[0].Position.String())

	again := write("z.yaml", strings.Replace(good, "good", "b", 1))
	broken := write("y.yaml", "policy: x\n")
	none := filepath.Join(dir, "none")
	set, err = Load(dir, none, broken)
	assert.Len(t, set.Policies, 2)
	var errs Errors
	require.ErrorAs(t, err, &errs)
	assert.Equal(t, none+": cannot be read: no such file or directory\n"+
		broken+":1:1: the policy: the key \"rules\" is missing\n"+
		again+`:1:1: policy: found "b" twice, first in `+filepath.Join(dir, "b.yaml")+":1:1, expected a name that no other policy has", err.Error())
	var one *Error
	require.True(t, errors.As(err, &one))
	assert.Equal(t, none, one.File)
}
