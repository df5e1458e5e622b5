// SPDX-License-Identifier: Apache-2.0

// Package jsontext appends JSON text to byte slices, for documents that are written record by record.
package jsontext

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// AppendValue writes any value as the JSON of its own type. JSON has no NaN and no infinities:
// they become text.
func AppendValue(dst []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return AppendString(dst, v.Str())
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(dst, v.Bool())
	case pcommon.ValueTypeDouble:
		if math.IsNaN(v.Double()) || math.IsInf(v.Double(), 0) {
			return AppendString(dst, strconv.FormatFloat(v.Double(), 'g', -1, 64))
		}
		return strconv.AppendFloat(dst, v.Double(), 'g', -1, 64)
	case pcommon.ValueTypeBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes().AsRaw())
		return append(dst, '"')
	case pcommon.ValueTypeSlice:
		dst = append(dst, '[')
		for _, element := range v.Slice().All() {
			dst = AppendValue(Comma(dst), element)
		}
		return append(dst, ']')
	case pcommon.ValueTypeMap:
		return AppendMap(dst, v.Map())
	default:
		return append(dst, "null"...)
	}
}

// AppendMap writes a map as an object. A key that it repeats, which OTel forbids, is written once, with its
// first value.
func AppendMap(dst []byte, m pcommon.Map) []byte {
	seen := make(map[string]struct{}, m.Len())
	dst = append(dst, '{')
	for key, value := range m.All() {
		if _, repeated := seen[key]; repeated {
			continue
		}
		seen[key] = struct{}{}
		dst = append(AppendString(Comma(dst), key), ':')
		dst = AppendValue(dst, value)
	}
	return append(dst, '}')
}

const hexDigits = "0123456789abcdef"

// AppendString writes a JSON string. Bytes that are no UTF-8 become U+FFFD. All control
// characters, the C1 ones too, and the Unicode line separators are escaped, so that a document is one
// line to every reader and does nothing to a terminal that shows it.
func AppendString[T string | []byte](dst []byte, s T) []byte {
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

// AppendTime writes a time in UTC with nanoseconds.
func AppendTime(dst []byte, at pcommon.Timestamp) []byte {
	dst = append(dst, '"')
	dst = at.AsTime().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z07:00")
	return append(dst, '"')
}

// Comma separates a member from the one before it; the first of an object or list needs none.
func Comma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last == '{' || last == '[' {
		return dst
	}
	return append(dst, ',')
}
