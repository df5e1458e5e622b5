// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseReadsEverything(t *testing.T) {
	src := `# a comment
title: Shell
id: 929a690e-bef0-4204-a928-ef5e620d6fcc
name: shell
related:
  - id: 08fbc97d-0a2f-491c-ae21-8ffcfd3174e9
    type: derived
  - id: 18fbc97d-0a2f-491c-ae21-8ffcfd3174e9
    type: obsoletes
taxonomy: sigma
status: test
description: A shell.
license: Apache-2.0
author: Someone
references: [https://example.org/a]
date: 2024-01-02
modified: 2024/03/04
tags: [attack.execution, attack.t1059.004]
logsource:
  product: linux
  category: process_creation
  service: auditd
  definition: any text
  custom: 5
detection:
  a:
    Image|endswith: /sh
  condition: a
  timeframe: 5m
fields: [Image]
falsepositives: [Unknown]
level: high
scope: [server]
output: '{Image} ran'
response: [kill]
risk: 70
dedup: {key: [ProcessGuid], window: 1m30s}
tests:
  - name: a shell
    match: true
    event: {Image: [/bin/dash, /bin/sh], ProcessId: 5, Ratio: 1.5, Flag: true, Gone: null, Date: 2024-01-02}
  - name: words
    category: other
    match: false
    keywords: [evil]
    event: {}
my_own_key: {x: [1, 2]}
`
	rules, errs := parseRules("dir/shell.yml", []byte(src))
	require.Empty(t, errs)
	require.Len(t, rules, 1)
	r := *rules[0]
	require.Len(t, r.Selections, 1)
	assert.Equal(t, "a", r.Selections[0].Name)
	assert.Equal(t, 26, r.Selections[0].Line)
	require.Len(t, r.Conditions, 1)
	r.Selections, r.Conditions = nil, nil
	assert.Equal(t, Rule{
		Header: Header{
			ID: "929a690e-bef0-4204-a928-ef5e620d6fcc", Title: "Shell", Name: "shell", Status: "test", Description: "A shell.",
			License: "Apache-2.0", Author: "Someone", Date: "2024-01-02", Modified: "2024/03/04", Taxonomy: "sigma", Level: High,
			References: []string{"https://example.org/a"}, Tags: []string{"attack.execution", "attack.t1059.004"},
			FalsePositives: []string{"Unknown"}, Fields: []string{"Image"}, Scope: []string{"server"},
			Related: []Related{{"08fbc97d-0a2f-491c-ae21-8ffcfd3174e9", "derived"}, {"18fbc97d-0a2f-491c-ae21-8ffcfd3174e9", "obsolete"}},
			Output:  "{Image} ran", Response: []string{"kill"}, Risk: 70,
			Dedup: &Dedup{Group: "929a690e-bef0-4204-a928-ef5e620d6fcc", Key: []string{"ProcessGuid"}, Window: 90 * time.Second},
			File:  "dir/shell.yml", Line: 2,
		},
		LogSource: LogSource{Product: "linux", Category: "process_creation", Service: "auditd"},
		Tests: []TestEvent{
			{Name: "a shell", Category: "process_creation", Match: true, Line: 39, Event: fields{
				"Image": []any{"/bin/dash", "/bin/sh"}, "ProcessId": int64(5), "Ratio": 1.5, "Flag": true, "Gone": nil, "Date": "2024-01-02"}},
			{Name: "words", Category: "other", Keywords: []string{"evil"}, Event: fields{}, Line: 42},
		},
	}, r)
}

func titles(rules []*Rule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.Title)
	}
	return all
}

func TestDocuments(t *testing.T) {
	body := "\nlogsource: {product: linux}\ndetection: {a: {F: x}, condition: a}\n"
	tests := []struct {
		name, src string
		want      []string
		lines     []int
	}{
		{"nothing", "", nil, nil},
		{"only comments", "# x\n\n# y\n", nil, nil},
		{"only markers", "---\n---\n...\n", nil, nil},
		{"one", "title: A" + body, []string{"A"}, []int{1}},
		{"no line end", "title: A" + body[:len(body)-1], []string{"A"}, []int{1}},
		{"marker first", "---\ntitle: A" + body, []string{"A"}, []int{2}},
		{"comments first", "# x\n\n---\ntitle: A" + body, []string{"A"}, []int{4}},
		{"directive first", "%YAML 1.1\n---\ntitle: A" + body, []string{"A"}, []int{3}},
		{"two", "title: A" + body + "---\ntitle: B" + body, []string{"A", "B"}, []int{1, 5}},
		{"empty one between", "title: A" + body + "---\n# x\n---\ntitle: B" + body, []string{"A", "B"}, []int{1, 7}},
		{"end marker", "title: A" + body + "...\ntitle: B" + body, []string{"A", "B"}, []int{1, 5}},
		{"byte order mark", "\xef\xbb\xbftitle: A" + body, []string{"A"}, []int{1}},
		{"carriage returns", "title: A\r\nlogsource: {product: linux}\r\ndetection: {a: {F: x}, condition: a}\r\n---\r\ntitle: B" + body, []string{"A", "B"}, []int{1, 5}},
		{"dashes inside of text", "title: A\ndescription: |\n  x\n  ---\n  y" + body, []string{"A"}, []int{1}},
		{"document on the marker's line", "title: A" + body + "--- {title: B, logsource: {product: x}, detection: {a: {F: x}, condition: a}}\n", []string{"A", "B"}, []int{1, 4}},
		{"aliases", "title: A\nlogsource: {product: linux}\ndetection:\n  a: &s {F: &v [x]}\n  b: *s\n  c: {G: *v}\n  condition: all of them\n", []string{"A"}, []int{1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules, errs := parseRules("x.yml", []byte(tt.src))
			assert.Empty(t, errs)
			assert.Equal(t, tt.want, titles(rules))
			var lines []int
			for _, r := range rules {
				lines = append(lines, r.Line)
			}
			assert.Equal(t, tt.lines, lines)
		})
	}
}

func TestSelfReference(t *testing.T) {
	for _, src := range []string{
		"title: x\nlogsource: {product: x}\ndetection: &d\n  a: *d\n  condition: a\n",
		"title: x\nlogsource: {product: x}\ndetection:\n  a: &l [*l]\n  condition: a\n",
		"title: x\nlogsource: {product: x}\ndetection:\n  a: &m {F: *m}\n  condition: a\n",
		"&d action: global\ntitle: *d\n---\n&e title: *e\n",
	} {
		rules, errs := parseRules("x.yml", []byte(src))
		assert.Empty(t, rules, src)
		assert.NotEmpty(t, errs, src)
	}
}

func TestCollections(t *testing.T) {
	src := `action: global
title: Process
level: high
detection:
  common: {User: root}
---
action: global
status: test
---
logsource: {product: windows, service: security}
level: low
detection:
  own: {EventID: 4688}
  condition: common and own
---
action: repeat
title: Sysmon
logsource: {product: windows, service: sysmon}
detection:
  own: {EventID: 1}
---
action: reset
---
title: Alone
logsource: {product: linux}
detection: {a: {F: x}, condition: a}
`
	rules, errs := parseRules("x.yml", []byte(src))
	require.Empty(t, errs)
	require.Equal(t, []string{"Process", "Sysmon", "Alone"}, titles(rules))
	first, second, third := rules[0], rules[1], rules[2]
	assert.Equal(t, LogSource{Product: "windows", Service: "security"}, first.LogSource)
	assert.Equal(t, LogSource{Product: "windows", Service: "sysmon"}, second.LogSource)
	assert.Equal(t, []Level{High, High, ""}, []Level{first.Level, second.Level, third.Level}, "global content is put over a rule's own")
	assert.Equal(t, []string{"test", "test", ""}, []string{first.Status, second.Status, third.Status})
	assert.Equal(t, []int{10, 16, 24}, []int{first.Line, second.Line, third.Line})
	for eventID, want := range map[int][2]bool{4688: {true, false}, 1: {false, true}} {
		event := MapEvent(fields{"User": "root", "EventID": eventID})
		_, matchedFirst := first.Evaluate(event)
		_, matchedSecond := second.Evaluate(event)
		assert.Equal(t, want, [2]bool{matchedFirst, matchedSecond}, eventID)
	}
}

func ruleFile(title, id string) string {
	return "title: " + title + "\nid: rule-" + id + "\nlogsource: {product: linux}\ndetection: {a: {F: x}, condition: a}\n"
}

// unreadable refuses to open one file.
type unreadable struct {
	fs.FS
	name string
}

func (u unreadable) Open(name string) (fs.File, error) {
	if name == u.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.FS.Open(name)
}

func TestParseFS(t *testing.T) {
	fsys := fstest.MapFS{
		"rules/b.yml":         {Data: []byte(ruleFile("B", "2"))},
		"rules/a/z.yaml":      {Data: []byte(ruleFile("Z", "1"))},
		"rules/c.yml":         {Data: []byte(ruleFile("C", "1") + "---\n" + ruleFile("D", "3"))},
		"rules/d.yml":         {Data: []byte("title: [\n")},
		"rules/e.yml":         {Data: []byte(ruleFile("E", "5"))},
		"rules/readme.md":     {Data: []byte("x")},
		"rules/.git/x.yml":    {Data: []byte(ruleFile("Hidden", "4"))},
		"rules/dir.yml/x.yml": {Data: []byte(ruleFile("X", "6"))},
		"other/o.yml":         {Data: []byte(ruleFile("O", "7"))},
	}
	rules, errs := rulesOf(ParseFS(unreadable{fsys, "rules/e.yml"}, "rules", WithDisplayPrefix("/etc/vedette")))
	require.Equal(t, []string{"Z", "B", "D", "X"}, titles(rules), "%v", errs)
	assert.Equal(t, "/etc/vedette/rules/a/z.yaml", rules[0].File)
	var messages []string
	for _, err := range errs {
		messages = append(messages, err.Error())
	}
	assert.Equal(t, []string{
		"/etc/vedette/rules/d.yml:1: the document is not valid YAML: did not find expected node content",
		"/etc/vedette/rules/e.yml: cannot be read: permission denied",
		"/etc/vedette/rules/c.yml:1: id rule-1 is already used by the document at /etc/vedette/rules/a/z.yaml:1; expected an id of its own",
	}, messages)
}

func TestParseDir(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "..data")
	require.NoError(t, os.Mkdir(data, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(data, "a.yml"), []byte(ruleFile("A", "1")), 0o644))
	require.NoError(t, os.Symlink(filepath.Join("..data", "a.yml"), filepath.Join(dir, "a.yml")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "b.yml")))
	rules, errs := rulesOf(ParseDir(dir))
	require.Equal(t, []string{"A"}, titles(rules), "a linked file is read once, as configuration maps are mounted")
	assert.Equal(t, filepath.Join(dir, "a.yml"), rules[0].File)
	require.Len(t, errs, 1)
	assert.Equal(t, filepath.Join(dir, "b.yml")+": cannot be read: no such file or directory", errs[0].Error())

	rules, errs = rulesOf(ParseDir(filepath.Join(dir, "absent")))
	assert.Empty(t, rules)
	require.Len(t, errs, 1)
	assert.Equal(t, filepath.Join(dir, "absent")+": cannot be read: no such file or directory", errs[0].Error())
}

func TestErrorIsAnError(t *testing.T) {
	var err error = &Error{File: "a.yml", Line: 2, Column: 3, Msg: "x"}
	var found *Error
	assert.True(t, errors.As(err, &found))
	assert.EqualError(t, err, "a.yml:2:3: x")
}

func TestMapEventTakesWhatGoHas(t *testing.T) {
	type name string
	event := MapEvent(fields{
		"int8": int8(-1), "uint64": uint64(1 << 63), "float32": float32(0.5), "bytes": []byte("x"), "named": name("n"),
		"time": time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC), "ints": [2]int{1, 2}, "map": map[string]int{"a": 1}, "nils": []any{nil},
	})
	for field, want := range map[string][]any{
		"int8": {int64(-1)}, "uint64": {float64(1 << 63)}, "float32": {0.5}, "bytes": {"x"}, "named": {"n"},
		"time": {"2024-01-02T03:04:05.000000006Z"}, "ints": {int64(1), int64(2)}, "map": {"map[a:1]"}, "nils": {nil},
	} {
		values, ok := event.Lookup(field)
		assert.True(t, ok, field)
		assert.Equal(t, want, values, field)
	}
}
