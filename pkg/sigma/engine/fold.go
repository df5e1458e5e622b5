// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Texts are compared in folded form: each character replaced by the smallest of those that differ from it by case only, and
// bytes that are not valid UTF-8 left as they are. Two texts are equal without regard to case where their folded forms are
// the same bytes. A folded literal of valid UTF-8 is found in a folded text as bytes exactly where it is found as
// characters, because the first byte of a character is never one from within another. Without valid UTF-8 finding the bytes
// is still necessary, but does not suffice: they may be a piece of a character.

const (
	ones     = 0x0101010101010101
	highBits = 0x80 * ones
)

// appendFolded appends the folded form of s.
func appendFolded(dst []byte, s string) []byte {
	from := len(dst)
	dst = append(dst, s...)
	if foldASCII(dst[from:]) {
		return dst
	}
	dst = dst[:from]
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[i])
		} else {
			dst = utf8.AppendRune(dst, sigma.Fold(r))
		}
		i += size
	}
	return dst
}

// foldASCII folds text in place, eight bytes at a time. It reports false, with the text half folded, where it is not all ASCII.
func foldASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		word := binary.LittleEndian.Uint64(b)
		if word&highBits != 0 {
			return false
		}
		fromA := word + (0x80-'a')*ones
		beyondZ := word + (0x80-'z'-1)*ones
		lower := (fromA ^ beyondZ) & highBits
		binary.LittleEndian.PutUint64(b, word^lower>>2)
	}
	for i, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return true
}

func folded(s string) string {
	var space [64]byte // enough for most literals, so that only the text is allocated
	return string(appendFolded(space[:0], s))
}
