// SPDX-License-Identifier: Apache-2.0

package pysigma

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// generator writes rules that use all of the language. The same seed gives the same rules.
type generator struct{ *rand.Rand }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g generator) pick(from ...string) string { return pick(g.Rand, from) }

// generated writes n rule files and makes events for them.
func generated(n int) source {
	s := source{name: "generated rules"}
	g := generator{rand.New(rand.NewPCG(7, 7))}
	for i := range n {
		s.add(fmt.Sprintf("generated file %d", i), g.file(i), eventMaker(g))
	}
	return s
}

func (g generator) file(i int) string {
	switch {
	case g.chance(8):
		return g.collection(i)
	case g.chance(6):
		return g.broken(i)
	}
	return g.rule(fmt.Sprintf("Rule %d", i))
}

func (g generator) rule(title string) string {
	return fmt.Sprintf("title: %s\nlogsource:\n  product: linux\n%s", title, g.detection())
}

// collection is a file whose global document is put over its rules, up to a reset, with one rule repeated.
func (g generator) collection(i int) string {
	title := func(n int) string { return fmt.Sprintf("Rule %d.%d", i, n) }
	documents := []string{
		"action: global\nlevel: high\nlogsource:\n  product: linux\ndetection:\n" + indented(g.selection("shared")),
		"title: " + title(1) + "\n" + g.detection(),
		"title: " + title(2) + "\nlogsource:\n  category: test\n" + g.detection(),
	}
	if g.chance(50) {
		documents = append(documents, "action: repeat\ntitle: "+title(3)+"\ndetection:\n"+indented(g.selection("more")))
	}
	if g.chance(50) {
		documents = append(documents, "action: reset", g.rule(title(4)))
	}
	return strings.Join(documents, "\n---\n")
}

// broken is a rule with something that neither side may take.
func (g generator) broken(i int) string {
	rule := g.rule(fmt.Sprintf("Rule %d", i))
	return rule + "\n" + indented(g.pick(
		"more:\n  F|unknown: x", "more:\n  F|re: '(a'", "more:\n  F|cidr: 10.1.2.3/8", "more:\n  F|base64: 'a*b'",
		"more:\n  F|gt: 'x'", "more:\n  F|fieldref: 'a*'", "more:\n  F|exists: 'maybe'", "more:\n  F|contains: null", "more:\n  F|re: '(?=a)'",
		"more: {}", "more:\n  F: a\n  F: b", "condition: more", "more:\n  '|exists': true", "more:\n  F|i: a", "more:\n  F|startswith|re: a",
		"more:\n  F|re: '(a)\\1'", "more:\n  F|hour: x", "more:\n  F:\n    G: a",
	))
}

func indented(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

func (g generator) detection() string {
	names := []string{"selection", "selection_a", "selection_b", "filter", "filter_x", "_hidden", "keywords", "notes", "and1", "of"}
	g.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:1+g.IntN(4)]
	parts := []string{"detection:"}
	for _, name := range names {
		parts = append(parts, indented(g.selection(name)))
	}
	return strings.Join(append(parts, indented(g.conditions(names))), "\n")
}

func (g generator) selection(name string) string {
	var lines []string
	switch n := g.IntN(100); {
	case n < 70:
		lines = g.fields()
	case n < 82:
		for range 1 + g.IntN(3) {
			lines = append(lines, "- "+strings.TrimSpace(strings.Join(indentAll(g.fields()), "\n")))
		}
	case n < 90:
		lines = listOf(1+g.IntN(3), g.keyword)
	case n < 94:
		lines = []string{"'|" + g.pick("all", "contains|all", "all|contains") + "':", indented(strings.Join(listOf(2, g.textKeyword), "\n"))}
	case n < 96:
		lines = []string{"'|" + g.pick("cased", "startswith", "endswith", "windash", "neq", "base64offset") + "': " + quoted(g.plain())}
	case n < 97:
		lines = []string{"'|" + g.pick("re", "re|i", "re|s") + "': " + g.expression()}
	case n < 99:
		lines = append(listOf(1, g.keyword), "- "+strings.TrimSpace(strings.Join(indentAll(g.fields()), "\n")))
	default:
		return name + ": " + g.keyword()
	}
	return name + ":\n" + indented(strings.Join(lines, "\n"))
}

func indentAll(lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, indented(line))
	}
	return all
}

func listOf(n int, element func() string) []string {
	var lines []string
	for range n {
		lines = append(lines, "- "+element())
	}
	return lines
}

// shape is a field with modifiers and the values that go with them. A single value is one that cannot be in a list.
type shape struct {
	field     string
	modifiers []string
	value     func(generator) string
	single    bool
}

// The same kind of value goes to the same field, so that several items can be satisfied at once.
var shapes = []shape{
	{"Image", []string{"", "", "", "neq", "cased"}, generator.anyText, false},
	{"CommandLine", []string{"contains", "startswith", "endswith", "contains|all", "all|contains", "contains|neq", "neq|endswith", "contains|all|neq"}, generator.anyText, false},
	{"CommandLine", []string{"cased|contains", "contains|cased", "startswith|cased", "cased|endswith", "contains|cased|all"}, generator.anyText, false},
	{"CommandLine", []string{"windash", "windash|contains", "windash|contains|all", "contains|windash", "windash|startswith", "windash|neq", "windash|cased"}, generator.flags, false},
	{"User", []string{"re", "re|i", "re|m", "re|s", "re|i|m|s", "re|s|i", "re|all", "re|neq", "re|i|all"}, generator.expression, false},
	{"Shell", []string{"re|contains", "re|startswith", "re|endswith", "re|i|startswith", "re|endswith|s", "re|contains|all"}, generator.plainExpression, false},
	{"Port", []string{"", "", "neq", "all"}, generator.wholeNumber, false},
	{"Port", []string{"gt", "gte", "lt", "lte", "gt|neq", "lte|all"}, generator.anyNumber, false},
	{"Ip", []string{"cidr", "cidr", "cidr|neq"}, generator.network, false},
	{"Flag", []string{"exists", "exists|neq"}, generator.boolean, true},
	{"Flag", []string{"", "neq"}, generator.boolean, false},
	{"Missing", []string{"", "neq"}, generator.null, true},
	{"Other", []string{"fieldref", "fieldref|startswith", "fieldref|endswith", "fieldref|contains", "fieldref|neq"}, generator.fieldName, false},
	{"Time", []string{"minute", "hour", "hour|gte", "minute|lt", "hour|neq", "hour|gt|neq"}, generator.smallNumber, false},
	{"Time", []string{"day", "week", "month", "month|lte", "week|gte", "day|neq"}, generator.positiveNumber, false},
	{"Time", []string{"year", "year|lt", "year|gte"}, generator.year, false},
	{"Data", []string{"base64", "base64|contains", "base64offset|contains", "base64offset|contains|all", "base64|base64", "base64offset|endswith|neq"}, generator.quotedPlain, false},
	{"Data", []string{"wide", "wide|contains", "utf16", "utf16be", "utf16be|startswith", "wide|cased"}, generator.narrowText, false},
	{"Data", []string{"wide|base64offset|contains", "utf16|base64|contains", "utf16be|base64offset|contains", "utf16|base64offset|contains"}, generator.narrowPlain, false},
	{"Name", []string{"expand", "expand|contains", "contains|expand"}, generator.percents, false},
}

func (g generator) fields() []string {
	var keys, lines []string
	for range 1 + g.IntN(3) {
		s := pick(g.Rand, shapes)
		key := s.field
		if m := pick(g.Rand, s.modifiers); m != "" {
			key += "|" + m
		}
		if slices.Contains(keys, key) {
			continue
		}
		keys = append(keys, key)
		if s.single || g.chance(60) {
			lines = append(lines, key+": "+s.value(g))
		} else {
			lines = append(lines, key+":\n"+indented(strings.Join(listOf(1+g.IntN(3), func() string { return s.value(g) }), "\n")))
		}
	}
	return lines
}

// quoted writes text as a YAML scalar.
func quoted(s string) string {
	if strings.ContainsAny(s, "\t\n") {
		return strconv.Quote(s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func (g generator) joined(pieces ...string) string {
	var b strings.Builder
	for range 1 + g.IntN(4) {
		b.WriteString(g.pick(pieces...))
	}
	return b.String()
}

// anyText has wildcards, escapes, letters beyond ASCII and everything that YAML or regular expressions could mistake.
func (g generator) anyText() string {
	if g.chance(3) {
		return "''"
	}
	return quoted(g.joined("evil", "/tmp/", "A", "b c", "Ünï", "straße", "Ω", "K", `\`, `\\`, `\*`, `\?`, "*", "?", `\\*`, `\\\*`, `\\\\`,
		"-x", "%", "%a%", "'", "0", "\t", ".", "(", "[a]", "^", "$", "{}", "+", "|", `"`, "#", ": ", "\n"))
}

func (g generator) plain() string {
	return g.pick("evil", "/bin/", "Ab", "x y", "Ünï", `C:\`) + g.joined("sh", `\*`, "1", ".", "é", "/")
}

func (g generator) quotedPlain() string { return quoted(g.plain()) }

func (g generator) narrowText() string { return quoted(g.joined("cmd", "*", "A", "/", `\?`, "1", ".")) }

func (g generator) narrowPlain() string { return quoted(g.joined("cmd", "Ab", "/x", "12")) }

func (g generator) percents() string { return quoted(g.joined("50%", "a", "*", " %", "%%", "b")) }

func (g generator) flags() string {
	return quoted(g.pick("-a", "/b", " -a ", "x-y", "--long", " /c*", "-a -b", "a/b -c", "*-z", "-1", "/é", "plain", "-a-b /c", " - a", `\-x`))
}

// keyword is a value of a list of keywords. A number stands there by its digits.
func (g generator) keyword() string {
	if g.chance(10) {
		return g.wholeNumber()
	}
	return g.textKeyword()
}

func (g generator) textKeyword() string {
	return quoted(g.joined("evil", "b c", "*", "?", "Ω", `\*`, "-x", "A", "."))
}

func (g generator) expression() string {
	if g.chance(5) {
		return "44"
	}
	return quoted(g.pick("a+b", "^a.c$", "^evil", "sh$", `\d{2,3}`, "(a|b)c", "a|b", "[^a-c]x", `\.\*`, "x?y*z", "(?i)abc", `\bsh\b`, "é.",
		"^$", ".", `\\x`, "a.b", "%a%", "^b$", `\x41`, "(?:ab){2}", `[[:alpha:]]+\s`, "'"))
}

// plainExpression has no flags of its own and no line breaks to match.
func (g generator) plainExpression() string {
	return quoted(g.pick("a+b", "evil", `\d{2,3}`, "(a|b)c", "a|b", "[^a-c\\n]x", `\.\*`, "ab|cd|e", "(?:ab){2}", "[|]", `a\|b`))
}

func (g generator) wholeNumber() string { return g.pick("0", "5", "22", "-1", "4444", "65535") }

func (g generator) anyNumber() string { return g.pick("0", "5", "1024", "-3", "1.5", "0.25", "5.0") }

func (g generator) smallNumber() string { return strconv.Itoa(g.IntN(24)) }

func (g generator) positiveNumber() string { return strconv.Itoa(1 + g.IntN(12)) }

func (g generator) year() string { return strconv.Itoa(2020 + g.IntN(8)) }

func (g generator) network() string {
	return quoted(g.pick("10.0.0.0/8", "192.168.1.0/24", "127.0.0.1/32", "192.0.2.1", "fe80::/10", "::1/128", "2001:db8::/33", "0.0.0.0/0", "172.16.0.0/12"))
}

func (g generator) boolean() string { return g.pick("true", "false") }

func (g generator) null() string { return g.pick("null", "", "~") }

func (g generator) fieldName() string { return g.pick("Image", "User", "Port", "Third") }

func (g generator) conditions(names []string) string {
	if g.chance(10) {
		return "condition:\n" + indented(strings.Join(listOf(2, func() string { return g.condition(names, 2) }), "\n"))
	}
	return "condition: " + g.condition(names, 3)
}

// condition follows the grammar, so that the operators' binding decides what belongs together.
func (g generator) condition(names []string, depth int) string {
	terms := []string{g.term(names, depth)}
	for g.chance(45) {
		terms = append(terms, g.pick("and", "and", "or"), g.term(names, depth))
	}
	return strings.Join(terms, " ")
}

func (g generator) term(names []string, depth int) string {
	switch n := g.IntN(100); {
	case n < 15:
		return "not " + g.term(names, depth)
	case n < 35 && depth > 0:
		return "(" + g.pick("", " ") + g.condition(names, depth-1) + ")"
	case n < 55:
		pattern := pick(g.Rand, names)
		if g.chance(60) {
			pattern = pattern[:1+g.IntN(len(pattern))] + "*"
		}
		return g.pick("1", "any", "all") + " of " + g.pick("them", pattern, "*", pattern)
	}
	return pick(g.Rand, names)
}
