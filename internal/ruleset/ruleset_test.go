// SPDX-License-Identifier: Apache-2.0

package ruleset

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// write puts files into a new directory and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

const (
	nmap = `title: Nmap
id: 00000000-0000-0000-0000-000000000001
name: nmap
tags: [attack.discovery, attack.t1046]
level: low
logsource: {product: linux, category: process_creation}
detection:
  selection: {Image|endswith: /nmap}
  condition: selection
`
	curl = `title: Curl
id: 00000000-0000-0000-0000-000000000002
name: curl
level: medium
logsource: {product: linux, category: process_creation}
detection:
  selection: {Image|endswith: /curl}
  condition: selection
`
	both = `title: Scan and fetch
id: 00000000-0000-0000-0000-000000000003
level: high
correlation:
  type: temporal
  rules: [nmap, curl]
  group-by: [User]
  timespan: 10m
`
	exception = `title: The monitoring may scan
logsource: {product: linux, category: process_creation}
filter:
  rules: [00000000-0000-0000-0000-000000000001]
  selection: {User: monitor}
  condition: not selection
`
)

func titles(set *Set) []string {
	var all []string
	for _, r := range set.Rules {
		title := r.Title
		if r.Silent {
			title += " (silent)"
		}
		all = append(all, title)
	}
	for _, c := range set.Correlations {
		all = append(all, c.Title)
	}
	return all
}

func TestLoad(t *testing.T) {
	rules := write(t, map[string]string{"a/nmap.yml": nmap, "curl.yaml": curl, "both.yml": both, ".hidden/x.yml": "broken: [", ".x.yml": "broken: [", "readme.md": "no"})
	exceptions := write(t, map[string]string{"monitoring.yml": exception})
	set, err := Load(Config{Directories: []string{rules}, Exceptions: []string{exceptions}})
	require.NoError(t, err)
	assert.Equal(t, []string{"Nmap (silent)", "Curl (silent)", "Scan and fetch"}, titles(set))
	assert.Equal(t, map[State]int{Loaded: 3}, set.Report.Counts())
	assert.Empty(t, set.Report.Faults)

	event := map[string]any{"Image": "/usr/bin/nmap", "User": "root"}
	_, matched := set.Rules[0].Evaluate(sigma.MapEvent(event))
	assert.True(t, matched)
	event["User"] = "monitor"
	_, matched = set.Rules[0].Evaluate(sigma.MapEvent(event))
	assert.False(t, matched, "the exception holds")
	assert.Equal(t, rules, set.Rules[0].Source)
	require.Len(t, set.Filters, 1)
	assert.Contains(t, set.Rules[0].Selections, set.Filters[0].Selections[0])
	text, err := Text(rules, set.Rules[0].File)
	require.NoError(t, err)
	assert.Equal(t, nmap, string(text))

	set, err = Load(Config{Directories: []string{rules}, Exceptions: []string{filepath.Join(exceptions, "monitoring.yml")}})
	require.NoError(t, err)
	_, matched = set.Rules[0].Evaluate(sigma.MapEvent(event))
	assert.False(t, matched, "a single file of exceptions")
}

func TestBuiltinRulesLoadClean(t *testing.T) {
	set, err := Load(Config{Builtin: true})
	require.NoError(t, err)
	require.NotEmpty(t, set.Rules)
	for _, e := range set.Report.Entries {
		assert.Equal(t, Loaded, e.State, "%s: %v", e.File, e.Reasons)
		assert.Equal(t, Builtin, e.Source)
		text, err := Text(e.Source, e.File)
		require.NoError(t, err)
		assert.Contains(t, string(text), "title: "+e.Title)
	}
}

func TestDisable(t *testing.T) {
	dir := write(t, map[string]string{"nmap.yml": nmap, "curl.yml": curl, "both.yml": both})
	for name, tc := range map[string]struct {
		disable Disable
		want    []string
	}{
		"a correlation":                  {Disable{IDs: []string{"00000000-0000-0000-0000-000000000003"}}, []string{"Curl", "Nmap"}},
		"a rule that a correlation uses": {Disable{IDs: []string{"00000000-0000-0000-0000-000000000001"}}, []string{"Curl (silent)", "Nmap (silent)", "Scan and fetch"}},
		"by level":                       {Disable{Levels: []sigma.Level{sigma.High, sigma.Low}}, []string{"Curl"}},
		"by tag":                         {Disable{Tags: []string{"ATTACK.T1046"}, Levels: []sigma.Level{sigma.High}}, []string{"Curl"}},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := Load(Config{Directories: []string{dir}, Disable: tc.disable})
			require.NoError(t, err)
			assert.Equal(t, tc.want, titles(set))
			assert.NotZero(t, set.Report.Counts()[Disabled])
		})
	}
}

func TestLevels(t *testing.T) {
	dir := write(t, map[string]string{"nmap.yml": nmap})
	set, err := Load(Config{Directories: []string{dir}, Levels: map[string]sigma.Level{
		"00000000-0000-0000-0000-000000000001": sigma.Critical, "no-such": sigma.Low}, Disable: Disable{IDs: []string{"nor-this"}}})
	require.NoError(t, err)
	assert.Equal(t, sigma.Critical, set.Rules[0].Level)
	assert.Equal(t, []string{"levels: no rule has the id no-such", "disable::ids: no rule has the id nor-this"}, set.Report.Notes)
}

func TestLists(t *testing.T) {
	rule := strings.Replace(nmap, "{Image|endswith: /nmap}", "{Image|endswith|expand: '/%tools%'}", 1)
	rules := write(t, map[string]string{"nmap.yml": rule})
	lists := write(t, map[string]string{
		"tools.txt": "# what scans\nnmap\n\n  masscan  \n%more%\n",
		"sets.yml":  "more: [zmap, '%even-more%']\neven-more: [rustscan]\n",
		"notes.md":  "not a list",
	})
	set, err := Load(Config{Directories: []string{rules}, Lists: []string{lists}})
	require.NoError(t, err)
	require.Len(t, set.Rules, 1)
	for name, want := range map[string]bool{"nmap": true, "masscan": true, "zmap": true, "rustscan": true, "curl": false} {
		_, matched := set.Rules[0].Evaluate(sigma.MapEvent(map[string]any{"Image": "/usr/bin/" + name}))
		assert.Equal(t, want, matched, name)
	}
	set, err = Load(Config{Directories: []string{rules}})
	require.NoError(t, err)
	assert.Equal(t, map[State]int{Refused: 1}, set.Report.Counts(), "a list that is not there")
}

func TestBrokenLists(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"empty":            {map[string]string{"a.txt": "# nothing\n"}, "a.txt:1: the list a is empty"},
		"twice":            {map[string]string{"a.txt": "x", "b.yml": "a: [y]"}, "b.yml:1: the list a is given twice, first at "},
		"unknown":          {map[string]string{"a.txt": "x\n%b%"}, "a.txt:2: list a includes %b%, which is not known"},
		"a circle":         {map[string]string{"l.yml": "a: ['%b%']\nb: ['%a%']"}, "includes itself: "},
		"a map as a value": {map[string]string{"l.yml": "a:\n  - x: y"}, "l.yml:2: list a: expected a single value"},
		"no list":          {map[string]string{"l.yml": "a: b"}, "l.yml:1: list a: expected a list of values"},
		"no map":           {map[string]string{"l.yml": "- a"}, "l.yml:1: expected a map"},
		"a bad name":       {map[string]string{"l.yml": "a b: [c]"}, `l.yml:1: found the list name "a b"`},
		"not YAML":         {map[string]string{"l.yml": "a: ["}, "l.yml: not valid YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, tc.files)
			_, err := Load(Config{Builtin: true, Lists: []string{dir}})
			assert.ErrorContains(t, err, tc.want)
		})
	}
	_, err := Load(Config{Builtin: true, Lists: []string{"/no/such"}})
	assert.EqualError(t, err, "lists: /no/such does not exist, expected a directory of lists or a list")
}

func TestBrokenDocumentsAreReportedByDocument(t *testing.T) {
	text := nmap + "---\n# the second\ntitle: 'Bad one'\nid: bad-1\nlevel: hig\nlogsource: {product: linux}\ndetection:\n  s: {A|endswit: b}\n  condition: s\n---\n" + curl
	dir := write(t, map[string]string{"all.yml": text})
	set, err := Load(Config{Directories: []string{dir}})
	require.NoError(t, err)
	assert.Equal(t, []string{"Nmap", "Curl"}, titles(set))
	require.Len(t, set.Report.Entries, 3)
	bad := set.Report.Entries[1]
	assert.Equal(t, Refused, bad.State)
	assert.Equal(t, "Bad one", bad.Title)
	assert.Equal(t, "bad-1", bad.ID)
	assert.Equal(t, 12, bad.Line)
	require.Len(t, bad.Reasons, 2)
	assert.Contains(t, bad.Reasons[0], "all.yml:14:8: level: found \"hig\"")
	assert.Contains(t, bad.Reasons[1], "all.yml:17:7: A|endswit: unknown modifier")
}

func TestRulesAmongExceptionsAreRefused(t *testing.T) {
	dir := write(t, map[string]string{"x.yml": nmap})
	set, err := Load(Config{Builtin: true, Exceptions: []string{dir}})
	require.NoError(t, err)
	assert.Equal(t, 1, set.Report.Counts()[Refused])
	require.Len(t, set.Report.Faults, 1)
	assert.Contains(t, set.Report.Faults[0].Error(), "found a rule among the exceptions (\"Nmap\"), expected filters only")
}

func TestBrokenPlaces(t *testing.T) {
	file := filepath.Join(write(t, map[string]string{"f": ""}), "f")
	for _, tc := range []struct {
		cfg  Config
		want string
	}{
		{Config{Directories: []string{"/no/such"}}, "directories: /no/such does not exist, expected a directory"},
		{Config{Directories: []string{file}}, "directories: " + file + " is a file, expected a directory"},
		{Config{Exceptions: []string{"/no/such"}}, "exceptions: /no/such does not exist, expected a directory"},
	} {
		_, err := Load(tc.cfg)
		assert.EqualError(t, err, tc.want)
	}
}

func TestDegradations(t *testing.T) {
	rule := func(source, detection string) *sigma.Rule {
		c, errs := sigma.Parse("r.yml", []byte("title: T\nlogsource: "+source+"\ndetection:\n"+detection))
		require.Empty(t, errs)
		return c.Rules[0]
	}
	for name, tc := range map[string]struct {
		rule *sigma.Rule
		want string
	}{
		"nothing":           {rule("{category: process_creation}", "  s: {Image: a}\n  condition: s\n"), ""},
		"windows":           {rule("{product: windows, category: process_creation}", "  s: {Image: a}\n  condition: s\n"), "its log source is for windows, expected linux"},
		"an unknown field":  {rule("{category: process_creation}", "  s: {Hashes|contains: a, Company: b}\n  condition: s\n"), "no event for category process_creation has Company, Hashes; an attribute of that name would be taken"},
		"another category":  {rule("{category: proxy}", "  s: {c-uri: a}\n  condition: s\n"), "no event of this host has the category proxy; the rule sees log records that name it (see docs/rules.md)"},
		"unused selection":  {rule("{category: process_creation}", "  s: {Image: a}\n  other: {Image: b}\n  condition: s\n"), "no condition names other"},
		"lines of a daemon": {rule("{product: linux, service: sshd}", "  k: [error]\n  condition: k\n"), ""},
		"unseen call":       {rule("{product: linux, service: auditd}", "  s: {type: SYSCALL, SYSCALL: [sysinfo, execve]}\n  condition: s\n"), "no event stands for the system calls sysinfo; they are seen in records of the audit system only"},
		"unknown response":  {rule("{category: process_creation}", "  s: {Image: a}\n  condition: s\nresponse: [kill_process, reboot]\n"), `response: found "reboot", expected one of [kill_process kill_tree suspend block_address quarantine_file block_executable isolate_host]`},
		"unseen type":       {rule("{product: linux, service: auditd}", "  s: {type: [TTY, execve]}\n  condition: s\n"), "no event stands for the record types TTY; they are seen in records of the audit system only"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, strings.Join(Degradations(tc.rule), "\n"))
		})
	}
}

func TestReportIsWritten(t *testing.T) {
	dir := write(t, map[string]string{"nmap.yml": nmap, "bad.yml": "title: Bad\n", "other.yml": strings.Replace(curl, "linux", "windows", 1)})
	set, err := Load(Config{Directories: []string{dir}, Disable: Disable{Tags: []string{"attack.discovery"}}})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, set.Report.WriteTable(&b, false))
	text := strings.ReplaceAll(b.String(), dir, "DIR")
	assert.Contains(t, text, "refused   DIR/bad.yml:1  Bad\n          1:1: ")
	assert.Contains(t, text, "degraded  DIR/other.yml:1  Curl\n          its log source is for windows, expected linux\n")
	assert.Contains(t, text, "disabled  DIR/nmap.yml:1  Nmap\n          disable::tags names its tag attack.discovery\n")
	assert.Contains(t, text, "0 loaded, 1 degraded, 1 disabled, 1 refused\n")
	b.Reset()
	require.NoError(t, set.Report.WriteJSON(&b))
	var back Report
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	assert.Equal(t, set.Report.Entries, back.Entries)
}

func TestFingerprint(t *testing.T) {
	dir := write(t, map[string]string{"a.yml": nmap, "sub/b.yml": curl})
	cfg := Config{Directories: []string{dir}, Lists: []string{filepath.Join(dir, "lists")}}
	last := Fingerprint(cfg)
	assert.Equal(t, last, Fingerprint(cfg))
	changed := func(why string) {
		t.Helper()
		now := Fingerprint(cfg)
		assert.NotEqual(t, last, now, why)
		last = now
	}
	require.NoError(t, os.Chtimes(filepath.Join(dir, "sub/b.yml"), time.Unix(1, 0), time.Unix(1, 0)))
	changed("a file was written")
	require.NoError(t, os.Remove(filepath.Join(dir, "a.yml")))
	changed("a file was removed")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "lists"), 0o755))
	changed("a place came into being")
	require.NoError(t, os.Symlink("../sub/b.yml", filepath.Join(dir, "lists", "l.yml")))
	changed("a link was made")
}
