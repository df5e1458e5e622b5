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
	key   string
	value pcommon.Value
}

// labelKey returns the key of an attribute's label. Labels are flat, so dots become underscores.
func labelKey(attribute string) string {
	if attribute == "" {
		return "_" // Elasticsearch refuses an empty name
	}
	return strings.ReplaceAll(attribute, ".", "_")
}

func (e *Encoder) addLabel(attribute string, value pcommon.Value) {
	e.labels = append(e.labels, label{key: labelKey(attribute), value: value})
}

// appendLabels writes each key once: a string, or a list of strings where the attribute is a list
// or several attributes share the key.
func (e *Encoder) appendLabels(dst []byte) []byte {
	if e.named.empty() && len(e.labels) == 0 {
		return dst
	}
	dst = append(jsontext.Comma(dst), `"labels":{`...)
	if len(e.labels) > 0 {
		return append(e.appendAllLabels(dst), '}')
	}
	// Those of the vocabulary are in order, and no two have the same key.
	for w, word := range e.named {
		for ; word != 0; word &= word - 1 {
			slot := numberOf(w, word)
			dst = append(jsontext.Comma(dst), e.attributes[slot].label...)
			dst = e.appendLabelValue(dst, e.values[slot])
		}
	}
	return append(dst, '}')
}

// appendAllLabels writes those of other attributes too, which have any keys in any order.
func (e *Encoder) appendAllLabels(dst []byte) []byte {
	for w, word := range e.named {
		for ; word != 0; word &= word - 1 {
			slot := numberOf(w, word)
			e.addLabel(e.attributes[slot].name, e.values[slot])
		}
	}
	slices.SortStableFunc(e.labels, func(a, b label) int { return cmp.Compare(a.key, b.key) })
	for rest := e.labels; len(rest) > 0; {
		same := 1
		for same < len(rest) && rest[same].key == rest[0].key {
			same++
		}
		dst = append(jsontext.AppendString(jsontext.Comma(dst), rest[0].key), ':')
		if same == 1 {
			dst = e.appendLabelValue(dst, rest[0].value)
		} else {
			dst = e.appendLabelValues(dst, rest[:same])
		}
		rest = rest[same:]
	}
	return dst
}

// appendLabelValue writes text, or a list of texts.
func (e *Encoder) appendLabelValue(dst []byte, value pcommon.Value) []byte {
	if value.Type() == pcommon.ValueTypeSlice {
		return append(e.appendTexts(append(dst, '['), value), ']')
	}
	dst, e.scratch = appendText(dst, value, e.scratch)
	return dst
}

// appendLabelValues writes one list of what several attributes hold.
func (e *Encoder) appendLabelValues(dst []byte, labels []label) []byte {
	dst = append(dst, '[')
	for _, l := range labels {
		dst = e.appendTexts(dst, l.value)
	}
	return append(dst, ']')
}

// appendTexts writes a value, or the elements of a list, as elements of a list that is open.
func (e *Encoder) appendTexts(dst []byte, value pcommon.Value) []byte {
	if value.Type() != pcommon.ValueTypeSlice {
		dst, e.scratch = appendText(jsontext.Comma(dst), value, e.scratch)
		return dst
	}
	for _, element := range value.Slice().All() {
		dst, e.scratch = appendText(jsontext.Comma(dst), element, e.scratch)
	}
	return dst
}
