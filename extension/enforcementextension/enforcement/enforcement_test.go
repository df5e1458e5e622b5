// SPDX-License-Identifier: Apache-2.0

package enforcement

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

var full = Result{
	Request: Request{
		Action: BlockAddress, Process: Process{PID: 7, EntityID: "e", Executable: "/bin/nc"},
		Address: netip.MustParseAddr("203.0.113.9"), Port: 4444, File: File{Path: "/tmp/x", Inode: 5},
		Rule: Rule{ID: "r", Title: "Reverse shell"}, AlertID: "a", Reason: "asked", Expiry: time.Hour,
	},
	Step: Apply, Outcome: Done, Reason: "note", UndoID: "u",
	Time: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC), Expires: time.Date(2026, 3, 4, 6, 6, 7, 8, time.UTC),
}

func TestFillRecord(t *testing.T) {
	record := plog.NewLogRecord()
	full.FillRecord(record)
	kind, ok := event.KindByName(record.EventName())
	require.True(t, ok)
	have := record.Attributes().AsRaw()
	assert.ElementsMatch(t, kind.Attributes, slices.Collect(maps.Keys(have)), "all that the vocabulary has")
	assert.Equal(t, "203.0.113.9", have[event.AttrDestinationAddress])
	assert.Equal(t, "2026-03-04T06:06:07.000000008Z", have[event.AttrVedetteResponseExpires])
	assert.Equal(t, "block_address: done, note", record.Body().Str())
	assert.Equal(t, full.Time, record.Timestamp().AsTime())
}

func TestFillRecordLeavesOutWhatIsNotKnown(t *testing.T) {
	record := plog.NewLogRecord()
	Result{Request: Request{Action: IsolateHost}, Step: Expire, Outcome: Done}.FillRecord(record)
	assert.Equal(t, map[string]any{
		event.AttrVedetteResponseAction: "isolate_host", event.AttrVedetteResponseStep: "expire", event.AttrVedetteResponseOutcome: "done",
	}, record.Attributes().AsRaw())
	assert.Equal(t, "isolate_host (expire): done", record.Body().Str())
}

func TestSeverity(t *testing.T) {
	for outcome, want := range map[Outcome]plog.SeverityNumber{
		Done: plog.SeverityNumberInfo, DryRun: plog.SeverityNumberInfo, Failed: plog.SeverityNumberError,
		Refused: plog.SeverityNumberWarn, RateLimited: plog.SeverityNumberWarn, NotAllowed: plog.SeverityNumberWarn,
	} {
		assert.Equal(t, want, Result{Outcome: outcome}.severity())
	}
}

func TestRequestAsJSON(t *testing.T) {
	text, err := json.Marshal(full.Request)
	require.NoError(t, err)
	var back Request
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, full.Request, back)
	text, err = json.Marshal(Request{Action: IsolateHost})
	require.NoError(t, err)
	assert.JSONEq(t, `{"action":"isolate_host"}`, string(text))
}

func TestFindNone(t *testing.T) {
	_, found := Find(componenttest.NewNopHost())
	assert.False(t, found)
}
