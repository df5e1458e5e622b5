// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// ruleOf is a rule whose message names the fields, so that its field table has them.
func ruleOf(category string, fields ...string) *rule {
	r := &rule{Rule: &sigma.Rule{LogSource: sigma.LogSource{Category: category}}}
	r.message.fields = fields
	return r
}

func TestRecordLookup(t *testing.T) {
	log := plog.NewLogRecord()
	require.NoError(t, log.Attributes().FromRaw(map[string]any{
		event.AttrProcessExecutablePath: "/usr/bin/dash", event.AttrProcessInvokedPath: "/bin/sh", event.AttrProcessPID: 7,
		event.AttrFileFlags: []any{"write", "truncate"}, event.AttrFilePath: "deep/etc/passwd", event.AttrFilePathTruncated: true,
		"ratio": 0.5, "nothing": nil, "map": map[string]any{"a": 1}, "log.file.name": "auth.log"}))
	resource := pcommon.NewMap()
	resource.PutStr(event.AttrHostName, "web1")

	fields := map[string][]any{
		"Image":                   {"/usr/bin/dash", "/bin/sh"},
		"process.executable.path": {"/usr/bin/dash"},
		"ProcessId":               {int64(7)},
		"OpenFlags":               {"write", "truncate"},
		"TargetFilename":          {"…deep/etc/passwd"},
		"PathTruncated":           {true},
		"ratio":                   {0.5},
		"nothing":                 {nil},
		"map":                     {`{"a":1}`},
		"log.file.name":           {"auth.log"},
		"host.name":               {"web1"},
		"Via":                     nil,
		"ParentImage":             nil,
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	r := acquireRecord(log, resource)
	defer r.release()
	r.under(newFieldTable("file_event", []*rule{ruleOf("file_event", names...)}))
	for range 2 { // the second time from memory
		for name, want := range fields {
			got, ok := r.Lookup(name)
			assert.Equal(t, want, got, name)
			assert.Equal(t, want != nil, ok, name)
		}
	}
}

func TestRecordFieldsFollowTheCategory(t *testing.T) {
	log := plog.NewLogRecord()
	log.Attributes().PutStr(event.AttrNetworkInitiated, "true")
	r := acquireRecord(log, pcommon.NewMap())
	defer r.release()
	for category, want := range map[string]bool{"network_connection": true, "process_creation": false} {
		r.under(newFieldTable(category, []*rule{ruleOf(category, "Initiated")}))
		_, ok := r.Lookup("Initiated")
		assert.Equal(t, want, ok, category)
	}
}

func TestRecordKeywords(t *testing.T) {
	log := plog.NewLogRecord()
	r := acquireRecord(log, pcommon.NewMap())
	defer r.release()
	assert.Empty(t, r.Keywords())
	log.Body().SetStr("Failed password")
	assert.Equal(t, []string{"Failed password"}, r.Keywords())
	log.Body().SetEmptyMap().PutStr("msg", "text")
	assert.Equal(t, []string{`{"msg":"text"}`}, r.Keywords())
}

func TestReleasedRecordIsEmpty(t *testing.T) {
	log := plog.NewLogRecord()
	log.Attributes().PutStr("a", "b")
	r := acquireRecord(log, pcommon.NewMap())
	r.under(fieldTable{"a": {"a"}})
	_, ok := r.Lookup("a")
	require.True(t, ok)
	r.release()
	assert.Empty(t, r.attrs)
	assert.Empty(t, r.memo)
}
