// SPDX-License-Identifier: Apache-2.0

// Package hostid says which host records are about: it fills the resource of what the receivers emit.
package hostid

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/vedette-sec/vedette/internal/event"
)

// Host are the resource attributes of every record.
type Host struct{ Name, ID, BootID, Kernel string }

// Describe fills a resource.
func (h Host) Describe(resource pcommon.Resource) {
	attrs := resource.Attributes()
	attrs.EnsureCapacity(6)
	attrs.PutStr(event.AttrHostName, h.Name)
	attrs.PutStr(event.AttrHostID, h.ID)
	attrs.PutStr(event.AttrHostBootID, h.BootID)
	attrs.PutStr(event.AttrOSType, "linux")
	attrs.PutStr(event.AttrOSVersion, h.Kernel)
	attrs.PutStr(event.AttrServiceName, "vedette")
}
