// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/enforce/keeper"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// runPolicy runs `vedette policy` and tells whether its exit status is 0.
func runPolicy(t *testing.T, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	stdout, stderr, err := execute(t, host(), append([]string{"policy"}, args...)...)
	return stdout, stderr, err == nil
}

// guarded is a directory with files, and a policy about them and about the running test.
type guarded struct {
	dir, policy, executable string
}

func newGuarded(t *testing.T) guarded {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	executable, err := os.Executable()
	require.NoError(t, err)
	g := guarded{dir, filepath.Join(dir, "policy.yaml"), executable}
	for _, name := range []string{"www/page", "www/old", "other/page"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, os.Link(filepath.Join(dir, "www/page"), filepath.Join(dir, "other/hard")))
	require.NoError(t, os.Symlink("../www/page", filepath.Join(dir, "other/soft")))
	text := fmt.Sprintf(`policy: test
mode: enforce
override: [lockout]
rules:
  - name: content
    files: {paths: [%[1]s/www/**], operations: tamper}
    allow: [{executable: %[2]s, user: "33", unit: a.service}]
  - name: process
    processes: {executables: [%[2]s]}
  - name: egress
    network: {deny: ["192.0.2.0/24:443/tcp"]}
  - name: kernel
    mode: audit
    kernel: [bpf]
  - name: programs
    exec: {deny: {paths: [%[1]s/other/**]}}
`, dir, executable)
	require.NoError(t, os.WriteFile(g.policy, []byte(text), 0o600))
	return g
}

func TestPolicyExplain(t *testing.T) {
	g := newGuarded(t)
	pid := fmt.Sprint(os.Getpid())
	for name, tc := range map[string]struct {
		args string // with DIR for the directory, SELF for the running program
		ok   bool
		want string // in what is written
	}{
		"file":               {"DIR/www/page write --as /bin/sh", false, "denied: write DIR/www/page"},
		"line":               {"DIR/www/page write --as /bin/sh", false, "because  DIR/policy.yaml:6:21: policy test, rule content: denied (DIR/www/**: DIR/www/page)"},
		"operation":          {"DIR/www/page read --as /bin/sh", true, "because  no rule is about it"},
		"new file":           {"DIR/www/new create --as /bin/sh", false, "denied: create DIR/www/new"},
		"other":              {"DIR/other/page write --as /bin/sh", true, "allowed: write DIR/other/page"},
		"hard link":          {"DIR/other/hard write --as /bin/sh", false, "DIR/www/page"},
		"symbolic link":      {"DIR/other/soft write --as /bin/sh", false, "denied: write DIR/www/page"},
		"the link itself":    {"DIR/other/soft delete --as /bin/sh", true, "allowed: delete DIR/other/soft"},
		"rename":             {"DIR/other/page rename --to DIR/other/x --as /bin/sh", true, "allowed"},
		"rename to":          {"DIR/other/page rename --to DIR/www/x --as /bin/sh", false, "denied"},
		"rename over":        {"DIR/other/page rename --to DIR/other/hard --as /bin/sh", false, "DIR/www/page"},
		"rename to nowhere":  {"DIR/other/page rename --as /bin/sh", true, "note     only the object is judged, and not the new name: --to gives it"},
		"way":                {"DIR delete --as /bin/sh", false, "denied: delete DIR"},
		"subject":            {"DIR/www/page write --as SELF --user 33 --unit a.service", true, "DIR/policy.yaml:7:13: policy test, rule content: allowed"},
		"subject, not all":   {"DIR/www/page write --as SELF --user 33", false, "denied"},
		"run":                {"DIR/other/page run --as /bin/sh", false, "rule programs: denied"},
		"absent executable":  {"DIR/other/page read --as /none", true, "note     /none is not there"},
		"this process":       {"DIR/www/page write --pid " + pid, false, "by       SELF"},
		"its parent":         {"DIR/www/page write", false, "denied"},
		"process":            {pid + " signal --as /bin/sh", false, "rule process: denied"},
		"process, to itself": {pid + " signal --pid " + pid, true, "allowed: signal SELF[" + pid + "]"},
		"address":            {"192.0.2.1:443/tcp connect --as /bin/sh", false, "rule egress: denied (192.0.2.0/24:443/tcp: 192.0.2.1:443/tcp)"},
		"other address":      {"192.0.2.1:443/udp connect --as /bin/sh", true, "allowed"},
		"kernel":             {"kernel bpf --as /bin/sh", true, "audited: bpf kernel"},
	} {
		t.Run(name, func(t *testing.T) {
			fill := strings.NewReplacer("DIR", g.dir, "SELF", g.executable).Replace
			args := append([]string{"explain"}, strings.Fields(fill(tc.args))...)
			stdout, stderr, ok := runPolicy(t, append(args, g.policy)...)
			assert.Contains(t, stdout, fill(tc.want))
			assert.Equal(t, tc.ok, ok)
			assert.Empty(t, stderr)
		})
	}
}

func TestPolicyExplainRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"/etc signal":                           `found the operation "signal", expected one of write, create, delete`,
		"1 write":                               `found the operation "write", expected one of signal, ptrace, memory, priority`,
		"10.0.0.1:1 write":                      "expected one of connect, bind, accept",
		"kernel write":                          "expected one of modules, bpf, kexec",
		"4294967295 signal":                     "there is no process 4294967295",
		"99999999999 signal":                    "value out of range",
		"/etc write --pid 4294967295":           "there is no process 4294967295",
		"/etc write --as /a --user no-such":     `the user "no-such"`,
		"/etc write --as /a --pid 1":            "none of the others can be",
		"/etc":                                  "requires at least 2 arg(s)",
		"/etc write /no/such/policies":          "/no/such/policies: cannot be read",
		"/etc write --as /a --user 99999999999": "value out of range",
		"/etc write --unit a.service":           "found --unit or --container without --as",
		"/etc write --container a --pid 1":      "found --unit or --container without --as",
		"10.0.0.1 connect":                      "found the address 10.0.0.1 without a port, expected one such as 10.0.0.1:443",
		"::1/udp connect":                       "found the address ::1/udp without a port, expected one such as [::1]:443",
	} {
		_, stderr, ok := runPolicy(t, append([]string{"explain"}, strings.Fields(args)...)...)
		assert.False(t, ok, args)
		assert.Contains(t, stderr, want, args)
	}
}

func TestPolicyExplainInJSON(t *testing.T) {
	g := newGuarded(t)
	stdout, _, ok := runPolicy(t, "explain", g.dir+"/www/page", "write", "--as", "/bin/sh", "--json", g.policy)
	assert.False(t, ok)
	var answer struct {
		Object   string
		Actor    policy.Actor
		Decision policy.Decision
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	assert.Equal(t, g.dir+"/www/page", answer.Object)
	assert.Equal(t, "root", answer.Actor.User)
	assert.Equal(t, policy.Denied, answer.Decision.Verdict)
	assert.Equal(t, policy.Position{File: g.policy, Line: 6, Column: 21}, answer.Decision.Reasons[0].Position)
}

func TestPolicyCheck(t *testing.T) {
	g := newGuarded(t)
	broken := filepath.Join(g.dir, "broken.yaml")
	require.NoError(t, os.WriteFile(broken, []byte("policy: Broken\nrules: []\n"), 0o600))
	for name, tc := range map[string]struct {
		args []string
		ok   bool
		want string
	}{
		"ready":         {nil, true, "9 policies checked: 0 refused"},
		"strict":        {[]string{"--strict", "--root", filepath.Join(g.dir, "other")}, true, "9 policies checked: 0 refused, 0 warnings"},
		"broken":        {[]string{broken}, false, broken + `:1:9: refused: policy: found the text "Broken", expected a name`},
		"and others":    {[]string{g.dir}, false, "1 policy checked: "},
		"warnings":      {[]string{g.policy}, true, "may not send signals to each other"},
		"strictly":      {[]string{g.policy, "--strict"}, false, "may not send signals to each other"},
		"nothing there": {[]string{g.policy, "--root", filepath.Join(g.dir, "other")}, false, "nothing that the rule protects is on this host"},
		"no such place": {[]string{"/no/such/place"}, false, "/no/such/place: refused: cannot be read: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, ok := runPolicy(t, append([]string{"check"}, tc.args...)...)
			assert.Contains(t, stdout, tc.want)
			assert.Equal(t, tc.ok, ok, stdout)
			assert.Empty(t, stderr)
			stdout, _, again := runPolicy(t, append([]string{"check", "--json"}, tc.args...)...)
			assert.Equal(t, ok, again)
			assert.True(t, json.Valid([]byte(stdout)))
		})
	}
}

func TestPolicyListAndShow(t *testing.T) {
	g := newGuarded(t)
	stdout, _, ok := runPolicy(t, "list", g.policy)
	assert.True(t, ok)
	assert.Regexp(t, `test +mixed +high +5 +.*policy.yaml:1`, stdout)
	stdout, _, ok = runPolicy(t, "list", "--json")
	assert.True(t, ok)
	assert.Contains(t, stdout, `"operations": "modules"`)
	stdout, _, ok = runPolicy(t, "list", t.TempDir())
	assert.True(t, ok)
	assert.Equal(t, "There are no policies.\n", stdout)

	stdout, _, ok = runPolicy(t, "show", "mysql")
	assert.True(t, ok)
	assert.Contains(t, stdout, "policy: postgresql\n", "the whole file")
	policies, err := policy.Parse("database.yaml", []byte(stdout))
	require.NoError(t, err)
	assert.Len(t, policies, 2)
	stdout, _, ok = runPolicy(t, "show", "mysql", "--json")
	assert.True(t, ok)
	var documents []struct{ Policy string }
	require.NoError(t, json.Unmarshal([]byte(stdout), &documents))
	require.Len(t, documents, 2)
	assert.Equal(t, []string{policies[0].Name, policies[1].Name}, []string{documents[0].Policy, documents[1].Policy})
	_, stderr, ok := runPolicy(t, "show", "none")
	assert.False(t, ok)
	assert.Contains(t, stderr, `there is no ready policy "none", expected one of agent, backups`)
	stdout, _, ok = runPolicy(t, "schema")
	assert.True(t, ok)
	assert.True(t, json.Valid([]byte(stdout)))
	stdout, _, ok = runPolicy(t)
	assert.True(t, ok)
	assert.Contains(t, stdout, "vedette policy [command]")
}

func TestPolicyReleaseWithoutPolicies(t *testing.T) {
	out, _, err := execute(t, host(), "policy", "release", "--pins", filepath.Join(t.TempDir(), "none"))
	require.NoError(t, err)
	assert.Equal(t, "nothing was in force\n", out)
	out, _, err = execute(t, host(), "policy", "release", "--json", "--pins", filepath.Join(t.TempDir(), "none"))
	require.NoError(t, err)
	assert.JSONEq(t, "[]", out)
}

func TestPolicyCommandsAnswerInJSON(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	k := keeper.New(keeper.Config{
		Socket: socket, StateFile: filepath.Join(t.TempDir(), "state"), Logger: zap.NewNop(),
		Release: func() error { return nil }, Loaded: func(keeper.Loaded) {}, Counts: func([]keeper.Counted, uint64) {},
	})
	require.NoError(t, k.Start(t.Context()))
	defer func() { assert.NoError(t, k.Close()) }()
	out, _, err := execute(t, host(), "policy", "confirm", "--json", "--socket", socket)
	require.NoError(t, err)
	assert.JSONEq(t, `{"text": "no policy waits to be confirmed"}`, out)
	out, _, err = execute(t, host(), "policy", "confirm", "--socket", socket)
	require.NoError(t, err)
	assert.Equal(t, "no policy waits to be confirmed\n", out)
}

func TestPolicyCheckOfARootThatIsNone(t *testing.T) {
	_, stderr, ok := runPolicy(t, "check", "--root", filepath.Join(t.TempDir(), "none"))
	assert.False(t, ok)
	assert.Contains(t, stderr, "--root: stat ")
}

func TestPolicyLockNeedsAnAgent(t *testing.T) {
	socket, token := filepath.Join(t.TempDir(), "socket"), filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("secret\n"), 0o600))
	for _, args := range [][]string{{"lock"}, {"unlock", "--token-file", token}, {"panic", "on", "--token-file", token}} {
		_, _, err := execute(t, host(), append(append([]string{"policy"}, args...), "--socket", socket)...)
		require.ErrorContains(t, err, "nobody takes commands at "+socket)
	}
	_, _, err := execute(t, host(), "policy", "unlock", "--socket", socket, "--token-file", token+"-none")
	require.ErrorIs(t, err, os.ErrNotExist)
}
