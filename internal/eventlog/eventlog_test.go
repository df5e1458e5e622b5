// SPDX-License-Identifier: Apache-2.0

package eventlog

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/internal/recording"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const log = `{"@timestamp":"2026-03-04T05:06:07Z","event":{"action":"exec","dataset":"vedette.process"},"process":{"pid":1},"host":{"name":"web"}}

{"@timestamp":"2026-03-
{"resourceLogs":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"db"}}]},"scopeLogs":[{"logRecords":[{"eventName":"file.open"},{"eventName":"file.delete"}]}]}]}
[1]
{"resourceLogs":7}
{"@timestamp":7}
{"a":1}
`

func read(t *testing.T, from io.Reader) (found, faults []string) {
	err := NewDecoder().Read("x.jsonl", from,
		func(r Record) {
			host, _ := r.Resource.Attributes().Get("host.name")
			found = append(found, r.Log.EventName()+" on "+host.AsString())
		},
		func(f *Fault) { faults = append(faults, f.Error()) })
	require.NoError(t, err)
	return found, faults
}

func TestRead(t *testing.T) {
	found, faults := read(t, strings.NewReader(log))
	assert.Equal(t, []string{"process.exec on web", "file.open on db", "file.delete on db"}, found)
	require.Len(t, faults, 5)
	assert.Contains(t, faults[0], "x.jsonl:3: found no whole JSON object, expected an ECS document or OTLP logs on one line: ")
	assert.Contains(t, faults[1], "x.jsonl:5: found no whole JSON object")
	assert.Contains(t, faults[2], "x.jsonl:6: not OTLP logs: ")
	assert.Contains(t, faults[3], "x.jsonl:7: @timestamp: found 7")
	assert.Equal(t, "x.jsonl:8: found neither @timestamp nor resourceLogs, expected an ECS document or OTLP logs", faults[4])
}

func TestReadCompressed(t *testing.T) {
	var zipped, zst bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := io.WriteString(z, log)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	w, err := zstd.NewWriter(&zst)
	require.NoError(t, err)
	_, err = io.WriteString(w, log)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for _, compressed := range []*bytes.Buffer{&zipped, &zst} {
		whole := bytes.Clone(compressed.Bytes())
		found, faults := read(t, compressed)
		assert.Len(t, found, 3)
		assert.Len(t, faults, 5)
		_, faults = read(t, bytes.NewReader(whole[:len(whole)-9]))
		assert.NotEmpty(t, faults, "it was cut off")
	}
}

func TestReadRecording(t *testing.T) {
	var file bytes.Buffer
	w, err := recording.NewWriter(&file)
	require.NoError(t, err)
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("host.name", "web")
	resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().SetEventName("file.open")
	require.NoError(t, w.Write(logs))
	require.NoError(t, w.Write(logs))
	require.NoError(t, w.Close())
	found, faults := read(t, bytes.NewReader(file.Bytes()))
	assert.Equal(t, []string{"file.open on web", "file.open on web"}, found)
	assert.Empty(t, faults)

	found, faults = read(t, bytes.NewReader([]byte{0, 0, 0, 9, 1}))
	assert.Empty(t, found)
	require.Len(t, faults, 1)
	assert.Contains(t, faults[0], "x.jsonl:1: ")
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(log), 0o600))
	n := 0
	count := func(Record) { n++ }
	require.NoError(t, NewDecoder().ReadFile(path, nil, count, func(*Fault) {}))
	require.NoError(t, NewDecoder().ReadFile("-", strings.NewReader(log), count, func(*Fault) {}))
	assert.Equal(t, 6, n)
	assert.ErrorIs(t, NewDecoder().ReadFile(path+"x", nil, count, nil), os.ErrNotExist)
}

func FuzzDecode(f *testing.F) {
	for line := range strings.Lines(log) {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		found, err := NewDecoder().Decode(document)
		if err != nil && found != nil {
			t.Fatal("both records and an error")
		}
	})
}
