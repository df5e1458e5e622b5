// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PartKind tells the parts of a pattern apart.
type PartKind int

// The parts of a pattern.
const (
	Literal PartKind = iota // the text itself
	AnyChar                 // "?": exactly one character
	AnyRun                  // "*": any characters, also none
)

// Part is a piece of a pattern; Text is set for Literal only.
type Part struct {
	Kind PartKind
	Text string
}

// Pattern is text with wildcards. It is compared with the whole of a value. Neighbouring literals are joined and no literal is empty.
type Pattern struct {
	Parts []Part
	Cased bool
}

// invalidByte is added to a byte that is not valid UTF-8, so that it equals no character.
const invalidByte = unicode.MaxRune + 1

// parsePattern reads Sigma text: wildcards and their escapes.
func parsePattern(s string) Pattern {
	if !strings.ContainsAny(s, `\*?`) {
		return literalPattern(s)
	}
	var p Pattern
	var literal strings.Builder
	special := func(kind PartKind) {
		p.add(Part{Literal, literal.String()})
		literal.Reset()
		p.add(Part{Kind: kind})
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`\*?`, s[i+1]) >= 0:
			i++
			literal.WriteByte(s[i])
		case c == '*':
			special(AnyRun)
		case c == '?':
			special(AnyChar)
		default:
			literal.WriteByte(c)
		}
	}
	p.add(Part{Literal, literal.String()})
	return p
}

func literalPattern(s string) Pattern {
	var p Pattern
	p.add(Part{Literal, s})
	return p
}

// add appends a part, keeping the promises of Pattern.
func (p *Pattern) add(part Part) {
	if part.Kind == Literal && part.Text == "" {
		return
	}
	if last := len(p.Parts) - 1; last >= 0 && part.Kind == Literal && p.Parts[last].Kind == Literal {
		p.Parts[last].Text += part.Text
		return
	}
	p.Parts = append(p.Parts, part)
}

// literal gives the text of a pattern without wildcards.
func (p Pattern) literal() (string, bool) {
	switch {
	case len(p.Parts) == 0:
		return "", true
	case len(p.Parts) == 1 && p.Parts[0].Kind == Literal:
		return p.Parts[0].Text, true
	}
	return "", false
}

// widened puts "*" before and after the pattern where it is asked for and not there yet.
func (p Pattern) widened(before, after bool) Pattern {
	wide := Pattern{Cased: p.Cased, Parts: make([]Part, 0, len(p.Parts)+2)}
	if before && (len(p.Parts) == 0 || p.Parts[0].Kind != AnyRun) {
		wide.add(Part{Kind: AnyRun})
	}
	wide.Parts = append(wide.Parts, p.Parts...)
	if last := len(wide.Parts) - 1; after && (last < 0 || wide.Parts[last].Kind != AnyRun) {
		wide.add(Part{Kind: AnyRun})
	}
	return wide
}

// mapLiterals replaces the text of each literal.
func (p Pattern) mapLiterals(f func(string) string) Pattern {
	mapped := Pattern{Cased: p.Cased}
	for _, part := range p.Parts {
		if part.Kind == Literal {
			part.Text = f(part.Text)
		}
		mapped.add(part)
	}
	return mapped
}

// String writes the pattern as Sigma text, with every character escaped that needs it.
func (p Pattern) String() string {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)
	return p.render(escape.Replace, "?", "*")
}

// regexp writes the pattern as a piece of a regular expression.
func (p Pattern) regexp() string {
	return p.render(regexp.QuoteMeta, "(?s:.)", "(?s:.*)")
}

func (p Pattern) render(literal func(string) string, anyChar, anyRun string) string {
	var b strings.Builder
	for _, part := range p.Parts {
		switch part.Kind {
		case AnyChar:
			b.WriteString(anyChar)
		case AnyRun:
			b.WriteString(anyRun)
		default:
			b.WriteString(literal(part.Text))
		}
	}
	return b.String()
}

// place is a place in a pattern: a part, and how much of its text is behind.
type place struct{ part, offset int }

// match reports whether the pattern covers the whole of s. When a character does not fit, the latest "*" takes one character
// more and what comes after it starts again; earlier ones never need to, so the time is at most that for each character of s
// with each of the pattern.
func (p Pattern) match(s string) bool {
	at, from := place{}, 0
	star, resume := place{part: -1}, 0
	for from < len(s) {
		if p.isRun(at.part) {
			at = place{part: at.part + 1}
			star, resume = at, from
			continue
		}
		if next, size, ok := p.step(at, s[from:]); ok {
			at, from = next, from+size
			continue
		}
		if star.part < 0 {
			return false
		}
		_, size := character(s[resume:], true)
		resume += size
		at, from = star, resume
	}
	for p.isRun(at.part) {
		at.part++
	}
	return at.part == len(p.Parts)
}

func (p Pattern) isRun(part int) bool { return part < len(p.Parts) && p.Parts[part].Kind == AnyRun }

// step takes the first character of s, which is not empty, and gives the place behind it and its size.
func (p Pattern) step(at place, s string) (next place, size int, ok bool) {
	if at.part == len(p.Parts) {
		return at, 0, false
	}
	found, size := character(s, p.Cased)
	part := p.Parts[at.part]
	if part.Kind == Literal {
		wanted, length := character(part.Text[at.offset:], p.Cased)
		if wanted != found {
			return at, 0, false
		}
		if at.offset += length; at.offset < len(part.Text) {
			return at, size, true
		}
	}
	return place{part: at.part + 1}, size, true
}

// character gives the first character of a text, folded unless cased, and its size in bytes.
func character(s string, cased bool) (r rune, size int) {
	r, size = utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		r = invalidByte + rune(s[0])
	case !cased:
		r = fold(r)
	}
	return r, size
}

// fold gives the same rune for all runes that are equal but for their case: the smallest of them.
func fold(r rune) rune {
	switch { // the common case, spared the tables
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case r < utf8.RuneSelf:
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}
