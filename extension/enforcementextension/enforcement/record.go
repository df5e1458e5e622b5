// SPDX-License-Identifier: Apache-2.0

package enforcement

import (
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

// FillRecord makes the empty record the event response.action of this result.
func (r Result) FillRecord(record plog.LogRecord) {
	record.SetEventName(event.KindResponseAction)
	record.SetTimestamp(pcommon.NewTimestampFromTime(r.Time))
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(r.Time))
	record.SetSeverityNumber(r.severity())
	record.Body().SetStr(r.message())
	attrs := record.Attributes()
	for _, a := range []struct{ name, value string }{
		{event.AttrVedetteResponseAction, string(r.Request.Action)},
		{event.AttrVedetteResponseStep, string(r.Step)},
		{event.AttrVedetteResponseOutcome, string(r.Outcome)},
		{event.AttrVedetteResponseReason, r.Reason},
		{event.AttrVedetteResponseCause, r.Request.Reason},
		{event.AttrVedetteResponseUndoID, r.UndoID},
		{event.AttrVedetteResponseAlertID, r.Request.AlertID},
		{event.AttrSecurityRuleUUID, r.Request.Rule.ID},
		{event.AttrSecurityRuleName, r.Request.Rule.Title},
		{event.AttrProcessEntityID, r.Request.Process.EntityID},
		{event.AttrProcessExecutablePath, r.Request.Process.Executable},
		{event.AttrFilePath, r.Request.File.Path},
	} {
		if a.value != "" {
			attrs.PutStr(a.name, a.value)
		}
	}
	r.fillTarget(attrs)
}

func (r Result) fillTarget(attrs pcommon.Map) {
	if !r.Expires.IsZero() {
		attrs.PutStr(event.AttrVedetteResponseExpires, r.Expires.UTC().Format(time.RFC3339Nano))
	}
	if r.Request.Process.PID != 0 {
		attrs.PutInt(event.AttrProcessPID, int64(r.Request.Process.PID))
	}
	if r.Request.File.Inode != 0 {
		attrs.PutStr(event.AttrFileInode, strconv.FormatUint(r.Request.File.Inode, 10))
	}
	if r.Request.Address.IsValid() {
		attrs.PutStr(event.AttrDestinationAddress, r.Request.Address.String())
	}
	if r.Request.Port != 0 {
		attrs.PutInt(event.AttrDestinationPort, int64(r.Request.Port))
	}
}

func (r Result) severity() plog.SeverityNumber {
	switch r.Outcome {
	case Done, DryRun:
		return plog.SeverityNumberInfo
	case Failed:
		return plog.SeverityNumberError
	}
	return plog.SeverityNumberWarn
}

func (r Result) message() string {
	text := string(r.Request.Action)
	if r.Step != Apply {
		text += " (" + string(r.Step) + ")"
	}
	text += ": " + string(r.Outcome)
	if r.Reason != "" {
		text += ", " + r.Reason
	}
	return text
}
