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
		text := v.Str()
		return jsontext.AppendString(dst, text), isTime(text)
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

// isTime tells whether a text is a time of RFC 3339. The times that Vedette itself writes are known by their
// shape, without reading them as the library does; it has the last word about all others.
func isTime(text string) bool {
	const shape = "0000-00-00T00:00:00.000000000Z"
	if len(text) == len(shape) && hasShape(text, shape) &&
		"00" < text[5:7] && text[5:7] < "13" && "00" < text[8:10] && text[8:10] < "29" &&
		text[11:13] < "24" && text[14:16] < "60" && text[17:19] < "60" {
		return true
	}
	_, err := time.Parse(time.RFC3339Nano, text)
	return err == nil
}

// hasShape tells whether a text has digits where the shape, which is as long, has zeros, and else the same bytes.
func hasShape(text, shape string) bool {
	for i := range len(shape) {
		if shape[i] == '0' {
			if text[i]-'0' > 9 {
				return false
			}
		} else if text[i] != shape[i] {
			return false
		}
	}
	return true
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
	if n := v.Int(); n != 0 {
		return strconv.AppendInt(dst, n, 10), true
	}
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
	// Only text gives a text that is not empty, so most need no look at their type.
	if text := v.Str(); text != "" {
		return jsontext.AppendString(dst, text), true
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return append(dst, `""`...), true
	case pcommon.ValueTypeInt:
		return appendIntText(dst, v.Int()), true
	case pcommon.ValueTypeDouble, pcommon.ValueTypeBool:
		return jsontext.AppendString(dst, v.AsString()), true
	default:
		return dst, false
	}
}

func appendIntText(dst []byte, n int64) []byte {
	return append(strconv.AppendInt(append(dst, '"'), n, 10), '"')
}

// appendList writes a list of one type; a single value is a list of one.
func appendList(dst []byte, v pcommon.Value, one func([]byte, pcommon.Value) ([]byte, bool)) ([]byte, bool) {
	dst = append(dst, '[')
	if v.Type() != pcommon.ValueTypeSlice {
		dst, ok := one(dst, v)
		return append(dst, ']'), ok
	}
	elements := v.Slice()
	for i := range elements.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = one(dst, elements.At(i)); !ok {
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
	case pcommon.ValueTypeInt:
		return appendIntText(dst, v.Int()), scratch
	default:
		return jsontext.AppendString(dst, v.AsString()), scratch
	}
}
