// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

var update = flag.Bool("update", false, "write the golden files")

var at = time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)

func newResource(t testing.TB) pcommon.Resource {
	r := pcommon.NewResource()
	require.NoError(t, r.Attributes().FromRaw(map[string]any{
		event.AttrHostName: "web-1", event.AttrHostID: "0f1e2d3c", event.AttrHostBootID: "b007",
		event.AttrOSType: "linux", event.AttrOSVersion: "6.12.9", event.AttrServiceName: "vedette",
	}))
	return r
}

func newRecord(t testing.TB, name string, attributes map[string]any) plog.LogRecord {
	lr := plog.NewLogRecord()
	lr.SetEventName(name)
	lr.SetTimestamp(pcommon.NewTimestampFromTime(at))
	lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Millisecond)))
	lr.SetSeverityNumber(plog.SeverityNumberInfo)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		require.NoError(t, lr.Attributes().PutEmpty(name).FromRaw(attributes[name]))
	}
	return lr
}

func execAttributes() map[string]any {
	return map[string]any{
		event.AttrProcessEntityID: "9a8b", event.AttrProcessPID: 1301,
		event.AttrProcessExecutablePath: "/usr/bin/dash", event.AttrProcessExecutableName: "dash",
		event.AttrProcessInvokedPath: "/bin/sh", event.AttrProcessCommandLine: `sh -c "id"`,
		event.AttrProcessCommandArgs: []any{"sh", "-c", "id"},
		event.AttrProcessUserID:      33, event.AttrProcessUserName: "www-data",
		event.AttrProcessParentPID: 1022, event.AttrProcessParentExecutablePath: "/usr/sbin/nginx",
		event.AttrProcessAncestors:    []any{"/usr/sbin/nginx[1022]", "/usr/lib/systemd/systemd[1]"},
		event.AttrProcessAncestry:     []any{"7c", "01"},
		event.AttrProcessCreationTime: "2026-03-04T05:06:07.000000089Z",
		event.AttrProcessTTY:          "pts3", event.AttrProcessIOStdin: "socket",
		event.AttrProcessIOStdinPeer: "203.0.113.9:4444", event.AttrProcessIOStdoutPeer: "[2001:db8::9]:4444",
		event.AttrContainerID: "c0ffee", event.AttrContainerRuntimeName: "docker",
	}
}

func newAlert(t testing.TB) plog.LogRecord {
	attributes := execAttributes()
	for name, value := range map[string]any{
		event.AttrEventKind: "alert", event.AttrEventID: "a1e27",
		event.AttrVedetteEventName: event.KindProcessRemoteStdio,
		event.AttrProcessIOVia:     "socket",
		event.AttrNetworkTransport: "tcp", event.AttrNetworkType: "ipv4",
		event.AttrSourceAddress: "192.0.2.7", event.AttrSourcePort: 51234,
		event.AttrDestinationAddress: "203.0.113.9", event.AttrDestinationPort: 4444,
		event.AttrSecurityRuleUUID: "4d1f", event.AttrSecurityRuleName: "Reverse shell",
		event.AttrSecurityRuleLevel: "critical", event.AttrThreatFramework: "MITRE ATT&CK",
		event.AttrThreatTacticID: []any{"TA0002"}, event.AttrThreatTacticName: []any{"Execution"},
		event.AttrThreatTechniqueID: []any{"T1059"}, event.AttrThreatTechniqueName: []any{"Command and Scripting Interpreter"},
		event.AttrThreatTechniqueSubtechniqueID: []any{"T1059.004"}, event.AttrThreatTechniqueSubtechniqueName: []any{"Unix Shell"},
		event.AttrVedetteMatched:    map[string]any{"shell": map[string]any{"Image|endswith": "/usr/bin/dash"}},
		event.AttrVedetteEventsLost: 0,
	} {
		attributes[name] = value
	}
	lr := newRecord(t, event.KindSecurityAlert, attributes)
	lr.SetSeverityNumber(plog.SeverityNumberFatal)
	lr.SetSeverityText("critical")
	lr.Body().SetStr("Reverse shell: dash[1301] of www-data to 203.0.113.9:4444")
	return lr
}

func TestGolden(t *testing.T) {
	foreign := newRecord(t, "", map[string]any{"app.request.id": "r1", "app.ok": true, "app.ratio": 0.5, "app.tags": []any{"a", 2}})
	foreign.SetEventName("app.request")
	require.NoError(t, foreign.Body().FromRaw(map[string]any{"text": "hello"}))
	for name, lr := range map[string]plog.LogRecord{
		"alert": newAlert(t),
		"exec":  newRecord(t, event.KindProcessExec, execAttributes()),
		"rename": newRecord(t, event.KindFileRename, map[string]any{
			event.AttrProcessPID: 7, event.AttrFilePath: "/etc/pass\x1b[31mwd\n", event.AttrFileName: "bad\xffname",
			event.AttrFileDirectory: "/etc", event.AttrFileOriginalPath: "/etc/.pw", event.AttrFilePathTruncated: true,
			event.AttrFileFlags: []any{"write", "create"}, event.AttrEventOutcome: "success",
		}),
		"foreign": foreign,
	} {
		t.Run(name, func(t *testing.T) {
			line := NewEncoder().AppendDocument(nil, newResource(t), lr)
			checkDocument(t, line)
			var have bytes.Buffer
			require.NoError(t, json.Indent(&have, line, "", "  "))
			have.WriteByte('\n')
			golden := filepath.Join("testdata", name+".json")
			if *update {
				require.NoError(t, os.WriteFile(golden, have.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), have.String())
		})
	}
}

// checkDocument wants one line of valid JSON in which no object has a key twice.
func checkDocument(t *testing.T, line []byte) {
	t.Helper()
	require.True(t, json.Valid(line), "%q", line)
	require.NotContains(t, string(line), "\n")
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	require.NoError(t, checkValue(dec), "%q", line)
	_, err := dec.Token()
	require.ErrorIs(t, err, io.EOF)
}

func checkValue(dec *json.Decoder) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			if seen[key.(string)] {
				return fmt.Errorf("key %q stands twice in one object", key)
			}
			seen[key.(string)] = true
		}
		if err := checkValue(dec); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func encode(t *testing.T, lr plog.LogRecord) map[string]any {
	t.Helper()
	line := NewEncoder().AppendDocument(nil, pcommon.NewResource(), lr)
	checkDocument(t, line)
	var document map[string]any
	require.NoError(t, json.Unmarshal(line, &document))
	return document
}

// lookup walks a dotted path.
func lookup(document map[string]any, path string) any {
	var v any = document
	for _, segment := range strings.Split(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[segment]
	}
	return v
}

func TestValuesThatECSRefusesBecomeLabels(t *testing.T) {
	for _, tc := range []struct {
		attribute string
		value     any
		path      string
		want      any
	}{
		{event.AttrSourceAddress, "192.0.2.1", "source.ip", "192.0.2.1"},
		{event.AttrSourceAddress, "2001:db8::1", "source.ip", "2001:db8::1"},
		{event.AttrSourceAddress, "/run/sock", "labels.source_address", "/run/sock"},
		{event.AttrSourceAddress, "fe80::1%eth0", "labels.source_address", "fe80::1%eth0"},
		{event.AttrSourceAddress, 7, "labels.source_address", "7"},
		{event.AttrSourcePort, "443", "source.port", 443.0},
		{event.AttrSourcePort, "https", "labels.source_port", "https"},
		{event.AttrSourcePort, 44.5, "labels.source_port", "44.5"},
		{event.AttrProcessCreationTime, "yesterday", "labels.process_creation_time", "yesterday"},
		{event.AttrProcessCreationTime, 5, "labels.process_creation_time", "5"},
		{event.AttrProcessCommandLine, 5, "process.command_line", "5"},
		{event.AttrProcessCommandLine, []any{"a", "b"}, "labels.process_command_line", []any{"a", "b"}},
		{event.AttrProcessCommandLine, map[string]any{"a": 1}, "labels.process_command_line", `{"a":1}`},
		{event.AttrProcessCommandLine, nil, "labels.process_command_line", ""},
		{event.AttrProcessCommandArgs, "one", "process.args", []any{"one"}},
		{event.AttrProcessCommandArgs, []any{}, "process.args", []any{}},
		{event.AttrProcessCommandArgs, []any{"a", []any{"b"}}, "labels.process_command_args", []any{"a", `["b"]`}},
		{event.AttrVedetteMatched, "text", "labels.vedette_matched", "text"},
		{event.AttrVedetteMatched, map[string]any{"x": math.NaN()}, "vedette.matched", map[string]any{"x": "NaN"}},
		{event.AttrProcessTTY, "pts1", "labels.process_tty", "pts1"},
		{event.AttrProcessExitSignal, 9, "labels.process_exit_signal", "9"},
		{event.AttrFilePathTruncated, true, "labels.file_path_truncated", "true"},
		{event.AttrEventKind, 5, "labels.event_kind", "5"},
		{event.AttrEventKind, "state", "event.kind", "state"},
		{"some.thing", []byte{1, 2, 3}, "labels.some_thing", "AQID"},
		{"", "x", "labels._", "x"},
	} {
		t.Run(fmt.Sprint(tc.attribute, "=", tc.value), func(t *testing.T) {
			document := encode(t, newRecord(t, event.KindProcessExec, map[string]any{tc.attribute: tc.value}))
			assert.Equal(t, tc.want, lookup(document, tc.path), "%v", document)
		})
	}
}

func TestLabelsThatShareAKeyAreAList(t *testing.T) {
	document := encode(t, newRecord(t, "x.y", map[string]any{"a.b": "dot", "a_b": []any{"under", "score"}, "z": 1}))
	assert.ElementsMatch(t, []any{"dot", "under", "score"}, lookup(document, "labels.a_b"))
	assert.Equal(t, "1", lookup(document, "labels.z"))
}

func TestAnAttributeOnRecordAndResource(t *testing.T) {
	line := NewEncoder().AppendDocument(nil, newResource(t), newRecord(t, "x.y", map[string]any{event.AttrHostName: "other"}))
	checkDocument(t, line)
	assert.Contains(t, string(line), `"host":{"boot":{"id":"b007"},"id":"0f1e2d3c","name":"other","os":{`)
	assert.Contains(t, string(line), `"host_name":"web-1"`)
}

func TestSeverity(t *testing.T) {
	for number, want := range map[plog.SeverityNumber]any{
		plog.SeverityNumberUnspecified: nil,
		plog.SeverityNumberTrace:       21.0,
		plog.SeverityNumberInfo:        21.0,
		plog.SeverityNumberInfo2:       21.0,
		plog.SeverityNumberWarn:        47.0,
		plog.SeverityNumberError:       73.0,
		plog.SeverityNumberError4:      73.0,
		plog.SeverityNumberFatal:       99.0,
	} {
		lr := newRecord(t, event.KindProcessExec, nil)
		lr.SetSeverityNumber(number)
		assert.Equal(t, want, lookup(encode(t, lr), "event.severity"), number)
	}
}

func TestClassification(t *testing.T) {
	alert := func(about string) map[string]any {
		return map[string]any{event.AttrEventKind: "alert", event.AttrVedetteEventName: about}
	}
	for _, tc := range []struct {
		eventName  string
		attributes map[string]any
		want       map[string]any
	}{
		{event.KindFileOpen, nil, map[string]any{
			"kind": "event", "category": []any{"file"}, "type": []any{"change"}, "action": "open", "dataset": "vedette.file", "module": "vedette"}},
		{event.KindSecurityAlert, alert(event.KindNetworkConnect), map[string]any{
			"kind": "alert", "category": []any{"intrusion_detection", "network"}, "type": []any{"info", "connection", "start"},
			"action": "connect", "dataset": "vedette.alert", "module": "vedette"}},
		{event.KindSecurityAlert, nil, map[string]any{
			"kind": "alert", "category": []any{"intrusion_detection"}, "type": []any{"info"}, "action": "alert", "dataset": "vedette.alert", "module": "vedette"}},
		{event.KindProcessExec, map[string]any{event.AttrEventKind: "alert"}, map[string]any{
			"kind": "alert", "category": []any{"intrusion_detection", "process"}, "type": []any{"info", "start"},
			"action": "exec", "dataset": "vedette.alert", "module": "vedette"}},
		{"other.thing", nil, map[string]any{"kind": "event", "action": "other.thing", "dataset": "vedette.generic", "module": "vedette"}},
		{"", nil, map[string]any{"kind": "event", "dataset": "vedette.generic", "module": "vedette"}},
	} {
		lr := newRecord(t, tc.eventName, tc.attributes)
		lr.SetObservedTimestamp(0)
		lr.SetSeverityNumber(plog.SeverityNumberUnspecified)
		assert.Equal(t, tc.want, encode(t, lr)["event"])
	}
}

func TestTimestampIsNeverMissing(t *testing.T) {
	lr := newRecord(t, event.KindProcessExec, nil)
	lr.SetTimestamp(0)
	assert.Equal(t, "2026-03-04T05:06:07.001000089Z", encode(t, lr)["@timestamp"])
	lr.SetObservedTimestamp(0)
	before := time.Now().Truncate(0)
	have, err := time.Parse(time.RFC3339Nano, encode(t, lr)["@timestamp"].(string))
	require.NoError(t, err)
	assert.False(t, have.Before(before))
}

func TestStringsSurviveAndControlCharactersAreEscaped(t *testing.T) {
	for _, tc := range []struct{ in, json string }{
		{"plain ü 漢 😀", `"plain ü 漢 😀"`},
		{"q\"b\\", `"q\"b\\"`},
		{"\n\r\t\x00\x1b\x7f", `"\n\r\t\u0000\u001b\u007f"`},
		{"\u0085\u009b31m", `"\u0085\u009b31m"`},
		{"a\u2028b\u2029", `"a\u2028b\u2029"`},
		{"\xff|\xe2\x82|\xed\xa0\x80", `"\ufffd|\ufffd\ufffd|\ufffd\ufffd\ufffd"`},
		{"\ufffd", "\"\ufffd\""},
	} {
		have := jsontext.AppendString(nil, tc.in)
		assert.Equal(t, tc.json, string(have))
		var back string
		require.NoError(t, json.Unmarshal(have, &back))
		assert.Equal(t, string([]rune(tc.in)), back)
	}
}

// What is taken for a time by its shape is one for the library too, and the other way round.
func TestTimesAreThoseOfTheLibrary(t *testing.T) {
	times := []string{"", "2026-03-04T05:06:07Z", "2026-02-29T05:06:07.000000000Z", "2024-02-29T05:06:07.000000000Z", "2026-03-31T05:06:07.000000000Z"}
	valid := []byte("2026-03-04T05:06:07.000000089Z")
	for i := range valid {
		for _, b := range []byte("0123456789:TZ.-/ x") {
			other := slices.Clone(valid)
			other[i] = b
			times = append(times, string(other))
		}
	}
	for _, text := range times {
		_, err := time.Parse(time.RFC3339Nano, text)
		assert.Equal(t, err == nil, isTime(text), text)
	}
}

func TestEncoderForgetsTheLastRecord(t *testing.T) {
	e := NewEncoder()
	first := string(e.AppendDocument(nil, newResource(t), newAlert(t)))
	plain := newRecord(t, event.KindFileDelete, map[string]any{event.AttrFilePath: "/x"})
	assert.Equal(t, string(NewEncoder().AppendDocument(nil, pcommon.NewResource(), plain)),
		string(e.AppendDocument(nil, pcommon.NewResource(), plain)))
	assert.Equal(t, first, string(e.AppendDocument(nil, newResource(t), newAlert(t))))
}

func FuzzAttribute(f *testing.F) {
	for _, p := range event.ECSPlan() {
		f.Add(p.Attribute, "text", int64(1), 1.5)
	}
	f.Add("a.b", "\x00\xff\u2028\"\\", int64(math.MinInt64), math.Inf(1))
	f.Fuzz(func(t *testing.T, name, text string, n int64, d float64) {
		e := NewEncoder()
		for _, value := range []any{nil, text, n, d, true, []byte(text), []any{text, n, nil, []any{d}}, map[string]any{text: d, name: []any{text}}} {
			lr := newRecord(t, text, map[string]any{name: value})
			lr.Attributes().PutEmpty(name)
			lr.SetSeverityText(text)
			require.NoError(t, lr.Body().FromRaw(value))
			res := pcommon.NewResource()
			res.Attributes().PutStr(name, text)
			checkDocument(t, e.AppendDocument(nil, res, lr))
		}
	})
}

func FuzzOTLP(f *testing.F) {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	newResource(f).CopyTo(rl.Resource())
	newAlert(f).CopyTo(rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	wire, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(f, err)
	f.Add(wire)
	f.Fuzz(func(t *testing.T, wire []byte) {
		logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(wire)
		if err != nil {
			return
		}
		e := NewEncoder()
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					checkDocument(t, e.AppendDocument(nil, rl.Resource(), lr))
				}
			}
		}
	})
}

func BenchmarkAppendDocument(b *testing.B) {
	resource, alert := newResource(b), newAlert(b)
	exec := newRecord(b, event.KindProcessExec, execAttributes())
	for name, lr := range map[string]plog.LogRecord{"exec": exec, "alert": alert} {
		b.Run(name, func(b *testing.B) {
			e := NewEncoder()
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = e.AppendDocument(dst[:0], resource, lr)
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}
