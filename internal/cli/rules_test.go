// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/rulestatus"
)

const (
	goodRules = "../rules/testdata/rules"
	badRules  = "../rules/testdata/bad"
	logFile   = "../rules/testdata/log.jsonl"
)

// runRules runs `vedette rules` and tells whether its exit status is 0.
func runRules(t *testing.T, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	stdout, stderr, err := execute(t, host(), append([]string{"rules"}, args...)...)
	assert.NotContains(t, stdout, "\x1b", "no colours without a terminal")
	return stdout, stderr, err == nil
}

func TestRules(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "a.svg")
	for name, tc := range map[string]struct {
		args []string
		ok   bool
		want string // in what is written
	}{
		"help":             {nil, true, "vedette rules [command]"},
		"check built-in":   {[]string{"check", "--strict"}, true, "0 refused, 0 degraded, 0 warnings"},
		"check good":       {[]string{"check", "--strict", goodRules}, true, "4 rules checked"},
		"check bad":        {[]string{"check", badRules}, false, badRules + "/broken.yml:7:5: error: Image|endwith: unknown modifier"},
		"check others":     {[]string{"check", goodRules, "--builtin=false", "--exceptions", "../rules/testdata/exceptions"}, true, "4 rules checked"},
		"test built-in":    {[]string{"test"}, true, "0 failed"},
		"test good":        {[]string{"test", "-v", goodRules}, true, "✓ " + goodRules + "/scan.yml:30: a scan"},
		"test bad":         {[]string{"test", badRules}, false, "FAIL  2 passed, 1 failed, 2 rules without tests, 1 refused"},
		"test events":      {[]string{"test", goodRules, "--events", "../rules/testdata/events.jsonl"}, false, "2 passed, 2 failed"},
		"list":             {[]string{"list", goodRules, "--builtin=false"}, true, "Many scans"},
		"show":             {[]string{"show", "reverse shell"}, true, "108c003c-6dd0-4311-8beb-0b929cea64ed"},
		"show correlation": {[]string{"show", "many scans", goodRules}, true, "event_count by User within 10m"},
		"coverage":         {[]string{"coverage"}, true, "techniques and sub-techniques for Linux"},
		"coverage gaps":    {[]string{"coverage", "--gaps"}, true, "T1046     Network Service Discovery                        –"},
		"coverage layer":   {[]string{"coverage", "--navigator", "-"}, true, `"domain": "enterprise-attack"`},
		"coverage picture": {[]string{"coverage", "--svg", picture}, true, ""},
		"explain match":    {[]string{"explain", "scanner", `{"Image": "/usr/bin/nmap"}`, goodRules}, true, "✓ Port scanner matches"},
		"explain no match": {[]string{"explain", "scanner", `{"Image": "/usr/bin/ls"}`, goodRules}, false, "✗ Port scanner does not match"},
		"bench":            {[]string{"bench", "--time", "1ms", "--top", "3", goodRules}, true, "events per CPU second"},
		"replay":           {[]string{"replay", logFile, goodRules}, false, "6 events judged of"},
		"replay one rule":  {[]string{"replay", logFile, goodRules, "--rule", "scanner"}, false, "2 alerts of 1 rule"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, ok := runRules(t, tc.args...)
			assert.Equal(t, tc.ok, ok)
			assert.Contains(t, stdout, tc.want)
			assert.Empty(t, stderr)
		})
	}
	content, err := os.ReadFile(picture)
	require.NoError(t, err)
	assert.Contains(t, string(content), "<svg")
}

func TestRulesCheckTellsOfExceptions(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.yml")
	text := "title: T\nlogsource: {product: linux}\nfilter:\n  rules: [no-such]\n  s: {User: x}\n  condition: not s\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	for _, place := range []string{dir, file} {
		stdout, _, ok := runRules(t, "check", goodRules, "--exceptions", place)
		assert.False(t, ok)
		assert.Contains(t, stdout, file+":4:11: error: filter.rules: found \"no-such\"")
	}
}

func TestRulesInJSON(t *testing.T) {
	for _, args := range [][]string{
		{"check", badRules}, {"test", badRules}, {"list", goodRules}, {"show", "scanner", goodRules}, {"coverage"},
		{"explain", "scanner", "{}", goodRules}, {"bench", "--time", "1ms"}, {"replay", logFile},
	} {
		stdout, stderr, _ := runRules(t, append(args, "--json")...)
		assert.True(t, json.Valid([]byte(stdout)), "%v: %s", args, stdout)
		assert.Empty(t, stderr)
	}
}

func TestRulesErrors(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"nonsense"}, `vedette: unknown command "nonsense" for "vedette rules"`},
		{[]string{"list", "/no/such"}, "vedette: directories: /no/such does not exist, expected a directory"},
		{[]string{"list", "--lists", "/no/such"}, "vedette: lists: /no/such does not exist, expected a directory of lists or a list"},
		{[]string{"list", "--colour"}, "vedette: unknown flag: --colour"},
		{[]string{"show"}, "vedette: requires at least 1 arg(s), only received 0"},
		{[]string{"show", "no such"}, "vedette: no rule has the id, the name or a title that begins with \"no such\" (`vedette rules list` shows them)"},
		{[]string{"test", "--events", "/no/such"}, "vedette: open /no/such: no such file or directory"},
		{[]string{"explain", "reverse shell", "/no/such"}, "vedette: open /no/such: no such file or directory"},
		{[]string{"explain", "reverse shell", "{"}, "vedette: the event: not JSON: unexpected EOF"},
		{[]string{"explain", "many scans", "{}", goodRules}, `vedette: "Many scans" is a correlation, expected one of its rules: they look at events`},
		{[]string{"replay"}, "vedette: requires at least 1 arg(s), only received 0"},
		{[]string{"replay", goodRules}, "vedette: found directories only, expected a file of recorded events"},
		{[]string{"replay", "/no/such"}, "vedette: open /no/such: no such file or directory"},
		{[]string{"status", "--file", "/no/such"}, "vedette: /no/such does not exist: no agent with a detection processor is running, or its status_file is another"},
		{[]string{"bench", "--top", "-1"}, "vedette: --top: found -1, expected 0 or more"},
		{[]string{"bench", "--time", "-1s"}, "vedette: --time: found -1s, expected more than 0"},
		{[]string{"list", "--processor", "detection"}, `vedette: --processor: found "detection" without --config, expected the configuration that it is in`},
		{[]string{"coverage", "--svg", "/no/such/a.svg"}, "vedette: open /no/such/a.svg: no such file or directory"},
	} {
		stdout, stderr, ok := runRules(t, tt.args...)
		assert.False(t, ok)
		assert.Empty(t, stdout)
		assert.Equal(t, tt.want+"\n", stderr)
	}
}

const detecting = `receivers: {otlp: }
processors:
  detection:
    rules:
      builtin: false
      directories: ["${env:RULES_OF_TEST}"]
      disable: {ids: [8b1d3f54-0000-4000-8000-000000000003]}
      levels: {8b1d3f54-0000-4000-8000-000000000002: critical}
`

func TestRulesOfAConfiguration(t *testing.T) {
	t.Setenv("RULES_OF_TEST", goodRules)
	path := config(t, detecting)
	stdout, stderr, ok := runRules(t, "list", "--config", path)
	require.True(t, ok, stderr)
	assert.NotContains(t, stdout, "Reverse shell", "the built-in rules are not loaded")
	assert.NotContains(t, stdout, "Refused login", "it is switched off")
	assert.Regexp(t, `critical +Many scans`, stdout)

	stdout, _, ok = runRules(t, "list", "--config", path, "--builtin", goodRules+"/")
	require.True(t, ok)
	assert.Contains(t, stdout, "Reverse shell")
	assert.Equal(t, 1, strings.Count(stdout, "Many scans"), "a directory that is in the configuration too is read once")

	stdout, _, ok = runRules(t, "check", "--config", path, goodRules+"/")
	require.True(t, ok)
	assert.Contains(t, stdout, "4 rules checked", "what is switched off is checked too")
}

func TestRulesOfAConfigurationThatIsOfNoUse(t *testing.T) {
	several := config(t, "processors: {detection: , detection/b: {rules: {directories: ["+goodRules+"]}}, batch: }\n")
	broken := config(t, "processors: {detection: {rules: {colour: red}}}\n")
	invalid := config(t, "processors: {detection: {output: everything}}\n")
	none := config(t, "processors: {batch: }\n")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", none}, none + " has no detection processor under processors"},
		{[]string{"--config", several}, several + " has several detection processors (detection, detection/b), expected --processor to name one"},
		{[]string{"--config", several, "--processor", "detection/c"}, several + " has no detection processor detection/c, expected one of: detection, detection/b"},
		{[]string{"--config", broken}, "has invalid keys: colour"},
		{[]string{"--config", invalid}, `processors::detection: output: found "everything", expected alerts, annotate or append`},
		{[]string{"--config", none + "x"}, "no such file"},
	} {
		_, stderr, ok := runRules(t, append([]string{"list"}, tt.args...)...)
		assert.False(t, ok)
		assert.Contains(t, stderr, tt.want)
	}
	stdout, _, ok := runRules(t, "list", "--config", several, "--processor", "detection/b")
	require.True(t, ok)
	assert.Contains(t, stdout, "Many scans")
}

func TestRulesReplayOfGoodLines(t *testing.T) {
	lines, err := os.ReadFile(logFile)
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(lines), "\n")
	path := filepath.Join(t.TempDir(), "log.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(first), 0o600))
	t.Setenv("RULES_OF_TEST", goodRules)
	stdout, stderr, ok := runRules(t, "replay", path, "--config", config(t, detecting))
	assert.True(t, ok, stderr)
	assert.Contains(t, stdout, "1 event judged")
}

func TestRulesStatus(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.json")
	status := rulestatus.Status{Processor: "detection", PID: os.Getpid(), Written: time.Now(), Generation: 3, Since: time.Now()}
	status.Add("", "Port scanner", "low", 5)
	require.NoError(t, status.Write(file))
	stdout, stderr, ok := runRules(t, "status", "--file", file)
	assert.True(t, ok, stderr)
	assert.Contains(t, stdout, "3, in force since")
	assert.Contains(t, stdout, "5  low            Port scanner")

	configured := config(t, "processors: {detection: {status_file: "+file+"}}\n")
	stdout, _, ok = runRules(t, "status", "--config", configured, "--json")
	assert.True(t, ok)
	assert.True(t, json.Valid([]byte(stdout)))

	status.Failure = &rulestatus.Failure{Time: time.Now(), Error: "rules.yml:3: wrong"}
	require.NoError(t, status.Write(file))
	stdout, stderr, ok = runRules(t, "status", "--file", file)
	assert.False(t, ok)
	assert.Empty(t, stderr)
	assert.Contains(t, stdout, "rules.yml:3: wrong")

	_, stderr, ok = runRules(t, "status", "--config", config(t, "processors: {detection: {status_file: \"\"}}\n"))
	assert.False(t, ok)
	assert.Equal(t, "vedette: the configuration has an empty status_file, expected a path\n", stderr)
}
