// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/event"
)

var update = flag.Bool("update", false, "write the golden files")

var at = time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)

// batch makes n file events that differ.
func batch(t testing.TB, n int) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr(event.AttrHostName, "web-1")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("test")
	for i := range n {
		lr := sl.LogRecords().AppendEmpty()
		lr.SetEventName(event.KindFileOpen)
		lr.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i))))
		require.NoError(t, lr.Attributes().FromRaw(map[string]any{event.AttrFilePath: fmt.Sprintf("/tmp/%d", i)}))
	}
	return logs
}

// actionOf is the first line of a bulk request's two lines for a document.
type actionOf struct {
	Create struct {
		Index    string `json:"_index"`
		ID       string `json:"_id"`
		Pipeline string `json:"pipeline"`
	} `json:"create"`
}

func read(t testing.TB, b *bulk) (actions []actionOf, documents []string) {
	lines := strings.Split(strings.TrimSuffix(string(b.body), "\n"), "\n")
	require.Zero(t, len(lines)%2)
	for i := 0; i < len(lines); i += 2 {
		var a actionOf
		require.NoError(t, json.Unmarshal([]byte(lines[i]), &a), lines[i])
		require.True(t, json.Valid([]byte(lines[i+1])), lines[i+1])
		actions, documents = append(actions, a), append(documents, lines[i+1])
	}
	return actions, documents
}

func fill(t testing.TB, cfg *Config, logs plog.Logs) *bulk {
	b := newBulk(cfg)
	each(logs, func(p position, from source) { require.NoError(t, b.add(p, from)) })
	return b
}

func TestBulkLines(t *testing.T) {
	logs := batch(t, 3)
	record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1)
	record.Attributes().PutStr(attrID, `mine "1"`)
	record.Attributes().PutStr(attrPipeline, "extra")
	b := fill(t, createDefaultConfig().(*Config), logs)
	actions, documents := read(t, b)
	require.Len(t, actions, 3)
	assert.Len(t, actions[0].Create.ID, idChars)
	assert.NotEqual(t, actions[0].Create.ID, actions[2].Create.ID)
	assert.Equal(t, `mine "1"`, actions[1].Create.ID)
	assert.Equal(t, "extra", actions[1].Create.Pipeline)
	for i, e := range b.entries {
		assert.Equal(t, "logs-vedette.file-default", actions[i].Create.Index)
		assert.Equal(t, documents[i], b.document(e))
		assert.Equal(t, position{0, 0, i}, e.position)
	}
	assert.Equal(t, string(b.body), string(b.text(b.entries)))
	assert.Contains(t, documents[0], `"data_stream":{"dataset":"vedette.file","namespace":"default","type":"logs"}`)
}

// TestIdentity: the same record is the same document, also when it has been through the queue, and any
// difference makes it another, also one that the document does not show.
func TestIdentity(t *testing.T) {
	for _, mode := range []string{modeECS, modeOTel, modeBodyMap} {
		t.Run(mode, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			cfg.Mapping.Mode = mode
			id := func(logs plog.Logs) string {
				actions, _ := read(t, fill(t, cfg, logs))
				return actions[0].Create.ID
			}
			one := func() (plog.Logs, plog.LogRecord) {
				logs := batch(t, 1)
				lr := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
				require.NoError(t, lr.Body().FromRaw(map[string]any{"@timestamp": "2026-03-04T05:06:07Z", "n": 1}))
				return logs, lr
			}
			logs, _ := one()
			wire, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
			require.NoError(t, err)
			back, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(wire)
			require.NoError(t, err)
			assert.Equal(t, id(logs), id(back))
			for name, change := range map[string]func(plog.LogRecord){
				"time":      func(lr plog.LogRecord) { lr.SetTimestamp(lr.Timestamp() + 1) },
				"observed":  func(lr plog.LogRecord) { lr.SetObservedTimestamp(1) },
				"attribute": func(lr plog.LogRecord) { lr.Attributes().PutStr("more", "") },
				"body":      func(lr plog.LogRecord) { lr.Body().Map().PutInt("n", 2) },
				"name":      func(lr plog.LogRecord) { lr.SetEventName(event.KindFileDelete) },
			} {
				other, lr := one()
				change(lr)
				assert.NotEqual(t, id(logs), id(other), name)
			}
			other, _ := one()
			other.ResourceLogs().At(0).Resource().Attributes().PutStr(event.AttrHostName, "web-2")
			assert.NotEqual(t, id(logs), id(other), "resource")

			alert, lr := one()
			lr.Attributes().PutStr(event.AttrEventID, "a1")
			assert.NotEqual(t, "a1", id(alert), "only alerts are known by event.id")
			lr.SetEventName(event.KindSecurityAlert)
			assert.Equal(t, "a1", id(alert))
			lr.Attributes().PutStr(event.AttrEventID, strings.Repeat("a", maxID+1))
			assert.Len(t, id(alert), idChars)
		})
	}
}

func TestDocumentsOfOtherModes(t *testing.T) {
	logs := batch(t, 1)
	rl := logs.ResourceLogs().At(0)
	lr := rl.ScopeLogs().At(0).LogRecords().At(0)
	lr.SetObservedTimestamp(lr.Timestamp() + 1000)
	lr.SetSeverityNumber(plog.SeverityNumberWarn)
	lr.SetSeverityText("medium")
	lr.SetTraceID(pcommon.TraceID{1})
	lr.SetSpanID(pcommon.SpanID{2})
	require.NoError(t, lr.Body().FromRaw(map[string]any{"a": []any{1, "x"}}))
	for _, mode := range []string{modeOTel, modeBodyMap} {
		document, err := newDocumentEncoder(mode).append(nil, ecs.Stream{Dataset: "d", Namespace: "n"}, source{rl, rl.ScopeLogs().At(0), lr})
		require.NoError(t, err)
		var have bytes.Buffer
		require.NoError(t, json.Indent(&have, document, "", "  "))
		have.WriteByte('\n')
		golden := filepath.Join("testdata", mode+".json")
		if *update {
			require.NoError(t, os.WriteFile(golden, have.Bytes(), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		assert.Equal(t, string(want), have.String())
	}
	lr.Body().SetStr("text")
	_, err := newDocumentEncoder(modeBodyMap).append(nil, ecs.Stream{Dataset: "d", Namespace: "n"}, source{rl, rl.ScopeLogs().At(0), lr})
	assert.ErrorIs(t, err, errNoMap)
	require.NoError(t, lr.Body().FromRaw(map[string]any{"@timestamp": "2026-01-01T00:00:00Z"}))
	document, err := newDocumentEncoder(modeBodyMap).append(nil, ecs.Stream{Dataset: "d", Namespace: "n"}, source{rl, rl.ScopeLogs().At(0), lr})
	require.NoError(t, err)
	assert.Equal(t, `{"@timestamp":"2026-01-01T00:00:00Z"}`, string(document))
}

func TestPickKeepsOnlyTheRest(t *testing.T) {
	logs := batch(t, 3)
	batch(t, 2).ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
	rest := pick(logs, []position{{1, 0, 1}, {0, 0, 2}})
	require.Equal(t, 2, rest.LogRecordCount())
	require.Equal(t, 2, rest.ResourceLogs().Len())
	var paths []string
	each(rest, func(_ position, from source) {
		path, _ := from.record.Attributes().Get(event.AttrFilePath)
		host, _ := from.resource.Resource().Attributes().Get(event.AttrHostName)
		paths = append(paths, path.Str())
		assert.Equal(t, "web-1", host.Str())
		assert.Equal(t, "test", from.scope.Scope().Name())
	})
	assert.Equal(t, []string{"/tmp/2", "/tmp/1"}, paths)
}

func TestEveryRecordHasATimeBeforeTheQueue(t *testing.T) {
	logs := batch(t, 2)
	assert.Equal(t, logs, withTimes(logs, time.Now))
	lr := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1)
	lr.SetTimestamp(0)
	timed := withTimes(logs, func() time.Time { return at })
	assert.Zero(t, lr.ObservedTimestamp(), "the batch may be another pipeline's too")
	assert.Equal(t, pcommon.NewTimestampFromTime(at), timed.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1).ObservedTimestamp())
}

func BenchmarkBulk(b *testing.B) {
	logs := batch(b, 1000)
	bulk := newBulk(createDefaultConfig().(*Config))
	b.ReportAllocs()
	for b.Loop() {
		bulk.reset()
		each(logs, func(p position, from source) { _ = bulk.add(p, from) })
	}
	b.SetBytes(int64(len(bulk.body)))
}
