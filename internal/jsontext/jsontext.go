// SPDX-License-Identifier: Apache-2.0

// Package jsontext appends JSON text to byte slices, for documents that are written record by record.
package jsontext

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

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
func AppendString(dst []byte, s string) []byte {
	i := plain(s)
	if i == len(s) {
		return appendQuoted(dst, s)
	}
	dst = append(dst, '"')
	start := 0
	for ; i < len(s); i += plain(s[i:]) {
		if b := s[i]; b < utf8.RuneSelf {
			dst = appendEscaped(append(dst, s[start:i]...), rune(b))
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if (r == utf8.RuneError && size == 1) || r <= 0x9f || r == '\u2028' || r == '\u2029' {
			dst = appendEscaped(append(dst, s[start:i]...), r)
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

// appendQuoted writes a text that needs no escapes, with one look at the room that is left.
func appendQuoted(dst []byte, s string) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(s)+2)[:n+len(s)+2]
	dst[n] = '"'
	copy(dst[n+1:], s)
	dst[n+1+len(s)] = '"'
	return dst
}

// AppendBytes writes bytes as AppendString does a string.
func AppendBytes(dst, s []byte) []byte {
	return AppendString(dst, unsafe.String(unsafe.SliceData(s), len(s)))
}

// Every byte of a word, and the highest bit of every byte.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns how many bytes at the beginning of s stand for themselves. It looks at eight at a time, and at the
// last ones together with some before them; most texts are plain to their end, so it asks once.
func plain(s string) int {
	if len(s) < 8 {
		return plainBytes(s, 0)
	}
	found := special(word(s[len(s)-8:]))
	for rest := s; len(rest) > 8; rest = rest[8:] {
		found |= special(word(rest))
	}
	if found == 0 {
		return len(s)
	}
	i := 0
	for i+8 <= len(s) && special(word(s[i:])) == 0 {
		i += 8
	}
	return plainBytes(s, i)
}

// plainBytes looks at one byte at a time, from i on.
func plainBytes(s string, i int) int {
	for i < len(s) && s[i] >= ' ' && s[i] != '"' && s[i] != '\\' && s[i] < 0x7f {
		i++
	}
	return i
}

func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// special is not 0 where a byte of the word is below 0x20, a quotation mark, a backslash, 0x7f or above. Each term
// has the highest bit of such a byte set. It may have that of the next byte set too, by a carry, but of no other.
func special(w uint64) uint64 {
	return (w | (w + ones) | (w - ' '*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones)) & highs
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

// AppendTime writes a time in UTC with nanoseconds, as RFC 3339 has it. Every document has several, and
// time.Time.AppendFormat takes four times as long.
func AppendTime(dst []byte, at pcommon.Timestamp) []byte {
	var c Clock
	return c.AppendTime(dst, at)
}

// Clock writes times as AppendTime does, and knows the second of the last one: records come in the order of time.
type Clock struct {
	second uint64
	text   [len(`"2006-01-02T15:04:05.`)]byte
}

// AppendTime writes a time.
func (c *Clock) AppendTime(dst []byte, at pcommon.Timestamp) []byte {
	const nanoseconds = 1_000_000_000
	second := uint64(at) / nanoseconds
	if second != c.second || c.text[0] == 0 {
		c.set(second)
	}
	dst = appendDigits(append(dst, c.text[:]...), int(uint64(at)%nanoseconds), 9)
	return append(dst, 'Z', '"')
}

func (c *Clock) set(second uint64) {
	c.second = second
	t := time.Unix(int64(second), 0).UTC()
	year, month, day := t.Date()
	hour, minute, s := t.Clock()
	dst := appendDigits(append(c.text[:0], '"'), year, 4)
	dst = appendDigits(append(dst, '-'), int(month), 2)
	dst = appendDigits(append(dst, '-'), day, 2)
	dst = appendDigits(append(dst, 'T'), hour, 2)
	dst = appendDigits(append(dst, ':'), minute, 2)
	dst = appendDigits(append(dst, ':'), s, 2)
	_ = append(dst, '.') // fills the text to its end
}

// appendDigits writes the last n digits of a number.
func appendDigits(dst []byte, number, n int) []byte {
	dst = append(dst, "000000000"[:n]...)
	for i := len(dst) - 1; number > 0 && i >= len(dst)-n; i-- {
		dst[i] = byte('0' + number%10)
		number /= 10
	}
	return dst
}

// Comma separates a member from the one before it; the first of an object or list needs none.
func Comma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last == '{' || last == '[' {
		return dst
	}
	return append(dst, ',')
}
