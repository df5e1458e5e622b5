// SPDX-License-Identifier: Apache-2.0

// Package optional puts attributes that are left out where there is nothing to say.
package optional

import "go.opentelemetry.io/collector/pdata/pcommon"

// PutStr puts a text, unless it is empty.
func PutStr(attrs pcommon.Map, name, value string) {
	if value != "" {
		attrs.PutStr(name, value)
	}
}

// PutStrs puts a list of texts, unless it is empty.
func PutStrs(attrs pcommon.Map, name string, values []string) {
	if len(values) == 0 {
		return
	}
	list := attrs.PutEmptySlice(name)
	list.EnsureCapacity(len(values))
	for _, value := range values {
		list.AppendEmpty().SetStr(value)
	}
}
