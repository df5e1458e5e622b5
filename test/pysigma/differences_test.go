// SPDX-License-Identifier: Apache-2.0

package pysigma

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// outcome is what becomes of a rule and an event.
type outcome string

const (
	refused outcome = "refused"
	matches outcome = "match"
	misses  outcome = "no match"
)

// withF is an event of the field F, or of keywords.
func withF(f ...any) event { return event{Fields: map[string][]any{"F": f}, Keywords: []string{}} }

func keywords(texts ...string) event { return event{Fields: map[string][]any{}, Keywords: texts} }

func withSelection(s string) string {
	return withDetection("selection:\n" + indented(s) + "\ncondition: selection")
}

func withDetection(d string) string {
	return "title: A rule\nlogsource:\n  product: linux\ndetection:\n" + indented(d)
}

// differences says where the two differ and why. The other tests keep to what is not named here.
var differences = []struct {
	name, source string
	event        event
	us, them     outcome
	reason       string
}{
	// What we refuse.
	{"null in a list", withSelection("F: ['', null]"), withF(""), refused, matches, "the specification: null cannot be part of a list"},
	{"no values", withSelection("F: []"), withF(nil), refused, matches, "a list without values says nothing; pySigma takes it for null"},
	{"selection of nothing", withDetection("a: []\nb:\n  F: x\ncondition: b"), withF("x"), refused, matches, "as above; pySigma notices when a condition uses it"},
	{"list in a list", withSelection("- - x"), keywords("x"), refused, matches, "the specification: lists hold strings or maps"},
	{"keyword without text", withSelection("- ''"), keywords("x"), refused, matches, "it is found in every text"},
	{"two anchors", withSelection("F|contains|startswith: x"), withF("x"), refused, matches, "one of them would have no effect"},
	{"flag twice", withSelection("F|re|i|i: x"), withF("X"), refused, matches, "surely a mistake"},
	{"base64 of nothing", withSelection("F|base64: ''"), withF(""), refused, matches, "nothing is left to look for"},
	{"base64offset of one byte", withSelection("F|base64offset|contains: x"), withF("eA=="), refused, matches, "one character is left, which matches almost anything"},
	{"existence in a list", withSelection("F|exists: [true, false]"), withF("x"), refused, matches, "a field exists or it does not"},
	{"hour that no day has", withSelection("F|hour: 25"), withF("x"), refused, misses, "it can never match"},
	{"part of an hour", withSelection("F|hour: 7.5"), withF("2024-01-01T07:00:00Z"), refused, matches, "pySigma cuts the fraction off without a word"},
	{"network without a field", withSelection("'|cidr': 10.0.0.0/8"), keywords("10.0.0.1"), refused, matches, "a text of an event is hardly one address"},
	{"placeholder without values", withSelection("F|expand: '%x%'"), withF("x"), refused, refused, "the specification: such a rule is refused; pySigma leaves that to the conversion"},
	{"name of an operator", withDetection("and:\n  F: x\nb:\n  F: x\ncondition: b"), withF("x"), refused, matches, "no condition could use it"},
	{"title without text", "title: ''\nlogsource:\n  product: linux\ndetection:\n  a:\n    F: x\n  condition: a", withF("x"), refused, matches, "an alert needs a name"},
	{"nothing to repeat", "action: repeat\n" + withSelection("F: x"), withF("x"), refused, matches, "there is no rule before it"},

	// What pySigma refuses.
	{"contains a number", withSelection("F|contains: 44"), withF("x445"), matches, refused, "the specification: all values are treated as strings"},
	{"base64 of a number", withSelection("F|base64: 44"), withF("NDQ="), matches, refused, "as above"},
	{"date", withSelection("F: 2024-01-02"), withF("2024-01-02"), matches, refused, "as above"},
	{"all before re", withSelection("F|all|re: [a, b]"), withF("ba"), matches, refused, "all and neq change no value; pySigma wants them last"},
	{"neq before cidr", withSelection("F|neq|cidr: 10.0.0.0/8"), withF("11.0.0.1"), matches, refused, "as above"},
	{"upper-case operators", withDetection("a:\n  F: x\nb:\n  F: y\ncondition: a AND NOT b"), withF("x"), matches, refused, "older rules have them"},
	{"pattern with a hyphen", withDetection("a-b:\n  F: x\ncondition: 1 of a-*"), withF("x"), matches, refused, "pySigma takes hyphens in names but not in patterns"},
	{"name with a dot", withDetection("a.b:\n  F: x\ncondition: a.b"), withF("x"), matches, refused, "the specification does not restrict names"},
	{"utf16le", withSelection("F|utf16le: a"), withF("a\x00"), matches, refused, "specified, and unknown to pySigma"},
	{"wide beyond ASCII", withSelection("F|wide|base64: é"), withF("6QA="), matches, refused, "pySigma keeps text and not bytes"},
	{"four flags", withSelection("F|windash: '-a -b -c -d'"), withF("/a /b /c -d"), matches, refused, "both bound the number of spellings"},
	{"id that is no UUID", "id: abc\n" + withSelection("F: x"), withF("x"), matches, refused, "it only has to be unique here"},
	{"tag without a namespace", "tags: [mine]\n" + withSelection("F: x"), withF("x"), matches, refused, "tags are for people here, but for those of ATT&CK"},
	{"reference with case", withSelection("F|fieldref|cased: F"), withF("x"), matches, refused, "cased is a generic modifier"},

	// What the two understand differently.
	{"dash to vary", withSelection("F|windash: '–a'"), withF("-a"), matches, misses, "the specification: each of the five dashes is varied"},
	{"cased windash", withSelection("F|cased|windash: '-A'"), withF("/a"), misses, matches, "pySigma forgets the case"},
	{"cased base64", withSelection("F|cased|base64: 'foobar'"), withF("ZM9VYMFY"), misses, matches, "as above"},
	{"expression over two lines", withSelection("F|re|contains: a"), withF("x\na"), matches, misses, "pySigma writes \".*\", which ends at the line"},
	{"great number", withSelection("F: 9007199254740993"), withF(int64(9007199254740993)), matches, misses, "pySigma rounds it"},
	{"yes", withSelection("F: yes"), withF("yes"), matches, misses, "we read YAML 1.2, pySigma YAML 1.1"},
	{"number to the base of 60", withSelection("F: 1:30"), withF("1:30"), matches, misses, "as above"},
	{"octal number", withSelection("F: 0o17"), withF(int64(15)), matches, misses, "as above"},
	{"exponent", withSelection("F: 1e3"), withF(int64(1000)), matches, misses, "as above"},
	{"hexadecimal keyword", withSelection("- 0x10"), keywords("0x10"), matches, misses, "a keyword is its spelling"},
	{"escaped percent sign", withSelection(`F|expand: '\%a'`), withF("%a"), matches, misses, "the specification: a backslash escapes it"},
	{"reference to a field with a wildcard in its name", withSelection(`F|fieldref: 'F\*'`), event{map[string][]any{"F": {"x"}, "F*": {"x"}}, []string{}}, matches, misses, "pySigma leaves the backslash in the name"},
	{"timeframe", withDetection("a:\n  F: x\ntimeframe: 30s\ncondition: 1 of them"), keywords("in 30s"), misses, matches, "a leftover of aggregations, which pySigma takes for a keyword"},
	{"two global documents", "action: global\nlevel: low\ndetection:\n  a:\n    F: x\n---\naction: global\nlevel: high\n---\n" + withDetection("b:\n  F: y\ncondition: 1 of them"),
		withF("x"), matches, misses, "global documents accumulate; pySigma keeps the last"},
}

// known is the table as files to judge.
func known() []file {
	var files []file
	for _, d := range differences {
		files = append(files, file{d.source, []event{d.event}})
	}
	return files
}

// A difference that is no more should leave the table.
func compareKnown(t *testing.T, theirs []judgement) {
	for i, d := range differences {
		assert.Equal(t, d.us, outcomeOf(ours(file{d.source, []event{d.event}})), "%s: we", d.name)
		assert.Equal(t, d.them, outcomeOf(theirs[i]), "%s: pySigma", d.name)
	}
}

func outcomeOf(j judgement) outcome {
	switch {
	case len(j.Rules) != 1 || j.Rules[0].Error != "":
		return refused
	case j.Rules[0].Verdicts[0]:
		return matches
	}
	return misses
}
