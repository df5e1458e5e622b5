// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

// origin is where the records of a scope are from.
type origin struct {
	source     string // the boot, or where that is unknown the host
	host       string
	lossSource string // the receiver, on its host, whose losses the scope reports
}

func originOf(resource plog.ResourceLogs, scope plog.ScopeLogs) *origin {
	attributes := resource.Resource().Attributes()
	source := firstOf(attributes, event.AttrHostBootID, event.AttrHostID, event.AttrHostName)
	return &origin{
		source:     source,
		host:       firstOf(attributes, event.AttrHostID, event.AttrHostName),
		lossSource: source + "|" + scope.Scope().Name(),
	}
}

// firstOf gives the first of some attributes that is there.
func firstOf(attributes pcommon.Map, names ...string) string {
	for _, name := range names {
		if value, ok := attributes.Get(name); ok {
			return value.AsString()
		}
	}
	return ""
}
