// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"net/netip"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

// appendTyped writes a value as the type that its ECS field has. It reports false where the value
// cannot be that type; what it appended is then of no use.
func appendTyped(dst []byte, v pcommon.Value, typ event.Type, ip bool) ([]byte, bool) {
	switch typ {
	case event.Int:
		return appendInt(dst, v)
	case event.Bool:
		return jsontext.AppendValue(dst, v), v.Type() == pcommon.ValueTypeBool
	case event.Time:
		if v.Type() != pcommon.ValueTypeStr {
			return dst, false
		}
		_, err := time.Parse(time.RFC3339Nano, v.Str())
		return jsontext.AppendString(dst, v.Str()), err == nil
	case event.Strings:
		return appendList(dst, v, appendScalarText)
	case event.Ints:
		return appendList(dst, v, appendInt)
	case event.Map:
		return jsontext.AppendValue(dst, v), v.Type() == pcommon.ValueTypeMap
	default:
		if ip && !isIP(v) {
			return dst, false
		}
		return appendScalarText(dst, v)
	}
}

// isIP tells whether Elasticsearch takes the value as an address; it knows no zones.
func isIP(v pcommon.Value) bool {
	if v.Type() != pcommon.ValueTypeStr {
		return false
	}
	ip, err := netip.ParseAddr(v.Str())
	return err == nil && ip.Zone() == ""
}

func appendInt(dst []byte, v pcommon.Value) ([]byte, bool) {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(dst, v.Int(), 10), true
	case pcommon.ValueTypeStr:
		n, err := strconv.ParseInt(v.Str(), 10, 64)
		return strconv.AppendInt(dst, n, 10), err == nil
	default:
		return dst, false
	}
}

// appendScalarText writes text, and numbers and truth values as text.
func appendScalarText(dst []byte, v pcommon.Value) ([]byte, bool) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return jsontext.AppendString(dst, v.Str()), true
	case pcommon.ValueTypeInt, pcommon.ValueTypeDouble, pcommon.ValueTypeBool:
		return jsontext.AppendString(dst, v.AsString()), true
	default:
		return dst, false
	}
}

// appendList writes a list of one type; a single value is a list of one.
func appendList(dst []byte, v pcommon.Value, one func([]byte, pcommon.Value) ([]byte, bool)) ([]byte, bool) {
	dst = append(dst, '[')
	if v.Type() != pcommon.ValueTypeSlice {
		dst, ok := one(dst, v)
		return append(dst, ']'), ok
	}
	for _, element := range v.Slice().All() {
		var ok bool
		if dst, ok = one(jsontext.Comma(dst), element); !ok {
			return dst, false
		}
	}
	return append(dst, ']'), true
}

// appendText writes any value as one JSON string: a list or a map as its JSON text. It uses
// scratch as working memory and returns it.
func appendText(dst []byte, v pcommon.Value, scratch []byte) ([]byte, []byte) {
	switch v.Type() {
	case pcommon.ValueTypeSlice, pcommon.ValueTypeMap:
		scratch = jsontext.AppendValue(scratch[:0], v)
		return jsontext.AppendBytes(dst, scratch), scratch
	case pcommon.ValueTypeStr:
		return jsontext.AppendString(dst, v.Str()), scratch
	default:
		return jsontext.AppendString(dst, v.AsString()), scratch
	}
}
