// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"encoding/base64"
	"math"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/vedette-sec/vedette/internal/event"
)

// appendTyped writes a value as the type that its ECS field has. It reports false where the value
// cannot be that type; what it appended is then of no use.
func appendTyped(dst []byte, v pcommon.Value, typ event.Type, ip bool) ([]byte, bool) {
	switch typ {
	case event.Int:
		return appendInt(dst, v)
	case event.Bool:
		return appendValue(dst, v), v.Type() == pcommon.ValueTypeBool
	case event.Time:
		if v.Type() != pcommon.ValueTypeStr {
			return dst, false
		}
		_, err := time.Parse(time.RFC3339Nano, v.Str())
		return appendString(dst, v.Str()), err == nil
	case event.Strings:
		return appendList(dst, v, appendScalarText)
	case event.Ints:
		return appendList(dst, v, appendInt)
	case event.Map:
		return appendValue(dst, v), v.Type() == pcommon.ValueTypeMap
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
		return appendString(dst, v.Str()), true
	case pcommon.ValueTypeInt, pcommon.ValueTypeDouble, pcommon.ValueTypeBool:
		return appendString(dst, v.AsString()), true
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
		if dst, ok = one(comma(dst), element); !ok {
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
		scratch = appendValue(scratch[:0], v)
		return appendString(dst, scratch), scratch
	case pcommon.ValueTypeStr:
		return appendString(dst, v.Str()), scratch
	default:
		return appendString(dst, v.AsString()), scratch
	}
}

// appendValue writes any value as the JSON of its own type. JSON has no NaN and no infinities:
// they become text. A key that a map repeats, which OTel forbids, is written once, with its first value.
func appendValue(dst []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendString(dst, v.Str())
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(dst, v.Bool())
	case pcommon.ValueTypeDouble:
		if math.IsNaN(v.Double()) || math.IsInf(v.Double(), 0) {
			return appendString(dst, strconv.FormatFloat(v.Double(), 'g', -1, 64))
		}
		return strconv.AppendFloat(dst, v.Double(), 'g', -1, 64)
	case pcommon.ValueTypeBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes().AsRaw())
		return append(dst, '"')
	case pcommon.ValueTypeSlice:
		dst = append(dst, '[')
		for _, element := range v.Slice().All() {
			dst = appendValue(comma(dst), element)
		}
		return append(dst, ']')
	case pcommon.ValueTypeMap:
		return appendMap(dst, v.Map())
	default:
		return append(dst, "null"...)
	}
}

func appendMap(dst []byte, m pcommon.Map) []byte {
	seen := make(map[string]struct{}, m.Len())
	dst = append(dst, '{')
	for key, value := range m.All() {
		if _, repeated := seen[key]; repeated {
			continue
		}
		seen[key] = struct{}{}
		dst = append(appendString(comma(dst), key), ':')
		dst = appendValue(dst, value)
	}
	return append(dst, '}')
}

func appendTime(dst []byte, at pcommon.Timestamp) []byte {
	dst = append(dst, '"')
	dst = at.AsTime().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z07:00")
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. Bytes that are no UTF-8 become U+FFFD. All control
// characters, the C1 ones too, and the Unicode line separators are escaped, so that a document is one
// line to every reader and does nothing to a terminal that shows it.
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if b := s[i]; b < utf8.RuneSelf {
			if b >= ' ' && b != '"' && b != '\\' && b != 0x7f {
				i++
				continue
			}
			dst = appendEscaped(append(dst, s[start:i]...), rune(b))
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if (r == utf8.RuneError && size == 1) || r <= 0x9f || r == '\u2028' || r == '\u2029' {
			dst = appendEscaped(append(dst, s[start:i]...), r)
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscaped(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}
