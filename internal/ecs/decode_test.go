// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

func decode(t testing.TB, document []byte) (pcommon.Resource, plog.LogRecord) {
	t.Helper()
	logs, err := NewDecoder().Decode(document)
	require.NoError(t, err, "%s", document)
	return logs.Resource(), logs.ScopeLogs().At(0).LogRecords().At(0)
}

// value is any value of a type.
func value(r *rand.Rand, typ event.Type) any {
	text := func() string { return []string{"a", "ä \x1b", "/usr/bin/x", "192.0.2.1", "7", "true", ""}[r.IntN(7)] }
	switch typ {
	case event.Int:
		return r.Int64()
	case event.Bool:
		return true
	case event.Time:
		return "2026-03-04T05:06:07.000000089Z"
	case event.Strings:
		return []any{text(), text()}
	case event.Map:
		return map[string]any{text(): text(), "n": r.Int64N(9), "l": []any{text(), true, nil}}
	}
	return text()
}

// Every record of the vocabulary comes back as it was.
func TestRecordsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, kind := range event.Kinds() {
		for range 100 {
			attributes := map[string]any{}
			for _, a := range kind.Attributes {
				if typ, _ := event.TypeOf(a); r.IntN(3) > 0 {
					attributes[a] = value(r, typ)
				}
			}
			delete(attributes, event.AttrEventKind)
			if kind.Name == event.KindSecurityAlert {
				attributes[event.AttrEventKind] = "alert"
				attributes[event.AttrVedetteEventName] = event.KindProcessExec
			}
			record, resource := newRecord(t, kind.Name, attributes), newResource(t)
			record.Body().SetStr("a body")
			record.SetSeverityText("info")
			document := NewEncoder().AppendDocument(nil, resource, record)
			backResource, back := decode(t, document)
			require.Equal(t, record.EventName(), back.EventName())
			require.Equal(t, record.Timestamp(), back.Timestamp())
			require.Equal(t, record.ObservedTimestamp(), back.ObservedTimestamp())
			require.Equal(t, record.SeverityNumber(), back.SeverityNumber())
			require.Equal(t, record.SeverityText(), back.SeverityText())
			require.Equal(t, record.Body().AsRaw(), back.Body().AsRaw())
			require.Equal(t, record.Attributes().AsRaw(), back.Attributes().AsRaw(), "%s", document)
			require.Equal(t, resource.Attributes().AsRaw(), backResource.Attributes().AsRaw())
		}
	}
}

func TestGoldenDocumentsComeBack(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		document, err := os.ReadFile(file)
		require.NoError(t, err)
		resource, record := decode(t, document)
		assert.JSONEq(t, string(document), string(NewEncoder().AppendDocument(nil, resource, record)), file)
	}
}

func TestKindsAreTellableByClassAndAction(t *testing.T) {
	seen := map[string]string{}
	for _, k := range event.Kinds() {
		key := k.Class + " " + k.ECS.Action
		assert.Empty(t, seen[key], "%s and %s have the same class and action", seen[key], k.Name)
		seen[key] = k.Name
	}
}

func TestLabelsOfTheVocabularyAreTellable(t *testing.T) {
	seen := map[string]string{}
	for _, k := range event.Kinds() {
		for _, a := range k.Attributes {
			if other, ok := seen[labelKey(a)]; ok {
				assert.Equal(t, other, a, "their labels have the same key")
			}
			seen[labelKey(a)] = a
		}
	}
}

func TestDecodeOtherDocuments(t *testing.T) {
	_, record := decode(t, []byte(`{"@timestamp":"2026-03-04T05:06:07Z","user":{"name":"ann"},"process.pid":5,"labels":{"app":"x","process_tty":"pts1"},"event":{"severity":50}}`))
	assert.Equal(t, map[string]any{"user.name": "ann", event.AttrProcessPID: int64(5), "app": "x", event.AttrProcessTTY: "pts1"}, record.Attributes().AsRaw())
	assert.Empty(t, record.EventName())

	_, record = decode(t, []byte(`{"event":{"kind":"alert","action":"exec","dataset":"vedette.alert","category":["intrusion_detection","process"]}}`))
	assert.Equal(t, event.KindProcessExec, record.EventName(), "an event that was annotated")
	_, record = decode(t, []byte(`{"event":{"kind":"alert","action":"alert","dataset":"vedette.alert","category":["intrusion_detection"]}}`))
	assert.Equal(t, event.KindSecurityAlert, record.EventName())
}

func TestDecodeRefuses(t *testing.T) {
	for document, want := range map[string]string{
		"":                                      "not an ECS document: EOF",
		"null":                                  "found null, expected an object",
		"[1]":                                   "not an ECS document: json: cannot unmarshal array",
		"{} {}":                                 "found more behind the first object",
		`{"@timestamp":5}`:                      "@timestamp: found 5, expected a time",
		`{"@timestamp":"1969-12-31T00:00:00Z"}`: "expected a time from 1970 to 2260",
		`{"event":{"created":"yesterday"}}`:     "event.created: found yesterday, expected a time",
	} {
		_, err := NewDecoder().Decode([]byte(document))
		assert.ErrorContains(t, err, want, document)
	}
}

func TestEventOfAnAlert(t *testing.T) {
	_, record := decode(t, NewEncoder().AppendDocument(nil, newResource(t), newAlert(t)))
	require.True(t, Event(record))
	assert.Equal(t, event.KindProcessRemoteStdio, record.EventName())
	assert.Equal(t, pcommon.ValueTypeEmpty, record.Body().Type())
	kind, _ := event.KindByName(event.KindProcessRemoteStdio)
	for name := range record.Attributes().All() {
		assert.Contains(t, kind.Attributes, name)
	}
	for name, attributes := range map[string]map[string]any{
		"of a correlation":        {event.AttrVedetteEventName: event.KindProcessExec, event.AttrVedetteCorrelation: map[string]any{"type": "event_count"}},
		"of a line without event": {},
	} {
		assert.False(t, Event(newRecord(t, event.KindSecurityAlert, attributes)), name)
	}
	plain := newRecord(t, event.KindProcessExec, execAttributes())
	require.True(t, Event(plain))
	assert.Equal(t, len(execAttributes()), plain.Attributes().Len())
	annotated := newRecord(t, event.KindProcessExec, map[string]any{event.AttrEventKind: "alert", event.AttrSecurityRuleName: "x", event.AttrProcessPID: 5})
	require.True(t, Event(annotated))
	assert.Equal(t, map[string]any{event.AttrProcessPID: int64(5)}, annotated.Attributes().AsRaw())
}

// What was read and written once stays as it is.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, file := range files {
		document, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(document)
	}
	f.Add([]byte(`{"labels":{"source_address":"192.0.2.1","file_flags":["x"],"process_exit_signal":"09","_":"x"},"message":[1,{"a":null}],"event":{"kind":"alert","action":"exec","severity":47}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		logs, err := NewDecoder().Decode(document)
		if err != nil {
			return
		}
		first := NewEncoder().AppendDocument(nil, logs.Resource(), logs.ScopeLogs().At(0).LogRecords().At(0))
		checkDocument(t, first)
		resource, record := decode(t, first)
		second := NewEncoder().AppendDocument(nil, resource, record)
		if !slices.Equal(first, second) {
			require.JSONEq(t, string(first), string(second), fmt.Sprintf("of %q", document))
		}
	})
}
