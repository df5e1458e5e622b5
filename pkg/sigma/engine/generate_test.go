// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// generator makes rules over the whole language and events that nearly match them.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g generator, list []T) T { return list[g.IntN(len(list))] }

// Characters with several cases, of several lengths, and pieces of each other.
var pieces = []string{"a", "b", "ab", "aab", "K", "k", "\u212a", "s", "S", "ſ", "é", "É", "Ω", "\u2126", "ß", "ẞ", "-c", "/bin/sh", "/sh", " ",
	"\ufffd", "\u0080", "x", "abcabd", "abd", "5", "44", ".", "日本", "İ", "\x00", "%", "–i"}

var wildcards = []string{"*", "?", "**", "?*", `\*`, `\?`, `\\`, `\`}

var numbers = []string{"5", "0", "-5", "1.5", "5.0", "1e3", "-0.0", "4611686018427388000", "4611686018427387904.0", "9223372036854775807", "0x10", "44", "1e300"}

var expressions = []string{"a", "ab+", "a|b", "(?i)ab|cd", "(?i)k", "^a", "b$", "^$", "a.c", "[ab]", "[^a]", "(?i)[ks]x?", "a?", "(ab)*", "x*", `\bab\b`, "aab{2,3}",
	"é", "(?i)É|ß", `\x{fffd}`, ".", "(a|b)(k|s)", "sh$", "/bin/(sh|dash)", `5\.?`, "(?s:.)b", "[[:alpha:]]b", "(?i:ab)c", "a{0}", "", `[\x{fffc}-\x{fffe}]`, "(?m)^b$"}

// fieldModifiers are used together with a suitable value.
var fieldModifiers = []string{"", "", "", "contains", "startswith", "endswith", "contains|all", "all", "cased", "contains|cased", "endswith|cased", "neq", "contains|neq",
	"base64", "base64offset|contains", "utf16le|contains", "wide", "utf16be|startswith", "utf16be|contains", "utf16|endswith", "windash|contains", "contains|all|neq", "wide|cased|contains", "all|neq"}

func (g generator) text() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		if g.IntN(4) == 0 {
			b.WriteString(pick(g, wildcards))
		} else {
			b.WriteString(pick(g, pieces))
		}
	}
	if g.IntN(30) == 0 {
		return ""
	}
	return b.String()
}

// item is a line of a map, or several.
func (g generator) item() string {
	field := pick(g, []string{"F", "F", "G", "G", "H", "Nowhere", "Other", ""})
	if field != "" {
		switch g.IntN(12) {
		case 0:
			return fmt.Sprintf("%s|%s: %s\n", field, pick(g, []string{"gt", "gte", "lt", "lte"}), pick(g, numbers))
		case 1:
			return fmt.Sprintf("%s|cidr: %s\n", field, pick(g, []string{"10.0.0.0/8", "'fe80::/10'", "10.0.0.1", "0.0.0.0/0"}))
		case 2:
			return fmt.Sprintf("%s|exists: %t\n", field, g.IntN(2) == 0)
		case 3:
			return fmt.Sprintf("%s|fieldref%s: %s\n", field, pick(g, []string{"", "|contains", "|startswith", "|endswith", "|cased", "|neq"}), pick(g, []string{"F", "G", "H", "Nowhere", "Other"}))
		case 4:
			return fmt.Sprintf("%s|%s%s: %d\n", field, pick(g, []string{"minute", "hour", "day", "week", "month", "year"}), pick(g, []string{"", "|gt", "|lte"}), 1+g.IntN(6))
		case 5:
			return fmt.Sprintf("%s%s: null\n", field, pick(g, []string{"", "|neq"}))
		}
	}
	if g.IntN(6) == 0 {
		return g.list(field, pick(g, []string{"re", "re|i", "re|startswith", "re|endswith", "re|all", "re|s|m", "re|neq"}), func() string { return quoted(pick(g, expressions)) })
	}
	modifiers := pick(g, fieldModifiers)
	if modifiers == "" && field == "" {
		modifiers = "contains"
	}
	return g.list(field, modifiers, g.scalar)
}

func (g generator) scalar() string {
	switch g.IntN(8) {
	case 0:
		return pick(g, numbers)
	case 1:
		return pick(g, []string{"true", "false"})
	}
	return quoted(g.text())
}

func (g generator) list(field, modifiers string, value func() string) string {
	key := field
	if modifiers != "" {
		key += "|" + modifiers
	}
	if g.IntN(2) == 0 {
		return fmt.Sprintf("%s: %s\n", quoted(key), value())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n", quoted(key))
	for range 1 + g.IntN(4) {
		fmt.Fprintf(&b, "- %s\n", value())
	}
	return b.String()
}

func (g generator) items() string {
	var b strings.Builder
	for range 1 + g.IntN(2) {
		b.WriteString(g.item())
	}
	return b.String()
}

func (g generator) selection() string {
	if g.IntN(4) > 0 {
		return g.items()
	}
	var b strings.Builder
	for range 1 + g.IntN(3) {
		if g.IntN(3) == 0 {
			fmt.Fprintf(&b, "- %s\n", quoted(g.text()))
			continue
		}
		prefix := "- "
		for line := range strings.Lines(g.items()) {
			b.WriteString(prefix + line)
			prefix = "  "
		}
	}
	return b.String()
}

func (g generator) condition(depth int) string {
	if depth == 0 || g.IntN(3) == 0 {
		return pick(g, []string{"sel_1", "sel_2", "other", "1 of sel_*", "all of sel_*", "all of them", "1 of them", "not sel_1", "not other"})
	}
	left, right := g.condition(depth-1), g.condition(depth-1)
	return pick(g, []string{left + " and " + right, left + " or " + right, "not (" + left + " or " + right + ")", "(" + left + ") and not (" + right + ")"})
}

// detection is a detection section that may be refused, because values do not fit modifiers.
func (g generator) detection() string {
	var b strings.Builder
	for _, name := range []string{"sel_1", "sel_2", "other"} {
		fmt.Fprintf(&b, "%s:\n", name)
		for line := range strings.Lines(g.selection()) {
			b.WriteString("  " + line)
		}
	}
	if g.IntN(5) == 0 {
		fmt.Fprintf(&b, "condition:\n- %s\n- %s\n", g.condition(1), g.condition(1))
	} else {
		fmt.Fprintf(&b, "condition: %s\n", g.condition(2))
	}
	return b.String()
}

// rules makes n rules that can be read, with their texts.
func (g generator) rules(n int) (rules []*sigma.Rule, texts []string) {
	for len(rules) < n {
		text := ruleText(g.detection())
		if read, errs := sigma.Parse("test.yml", []byte(text)); len(errs) == 0 {
			rules, texts = append(rules, read.Rules...), append(texts, text)
		}
	}
	return rules, texts
}

// samples gives texts that the rules' own values are made of.
func samples(rules []*sigma.Rule) []string {
	all := []string{"", "10.0.0.1", "fe80::1", "::ffff:10.2.3.4", "2024-01-02T03:04:05Z", "2024-02-03", "true", "FALSE", "1.5", "1000", "1e3", "abc"}
	for _, r := range rules {
		for _, s := range r.Selections {
			for _, alternative := range s.Alternatives {
				for _, item := range alternative {
					for _, v := range item.Values {
						all = append(all, v.Text)
						for _, m := range v.Matchers {
							if p, ok := m.(sigma.Pattern); ok {
								all = append(all, sampleOf(p))
							}
						}
					}
				}
			}
		}
	}
	return all
}

func sampleOf(p sigma.Pattern) string {
	var b strings.Builder
	for _, part := range p.Parts {
		switch part.Kind {
		case sigma.Literal:
			b.WriteString(part.Text)
		case sigma.AnyChar:
			b.WriteString("é")
		}
	}
	return b.String()
}

// mutated changes a text a little, or not.
func (g generator) mutated(s string) string {
	for g.IntN(3) == 0 {
		at := g.IntN(len(s) + 1)
		switch g.IntN(6) {
		case 0:
			s = s[:at] + pick(g, pieces) + s[at:]
		case 1:
			s = s[:at] + pick(g, []string{"\xff", "\xbf\xbf", "\xc3", "\xa9", "\xe2\x84", "\xed\xa0\x80"}) + s[at:]
		case 2:
			s = s[:at]
		case 3:
			s = s[at:]
		case 4:
			s = strings.Map(func(r rune) rune { return unicode.SimpleFold(r) }, s)
		case 5:
			s += pick(g, pieces)
		}
	}
	return s
}

func (g generator) value(texts []string) any {
	switch g.IntN(12) {
	case 0:
		return pick(g, []int64{5, 0, -5, 44, 1000, 4611686018427387904, 4611686018427388000, 9223372036854775807, 16, -9223372036854775808})
	case 1:
		zero := 0.0
		return pick(g, []float64{5, 1.5, -5, 0, -zero, 1 / zero, zero / zero, 1000, 4611686018427387904, 1e300, 44.5, 9223372036854775807})
	case 2:
		return g.IntN(2) == 0
	case 3:
		return nil
	}
	return g.mutated(pick(g, texts))
}

func (g generator) event(texts []string) plainEvent {
	var e plainEvent
	for range g.IntN(7) {
		slot := pick(g, []string{"f1", "f1", "g1", "g2", "Other", ""})
		if slot == "" {
			e = append(e, datum{"", g.mutated(pick(g, texts))})
			continue
		}
		e = append(e, datum{slot, g.value(texts)})
	}
	return e
}
