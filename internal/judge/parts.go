// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/vedette-sec/vedette/internal/event"
)

// part is an attribute that audit records are made of, or that keywords are looked for in.
type part uint8

const (
	noPart part = iota
	partFileType
	partFileChange
	partOutcome
	partExecutable
	partInvoked
	partUser
	partRealUser
	partGroup
	partRealGroup
	partArguments
	partCommandLine
	partExecutablePath
	partPath
	numberOfParts
)

var partOf = map[string]part{
	event.AttrFileType: partFileType, event.AttrFileChange: partFileChange, event.AttrEventOutcome: partOutcome,
	event.AttrProcessExecutableName: partExecutable, event.AttrProcessInvokedPath: partInvoked,
	event.AttrProcessUserID: partUser, event.AttrProcessRealUserID: partRealUser,
	event.AttrProcessGroupID: partGroup, event.AttrProcessRealGroupID: partRealGroup,
	event.AttrProcessCommandArgs: partArguments, event.AttrProcessCommandLine: partCommandLine,
	event.AttrProcessExecutablePath: partExecutablePath, event.AttrFilePath: partPath,
}

// parts are the values of the parts that an event has.
type parts [numberOfParts]pcommon.Value

func (v *parts) has(p part) bool { return v[p] != pcommon.Value{} }

func (v *parts) text(p part) string {
	if !v.has(p) {
		return ""
	}
	return v[p].AsString()
}
