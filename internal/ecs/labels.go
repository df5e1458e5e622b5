// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/vedette-sec/vedette/internal/jsontext"
)

// label is an attribute that has no place of its own in ECS.
type label struct {
	attribute string
	key       string
	value     pcommon.Value
}

// labelKey returns the key of an attribute's label. Labels are flat, so dots become underscores.
func labelKey(attribute string) string {
	if attribute == "" {
		return "_" // Elasticsearch refuses an empty name
	}
	return strings.ReplaceAll(attribute, ".", "_")
}

func (e *Encoder) addLabel(attribute string, value pcommon.Value) {
	key, ok := e.labelKeys[attribute]
	if !ok {
		key = labelKey(attribute)
	}
	e.labels = append(e.labels, label{attribute: attribute, key: key, value: value})
}

// appendLabels writes each key once: a string, or a list of strings where the attribute is a list
// or several attributes share the key.
func (e *Encoder) appendLabels(dst []byte) []byte {
	if len(e.labels) == 0 {
		return dst
	}
	slices.SortStableFunc(e.labels, func(a, b label) int { return cmp.Compare(a.key, b.key) })
	dst = append(jsontext.Comma(dst), `"labels":{`...)
	for rest := e.labels; len(rest) > 0; {
		same := 1
		for same < len(rest) && rest[same].key == rest[0].key {
			same++
		}
		dst = append(jsontext.AppendString(jsontext.Comma(dst), rest[0].key), ':')
		dst = e.appendLabelValues(dst, rest[:same])
		rest = rest[same:]
	}
	return append(dst, '}')
}

func (e *Encoder) appendLabelValues(dst []byte, labels []label) []byte {
	if len(labels) == 1 && labels[0].value.Type() != pcommon.ValueTypeSlice {
		dst, e.scratch = appendText(dst, labels[0].value, e.scratch)
		return dst
	}
	dst = append(dst, '[')
	for _, l := range labels {
		if l.value.Type() != pcommon.ValueTypeSlice {
			dst, e.scratch = appendText(jsontext.Comma(dst), l.value, e.scratch)
			continue
		}
		for _, v := range l.value.Slice().All() {
			dst, e.scratch = appendText(jsontext.Comma(dst), v, e.scratch)
		}
	}
	return append(dst, ']')
}
