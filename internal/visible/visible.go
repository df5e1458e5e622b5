// SPDX-License-Identifier: Apache-2.0

// Package visible shows text that others chose, such as names of files and processes, so that nobody's terminal obeys it and nobody is
// misled by what is not seen.
package visible

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text shows all that is not visible as its code: control characters, line ends, signs that turn the direction of writing, and bytes
// that are no text.
func Text(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsPrint(r):
			b.WriteString(text[i : i+size])
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return b.String()
}
