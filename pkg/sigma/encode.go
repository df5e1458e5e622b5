// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// base64Offsets encodes s as it appears inside a longer encoded text, for each of the three ways it can fall on groups of
// three bytes. Characters that also depend on the neighbouring bytes are left out.
func base64Offsets(s string) ([]string, error) {
	if len(s) < 2 {
		return nil, fmt.Errorf("base64offset needs at least two bytes, found %q", s)
	}
	variants := make([]string, 3)
	for shift := range variants {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + s))
		from := []int{0, 2, 3}[shift]
		to := len(encoded)
		if (shift+len(s))%3 != 0 {
			to-- // the last character also holds bits of the byte that follows
		}
		variants[shift] = encoded[from:to]
	}
	return variants, nil
}

// utf16Bytes encodes UTF-8 text as UTF-16 without a byte order mark.
func utf16Bytes(s string, order binary.AppendByteOrder) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

// dashes are the characters Windows programs take for the start of a flag.
var dashes = []string{"-", "/", "–", "—", "―"}

// flagStart finds what can be the start of a flag: one of the dashes before a word character. RE2 cannot look back, so what
// stands before it is checked apart.
var flagStart = regexp.MustCompile(`[-/–—―][\p{L}\p{N}_]`)

const maxFlags = 4 // 5^4 = 625 spellings of one value

// windashVariants spells each flag of the pattern with each of the dashes, in all combinations.
func windashVariants(p Pattern) ([]Pattern, error) {
	variants := []Pattern{{Cased: p.Cased}}
	flags := 0
	for _, part := range p.Parts {
		if part.Kind != Literal {
			variants = extend(variants, part)
			continue
		}
		pieces := splitFlags(part.Text)
		flags += len(pieces) - 1
		if flags > maxFlags {
			return nil, fmt.Errorf("windash can vary at most %d flags in one value", maxFlags)
		}
		variants = appendSpellings(variants, pieces)
	}
	return variants, nil
}

// appendSpellings continues each pattern with the pieces of a text; between two of them stands any of the dashes.
func appendSpellings(patterns []Pattern, pieces []string) []Pattern {
	patterns = extend(patterns, Part{Literal, pieces[0]})
	for _, piece := range pieces[1:] {
		var spelled []Part
		for _, dash := range dashes {
			spelled = append(spelled, Part{Literal, dash + piece})
		}
		patterns = extend(patterns, spelled...)
	}
	return patterns
}

// extend continues each pattern with each of the parts.
func extend(patterns []Pattern, parts ...Part) []Pattern {
	var extended []Pattern
	for _, p := range patterns {
		for _, part := range parts {
			longer := Pattern{Cased: p.Cased, Parts: append([]Part(nil), p.Parts...)}
			longer.add(part)
			extended = append(extended, longer)
		}
	}
	return extended
}

// splitFlags cuts s at the dashes that start a flag: those before a word character and not after one.
func splitFlags(s string) []string {
	var pieces []string
	from := 0
	for at := 0; ; {
		found := flagStart.FindStringIndex(s[at:])
		if found == nil {
			return append(pieces, s[from:])
		}
		dash := at + found[0]
		_, size := utf8.DecodeRuneInString(s[dash:])
		before, _ := utf8.DecodeLastRuneInString(s[:dash])
		at = dash + size
		if !wordCharacter(before) {
			pieces = append(pieces, s[from:dash])
			from = at
		}
	}
}

func wordCharacter(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

// placeholder finds %name% in text, and \% which stands for a plain percent sign.
var placeholder = regexp.MustCompile(`\\%|%([^%]+)%`)

// expandPlaceholders replaces the placeholders of a pattern by each of their values, in all combinations.
func expandPlaceholders(p Pattern, values map[string][]string) ([]Pattern, error) {
	expanded := []Pattern{{Cased: p.Cased}}
	for _, part := range p.Parts {
		if part.Kind != Literal {
			expanded = extend(expanded, part)
			continue
		}
		var err error
		if expanded, err = expandLiteral(expanded, part.Text, values); err != nil {
			return nil, err
		}
	}
	return expanded, nil
}

const maxExpansions = 100_000

func expandLiteral(patterns []Pattern, s string, values map[string][]string) ([]Pattern, error) {
	from := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(s, -1) {
		patterns = extend(patterns, Part{Literal, s[from:at[0]]})
		from = at[1]
		if at[2] < 0 {
			patterns = extend(patterns, Part{Literal, "%"})
			continue
		}
		replacements, err := placeholderValues(s[at[2]:at[3]], values)
		if err != nil {
			return nil, err
		}
		if len(patterns)*len(replacements) > maxExpansions {
			return nil, fmt.Errorf("placeholders expand to more than %d values", maxExpansions)
		}
		patterns = join(patterns, replacements)
	}
	return extend(patterns, Part{Literal, s[from:]}), nil
}

func placeholderValues(name string, values map[string][]string) ([]Pattern, error) {
	texts := values[name]
	if len(texts) == 0 {
		return nil, fmt.Errorf("no values are given for the placeholder %%%s%%", name)
	}
	patterns := make([]Pattern, len(texts))
	for i, t := range texts {
		patterns[i] = parsePattern(t)
	}
	return patterns, nil
}

// join continues each pattern with each of the tails.
func join(patterns, tails []Pattern) []Pattern {
	var joined []Pattern
	for _, tail := range tails {
		longer := patterns
		for _, part := range tail.Parts {
			longer = extend(longer, part)
		}
		joined = append(joined, longer...)
	}
	return joined
}

// expandRegexp replaces the placeholders of a regular expression, by texts with wildcards and not by regular expressions.
func expandRegexp(source string, values map[string][]string) ([]string, error) {
	expanded := []string{""}
	from := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(source, -1) {
		if at[2] < 0 {
			continue // \% is a percent sign in a regular expression as well
		}
		replacements, err := placeholderValues(source[at[2]:at[3]], values)
		if err != nil {
			return nil, err
		}
		if len(expanded)*len(replacements) > maxExpansions {
			return nil, errors.New("placeholders expand to too many regular expressions")
		}
		var longer []string
		for _, head := range expanded {
			for _, r := range replacements {
				longer = append(longer, head+source[from:at[0]]+r.regexp())
			}
		}
		expanded, from = longer, at[1]
	}
	for i := range expanded {
		expanded[i] += source[from:]
	}
	return expanded, nil
}
