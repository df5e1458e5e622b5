// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ruleset"
)

const (
	ecsExec = `{"@timestamp":"2026-03-04T05:06:07Z","event":{"kind":"event","action":"exec","category":["process"],"dataset":"vedette.process"},` +
		`"process":{"executable":"/usr/bin/nmap","command_line":"nmap 192.0.2.1","user":{"name":"ann"}},"labels":{"process_invoked_path":"/tmp/x"}}`
	ecsAlert = `{"@timestamp":"2026-03-04T05:06:08Z","event":{"kind":"alert","action":"exec","category":["intrusion_detection","process"],"dataset":"vedette.alert"},` +
		`"message":"An alert","rule":{"name":"Other"},"vedette":{"event":{"name":"process.exec"}},"process":{"executable":"/usr/bin/ls"}}`
	otlpOpen = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"file.open","attributes":[{"key":"file.path","value":{"stringValue":"/x"}}]}]}]}]}`
	otlpLine = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"Invalid user bob"},"attributes":[{"key":"appname","value":{"stringValue":"sshd"}}]}]}]}]}`
)

func explainText(t *testing.T, set *ruleset.Set, rule, event string) (text string, matched bool) {
	r, _, err := Find(set, rule)
	require.NoError(t, err)
	all, err := Explain(r, []byte(event))
	require.NoError(t, err)
	var out bytes.Buffer
	for _, x := range all {
		require.NoError(t, x.WriteText(&out, false))
		matched = matched || x.Matched
	}
	return out.String(), matched
}

func TestExplain(t *testing.T) {
	set := loadWith(t, ruleset.Config{Directories: []string{good, bad}, Exceptions: []string{exceptions}})
	for name, tc := range map[string]struct {
		rule, event string
		matched     bool
	}{
		"fields":    {"scanner", `{"Image": ["/usr/bin/nmap", "/bin/x"], "ProcessId": 7, "User": "monitor"}`, false},
		"line":      {"scanner", `{"name": "x", "category": "process_creation", "event": {"Image": "/usr/bin/nmap"}, "match": []}`, true},
		"ecs":       {"scanner", ecsExec, true},
		"several":   {"scanner", ecsExec + "\n" + ecsAlert, true},
		"otlp":      {"refused", otlpLine, true},
		"unseen":    {"scanner", otlpOpen, false},
		"elsewhere": {"windows", ecsExec, false},
		"composite": {"scanner", strings.Replace(ecsAlert, `"event":{"name":"process.exec"}`, `"correlation":{"type":"event_count"}`, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			text, matched := explainText(t, set, tc.rule, tc.event)
			assert.Equal(t, tc.matched, matched)
			golden(t, "explain_"+name+".txt", []byte(text))
		})
	}
}

func TestExplainRefuses(t *testing.T) {
	set := load(t, good)
	for event, want := range map[string]string{
		"":                               "found nothing, expected an event in JSON",
		"{":                              "not JSON: unexpected EOF",
		"[1]":                            "found no object, expected a map of Sigma fields, an ECS document or OTLP logs",
		`{"@timestamp": 5}`:              "@timestamp: found 5",
		`{"resourceLogs": 5}`:            "not OTLP logs: ",
		`{"event": {"a": 1}, "etch": 2}`: `unknown field "etch"`,
	} {
		_, err := Explain(set.Rules[0], []byte(event))
		assert.ErrorContains(t, err, want)
	}
}

// What is shown agrees with the verdict for every test of every rule.
func TestExplainAgreesWithTests(t *testing.T) {
	set := loadWith(t, ruleset.Config{Builtin: true})
	for _, r := range set.Rules {
		for _, test := range r.Tests {
			x := newRecordExplainer(r)
			for _, f := range (sigmaEvent{source: r.LogSource, fields: test.Event, keywords: test.Keywords}).forms() {
				assert.Equal(t, test.Match, matches(x.record, f.log, 0), test.Name)
				assert.Equal(t, test.Match, explained(r, x.record.Event(0)).Matched, test.Name)
			}
		}
	}
}

func TestReadEvent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "e.json")
	require.NoError(t, os.WriteFile(file, []byte("{}"), 0o600))
	for argument, want := range map[string]string{"-": "from stdin", ` {"a": 1}`: ` {"a": 1}`, file: "{}"} {
		text, err := ReadEvent(argument, strings.NewReader("from stdin"))
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
	}
	_, err := ReadEvent("no such file", nil)
	assert.ErrorIs(t, err, os.ErrNotExist)
}
