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

func TestTest(t *testing.T) {
	report := Test(load(t, good), nil)
	var out bytes.Buffer
	require.NoError(t, report.WriteText(&out, false, true))
	golden(t, "test.txt", out.Bytes())
	assert.True(t, report.OK())
	assert.Equal(t, 8, report.Passed)

	report = Test(load(t, good, bad), Scope{bad})
	out.Reset()
	require.NoError(t, report.WriteText(&out, false, false))
	golden(t, "test_bad.txt", out.Bytes())
	assert.False(t, report.OK())
	out.Reset()
	require.NoError(t, WriteJSON(&out, report))
	golden(t, "test_bad.json", out.Bytes())
}

func TestWrongExpectations(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(good, "scan.yml"))
	require.NoError(t, err)
	wrong := strings.NewReplacer("match: true", "match: false", "fires: [2m]", "fires: [1m, 2m]").Replace(string(text))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yml"), []byte(wrong), 0o600))
	report := Test(load(t, dir), nil)
	assert.Equal(t, 2, report.Failed)
	assert.Equal(t, []string{"by itself: matched, expected no match", "as process.exec: matched, expected no match"}, report.Tried[0].Trials[0].Faults)
	assert.Equal(t, []string{"by itself: found firings at [2m0s], expected them at [1m0s 2m0s]",
		"as log records: found firings at [2m0s], expected them at [1m0s 2m0s]"}, report.Tried[1].Trials[0].Faults)
}

func TestBuiltinRulesPassTheirTests(t *testing.T) {
	report := Test(loadWith(t, ruleset.Config{Builtin: true}), nil)
	var out bytes.Buffer
	require.NoError(t, report.WriteText(&out, false, false))
	assert.True(t, report.OK(), out.String())
	assert.Zero(t, report.Untested)
}

func TestTestEvents(t *testing.T) {
	set := load(t, good)
	const file = "testdata/events.jsonl"
	events, err := os.Open(file)
	require.NoError(t, err)
	defer events.Close()
	report, err := TestEvents(set, file, events)
	require.NoError(t, err)
	assert.False(t, report.OK())
	var out bytes.Buffer
	require.NoError(t, report.WriteText(&out, false, false))
	golden(t, "events.txt", out.Bytes())

	for line, want := range map[string]string{
		"x":            "x.jsonl:1: expected an object with name, product,",
		`{"evnet":{}}`: `unknown field "evnet"`,
		`{"match":[]}`: "x.jsonl:1: found neither event nor keywords, expected one of them",
		`{"event":{}}`: "x.jsonl:1: found no match, expected a list of rules, which may be empty",
		"\n" + `{"event":{},"match":["no such"]}`: `x.jsonl:2: match: no rule has the id, the name or a title that begins with "no such"`,
		`{"event":{},"match":["many scans"]}`:     `match: "Many scans" is a correlation, expected rules`,
	} {
		_, err := TestEvents(set, "x.jsonl", strings.NewReader(line))
		assert.ErrorContains(t, err, want)
	}
}
