// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

type fields = map[string]any

// conformance says, for a selection, which events satisfy it and which do not.
var conformance = []struct {
	name      string
	selection string
	matches   []fields
	others    []fields
}{
	// Text and wildcards.
	{"text without case", `F: 'Value'`, []fields{{"F": "value"}, {"F": "VALUE"}}, []fields{{"F": "values"}, {"F": "a value"}, {"F": nil}, {"G": "value"}, {}}},
	{"text beyond ASCII without case", `F: 'straßE ÄÖ Ω'`, []fields{{"F": "STRAßE äö ω"}}, []fields{{"F": "STRASSE äö ω"}}},
	{"star is any run", `F: 'a*c'`, []fields{{"F": "ac"}, {"F": "abc"}, {"F": "a\nb\nc"}, {"F": "acc"}}, []fields{{"F": "acd"}, {"F": "xac"}}},
	{"several stars", `F: '*a*b*'`, []fields{{"F": "ab"}, {"F": "xaxbx"}, {"F": "aab"}}, []fields{{"F": "ba"}, {"F": ""}}},
	{"star alone is any text, also none", `F: '*'`, []fields{{"F": ""}, {"F": "x"}, {"F": 1}}, []fields{{"F": nil}, {}}},
	{"question mark is one character", `F: 'a?c'`, []fields{{"F": "abc"}, {"F": "aéc"}, {"F": "a\xffc"}}, []fields{{"F": "ac"}, {"F": "abbc"}}},
	{"question mark and star", `F: '?*'`, []fields{{"F": "a"}, {"F": "ab"}}, []fields{{"F": ""}}},
	{"escaped star", `F: 'a\*c'`, []fields{{"F": "a*c"}}, []fields{{"F": "abc"}, {"F": `a\*c`}}},
	{"escaped question mark", `F: 'a\?c'`, []fields{{"F": "a?c"}}, []fields{{"F": "abc"}}},
	{"escaped backslash before a star", `F: 'a\\*'`, []fields{{"F": `a\`}, {"F": `a\b`}}, []fields{{"F": "a*"}, {"F": "ab"}}},
	{"three backslashes before a star", `F: 'a\\\*'`, []fields{{"F": `a\*`}}, []fields{{"F": `a\b`}, {"F": `a\\*`}}},
	{"single backslash is itself", `F: 'C:\Windows\x'`, []fields{{"F": `c:\windows\X`}}, []fields{{"F": `C:\\Windows\\x`}}},
	{"double backslash is one", `F: 'C:\\Windows'`, []fields{{"F": `C:\Windows`}}, []fields{{"F": `C:\\Windows`}}},
	{"three backslashes are two", `F: 'a\\\b'`, []fields{{"F": `a\\b`}}, []fields{{"F": `a\b`}, {"F": `a\\\b`}}},
	{"four backslashes are two", `F: 'a\\\\b'`, []fields{{"F": `a\\b`}}, []fields{{"F": `a\b`}, {"F": `a\\\b`}}},
	{"backslash at the end", `F: 'a\'`, []fields{{"F": `a\`}}, []fields{{"F": "a"}}},
	{"empty text", `F: ''`, []fields{{"F": ""}}, []fields{{"F": " "}, {"F": nil}, {}}},
	{"bytes that are no UTF-8", `F: "a*\xE9"`, []fields{{"F": "a\xffé"}}, []fields{{"F": "a\xc3"}, {"F": "a\xe9"}}},

	// Numbers, booleans, null.
	{"number", `F: 5`, []fields{{"F": 5}, {"F": 5.0}, {"F": "5"}, {"F": uint16(5)}}, []fields{{"F": 6}, {"F": "05"}, {"F": "5.0"}, {"F": true}, {"F": nil}}},
	{"negative number", `F: -5`, []fields{{"F": -5}, {"F": "-5"}}, []fields{{"F": 5}}},
	{"fraction", `F: 1.50`, []fields{{"F": 1.5}, {"F": "1.5"}}, []fields{{"F": 1}, {"F": "1.50"}}},
	{"hexadecimal number", `F: 0x10`, []fields{{"F": 16}, {"F": "16"}}, []fields{{"F": "0x10"}}},
	{"great numbers are not rounded", `F: 9007199254740993`, []fields{{"F": int64(9007199254740993)}}, []fields{{"F": int64(9007199254740992)}, {"F": 9007199254740992.0}}},
	{"text against a number", `F: '44*'`, []fields{{"F": 4444}, {"F": 44}, {"F": 44.5}}, []fields{{"F": 4}}},
	{"quoted number is text", `F: '5'`, []fields{{"F": 5}, {"F": "5"}, {"F": 5.0}}, []fields{{"F": 5.5}}},
	{"boolean", `F: true`, []fields{{"F": true}, {"F": "True"}}, []fields{{"F": false}, {"F": 1}, {"F": nil}}},
	{"text against a boolean", `F: 'false'`, []fields{{"F": false}}, []fields{{"F": true}, {}}},
	{"date is text", `F: 2024-01-02`, []fields{{"F": "2024-01-02"}}, []fields{{"F": "2024-01-02T00:00:00Z"}}},
	{"null", `F: null`, []fields{{"F": nil}, {}, {"F": []any{}}, {"F": []any{"a", nil}}}, []fields{{"F": ""}, {"F": "null"}, {"F": 0}}},
	{"null by an empty value", `F:`, []fields{{}}, []fields{{"F": ""}}},

	// Lists and maps.
	{"list of values is or", "F:\n  - a\n  - 5", []fields{{"F": "a"}, {"F": 5}}, []fields{{"F": "b"}}},
	{"map is and", "F: a\nG: b", []fields{{"F": "a", "G": "b"}}, []fields{{"F": "a"}, {"G": "b"}, {"F": "b", "G": "a"}}},
	{"list of maps is or of and", "- F: a\n  G: b\n- H: c", []fields{{"F": "a", "G": "b"}, {"H": "c"}}, []fields{{"F": "a"}, {"G": "b"}}},
	{"array-valued field", `F: b`, []fields{{"F": []string{"a", "b"}}, {"F": []any{1, "b"}}}, []fields{{"F": []string{"a"}}, {"F": []string{}}}},

	// contains, startswith, endswith, all, cased, neq.
	{"contains", `F|contains: 'b'`, []fields{{"F": "abc"}, {"F": "B"}}, []fields{{"F": "ac"}, {"F": ""}, {"F": nil}}},
	{"contains with wildcards", `F|contains: 'a*b?d'`, []fields{{"F": "xaxxbcdx"}}, []fields{{"F": "abd"}}},
	{"contains with own stars", `F|contains: '*a*'`, []fields{{"F": "xax"}, {"F": "a"}}, []fields{{"F": "x"}}},
	{"contains an escaped star", `F|contains: '\*'`, []fields{{"F": "a*b"}}, []fields{{"F": "ab"}}},
	{"contains a number", `F|contains: 44`, []fields{{"F": "a444b"}, {"F": 1445}}, []fields{{"F": "4"}}},
	{"contains keeps the number's spelling", `F|contains: 0755`, []fields{{"F": "chmod 0755 x"}}, []fields{{"F": "chmod 493 x"}}},
	{"startswith", `F|startswith: 'ab'`, []fields{{"F": "ABc"}, {"F": "ab"}}, []fields{{"F": "xab"}}},
	{"endswith", `F|endswith: '/sh'`, []fields{{"F": "/bin/sh"}, {"F": "/sh"}}, []fields{{"F": "/bin/sh "}, {"F": "sh"}}},
	{"endswith a backslash and text", `F|endswith: '\cmd.exe'`, []fields{{"F": `C:\x\CMD.EXE`}}, []fields{{"F": `C:\xcmd.exe`}}},
	{"startswith the empty text", `F|startswith: ''`, []fields{{"F": "x"}, {"F": ""}}, []fields{{}}},
	{"contains all", "F|contains|all:\n  - a\n  - b", []fields{{"F": "ba"}}, []fields{{"F": "a"}, {"F": "b"}}},
	{"all contains", "F|all|contains:\n  - a\n  - b", []fields{{"F": "ba"}}, []fields{{"F": "a"}}},
	{"all over an array", "F|all:\n  - a\n  - b", []fields{{"F": []string{"b", "a"}}}, []fields{{"F": "a"}, {"F": []string{"a", "c"}}}},
	{"cased", `F|cased: 'Ab*'`, []fields{{"F": "Abc"}}, []fields{{"F": "abc"}}},
	{"cased contains", `F|cased|contains: 'Ab'`, []fields{{"F": "xAbx"}}, []fields{{"F": "xabx"}}},
	{"contains cased", `F|contains|cased: 'Ab'`, []fields{{"F": "xAbx"}}, []fields{{"F": "xabx"}}},
	{"neq", `F|neq: a`, []fields{{"F": "b"}, {"F": 1}, {}, {"F": nil}}, []fields{{"F": "a"}, {"F": "A"}, {"F": []string{"b", "a"}}}},
	{"neq of a list", "F|neq:\n  - a\n  - b", []fields{{"F": "c"}}, []fields{{"F": "a"}, {"F": "b"}}},
	{"neq of a number", `F|neq: 5`, []fields{{"F": 6}}, []fields{{"F": 5}, {"F": "5"}}},
	{"neq null", `F|neq: null`, []fields{{"F": "a"}, {"F": ""}}, []fields{{}, {"F": nil}}},
	{"neq contains all", "F|contains|all|neq:\n  - a\n  - b", []fields{{"F": "a"}, {"F": "c"}}, []fields{{"F": "ab"}}},

	// Regular expressions.
	{"re is looked for anywhere, with case", `F|re: 'b+c'`, []fields{{"F": "abbcd"}}, []fields{{"F": "aBBcd"}, {"F": "b"}, {"F": nil}}},
	{"re with anchors", `F|re: '^a.c$'`, []fields{{"F": "abc"}}, []fields{{"F": "xabc"}, {"F": "abcx"}, {"F": "a\nc"}}},
	{"re keeps its backslashes", `F|re: '\d\*\\'`, []fields{{"F": `1*\`}}, []fields{{"F": `d*\`}}},
	{"re against a number", `F|re: '^4+$'`, []fields{{"F": 444}}, []fields{{"F": 445}}},
	{"re of a number", `F|re: 44`, []fields{{"F": "x44"}}, []fields{{"F": "4"}}},
	{"re list", "F|re:\n  - '^a'\n  - '^b'", []fields{{"F": "ax"}, {"F": "bx"}}, []fields{{"F": "cx"}}},
	{"re all", "F|re|all:\n  - 'a'\n  - 'b'", []fields{{"F": "ba"}}, []fields{{"F": "a"}}},
	{"re i", `F|re|i: 'abc'`, []fields{{"F": "xABCx"}}, []fields{{"F": "ab"}}},
	{"re i with alternatives", `F|re|i: 'abc|def'`, []fields{{"F": "DEF"}, {"F": "ABC"}}, []fields{{"F": "xyz"}}},
	{"re m", `F|re|m: '^b$'`, []fields{{"F": "a\nb\nc"}}, []fields{{"F": "abc"}}},
	{"re s", `F|re|s: 'a.b'`, []fields{{"F": "a\nb"}}, []fields{{"F": "ab"}}},
	{"re i m s", `F|re|i|m|s: '^a.b$'`, []fields{{"F": "x\nA\nB"}}, []fields{{"F": "x\nAB"}}},
	{"re with flags written out", `F|re|ignorecase|multiline|dotall: '^a.b$'`, []fields{{"F": "x\nA\nB"}}, []fields{{"F": "x\nAB"}}},
	{"re startswith", `F|re|startswith: 'a|b'`, []fields{{"F": "ax"}, {"F": "bx"}}, []fields{{"F": "xa"}, {"F": "xb"}}},
	{"re endswith", `F|re|endswith: 'a|b'`, []fields{{"F": "xa"}, {"F": "xb"}}, []fields{{"F": "ax"}, {"F": "bx"}}},
	{"re contains", `F|re|contains: 'a|b'`, []fields{{"F": "xax"}}, []fields{{"F": "x"}}},

	// Networks, existence, references.
	{"cidr v4", `F|cidr: 10.0.0.0/8`, []fields{{"F": "10.1.2.3"}, {"F": "::ffff:10.1.2.3"}}, []fields{{"F": "11.0.0.1"}, {"F": "10.1.2"}, {"F": ""}, {"F": 10}, {}}},
	{"cidr v6", `F|cidr: 'fe80::/10'`, []fields{{"F": "fe80::1"}, {"F": "fe80::1%eth0"}, {"F": "FEBF::1"}}, []fields{{"F": "2001:db8::1"}, {"F": "10.0.0.1"}}},
	{"cidr of one address", `F|cidr: 192.0.2.1`, []fields{{"F": "192.0.2.1"}}, []fields{{"F": "192.0.2.2"}}},
	{"cidr list", "F|cidr:\n  - 127.0.0.0/8\n  - ::1/128", []fields{{"F": "127.9.9.9"}, {"F": "::1"}}, []fields{{"F": "::2"}}},
	{"neq cidr", `F|cidr|neq: 127.0.0.0/8`, []fields{{"F": "192.0.2.1"}, {}}, []fields{{"F": "127.0.0.1"}}},
	{"exists", `F|exists: true`, []fields{{"F": "a"}, {"F": ""}, {"F": nil}, {"F": []any{}}}, []fields{{}, {"G": "a"}}},
	{"exists not", `F|exists: false`, []fields{{}, {"G": "a"}}, []fields{{"F": "a"}, {"F": nil}}},
	{"fieldref", `F|fieldref: G`, []fields{{"F": "a", "G": "A"}, {"F": 5, "G": "5"}, {"F": 5, "G": 5.0}, {"F": []string{"a", "b"}, "G": []string{"c", "b"}}}, []fields{{"F": "a", "G": "b"}, {"F": "a"}, {"G": "a"}, {}, {"F": nil, "G": nil}}},
	{"fieldref takes no wildcards from the event", `F|fieldref: G`, []fields{{"F": "a*", "G": "a*"}}, []fields{{"F": "abc", "G": "a*"}}},
	{"fieldref startswith", `F|fieldref|startswith: G`, []fields{{"F": "abc", "G": "AB"}}, []fields{{"F": "abc", "G": "bc"}, {"F": "ab", "G": "abc"}}},
	{"fieldref endswith", `F|fieldref|endswith: G`, []fields{{"F": "abc", "G": "bc"}}, []fields{{"F": "abc", "G": "ab"}}},
	{"fieldref contains", `F|fieldref|contains: G`, []fields{{"F": "abc", "G": "b"}, {"F": 123, "G": 2}}, []fields{{"F": "abc", "G": "x"}}},
	{"fieldref cased", `F|fieldref|cased: G`, []fields{{"F": "a", "G": "a"}}, []fields{{"F": "a", "G": "A"}}},
	{"cased fieldref", `F|cased|fieldref: G`, []fields{{"F": "a", "G": "a"}}, []fields{{"F": "a", "G": "A"}}},
	{"fieldref neq", `F|fieldref|neq: G`, []fields{{"F": "a", "G": "b"}, {"F": "a"}}, []fields{{"F": "a", "G": "a"}}},

	// Order and time.
	{"gt", `F|gt: 5`, []fields{{"F": 6}, {"F": "6"}, {"F": 5.1}, {"F": "1e3"}}, []fields{{"F": 5}, {"F": "5"}, {"F": "abc"}, {"F": ""}, {"F": true}, {"F": "0x10"}, {"F": "inf"}, {}}},
	{"gte", `F|gte: 5`, []fields{{"F": 5}, {"F": 6}, {"F": "5.0"}}, []fields{{"F": 4.9}}},
	{"lt", `F|lt: 5`, []fields{{"F": 4}, {"F": "-6"}}, []fields{{"F": 5}}},
	{"lte", `F|lte: 5.5`, []fields{{"F": 5.5}, {"F": 5}}, []fields{{"F": 6}}},
	{"gt beyond the precision of a float", `F|gt: 9007199254740992`, []fields{{"F": "9007199254740993"}}, []fields{{"F": "9007199254740992"}}},
	{"minute", `F|minute: 30`, []fields{{"F": "2024-05-06T07:30:00Z"}}, []fields{{"F": "2024-05-06T07:31:00Z"}}},
	{"hour, in the zone as written", `F|hour: 7`, []fields{{"F": "2024-05-06T07:08:09.123456789+08:00"}, {"F": "2024-05-06 07:00:00"}}, []fields{{"F": "2024-05-06T08:08:09Z"}, {"F": "2024-05-06T7:08:09Z"}, {"F": "7"}, {"F": 7}, {}}},
	{"hour gte", `F|hour|gte: 22`, []fields{{"F": "2024-05-06T22:00:00Z"}, {"F": "2024-05-06T23:00:00"}}, []fields{{"F": "2024-05-06T21:59:59Z"}}},
	{"day", `F|day: 6`, []fields{{"F": "2024-05-06"}}, []fields{{"F": "2024-05-07"}}},
	{"week", `F|week: 1`, []fields{{"F": "2024-12-30T00:00:00Z"}, {"F": "2024-01-01T00:00:00Z"}}, []fields{{"F": "2024-01-08T00:00:00Z"}}},
	{"month", "F|month:\n  - 5\n  - 6", []fields{{"F": "2024-05-06T00:00:00Z"}}, []fields{{"F": "2024-07-06T00:00:00Z"}}},
	{"year", `F|year|lt: 2024`, []fields{{"F": "2023-12-31T23:59:59Z"}}, []fields{{"F": "2024-01-01T00:00:00Z"}}},

	// Encodings.
	{"base64", `F|base64: 'foobar'`, []fields{{"F": "Zm9vYmFy"}}, []fields{{"F": "foobar"}, {"F": "xZm9vYmFy"}}},
	{"base64 with padding", `F|base64|contains: 'foob'`, []fields{{"F": "echo Zm9vYg== x"}}, []fields{{"F": "echo Zm9vYg"}}},
	{"base64 of an escaped wildcard", `F|base64: 'a\*b'`, []fields{{"F": "YSpi"}}, []fields{{"F": "YVwqYg=="}}},
	{"base64 cased", `F|cased|base64: 'foobar'`, []fields{{"F": "Zm9vYmFy"}}, []fields{{"F": "zm9vymfy"}}},
	{"base64 twice", `F|base64|base64: 'foobar'`, []fields{{"F": "Wm05dlltRnk="}}, []fields{{"F": "Zm9vYmFy"}}},
	{"base64offset contains", `F|base64offset|contains: '/bin/sh'`,
		[]fields{{"F": "L2Jpbi9zaA=="}, {"F": "eC9iaW4vc2g="}, {"F": "eHgvYmluL3No"}, {"F": "L2Jpbi9zaCAteA=="}, {"F": "eC9iaW4vc2ggLXg="}}, []fields{{"F": "L2Jpbi9zeA=="}, {"F": "/bin/sh"}}},
	{"utf16le", `F|utf16le: 'cmd'`, []fields{{"F": "c\x00m\x00d\x00"}}, []fields{{"F": "cmd"}, {"F": "\x00c\x00m\x00d"}}},
	{"wide is utf16le", `F|wide|contains: 'cmd'`, []fields{{"F": "xxc\x00m\x00d\x00"}}, []fields{{"F": "\x00c\x00m\x00d"}}},
	{"utf16be", `F|utf16be: 'cmd'`, []fields{{"F": "\x00c\x00m\x00d"}}, []fields{{"F": "c\x00m\x00d\x00"}}},
	{"utf16 has a byte order mark", `F|utf16: 'cmd'`, []fields{{"F": "\xff\xfec\x00m\x00d\x00"}}, []fields{{"F": "c\x00m\x00d\x00"}}},
	{"utf16 with wildcards", `F|utf16: 'c*d'`, []fields{{"F": "\xff\xfec\x00m\x00d\x00"}}, []fields{{"F": "\xff\xfec\x00m\x00"}}},
	{"wide with wildcards", `F|wide: 'c*'`, []fields{{"F": "c\x00m\x00"}}, []fields{{"F": "cm"}}},
	{"utf16le beyond ASCII", `F|utf16le: 'é'`, []fields{{"F": "\xe9\x00"}}, []fields{{"F": "é"}}},
	{"utf16le base64", `F|utf16le|base64: 'cmd'`, []fields{{"F": "YwBtAGQA"}}, []fields{{"F": "Y21k"}}},
	{"wide base64offset contains", `F|wide|base64offset|contains: 'ping'`, []fields{{"F": "cABpAG4AZwA="}, {"F": "AHAAaQBuAGcA"}}, []fields{{"F": "cGluZw=="}}},
	{"windash", `F|windash|contains: ' -a /b'`, []fields{{"F": "x -a -b"}, {"F": "x /a /b"}, {"F": "x –a —b"}, {"F": "x ―a -b"}}, []fields{{"F": "x _a -b"}}},
	{"windash leaves dashes inside of words", `F|windash: '-a-b/c'`, []fields{{"F": "/a-b/c"}}, []fields{{"F": "-a/b/c"}, {"F": "-a-b-c"}}},
	{"windash contains all", "F|windash|contains|all:\n  - ' -a'\n  - ' -b'", []fields{{"F": "x /b -a"}}, []fields{{"F": "x /a"}}},
	{"contains windash", `F|contains|windash: '-x'`, []fields{{"F": "a /x b"}}, []fields{{"F": "a x b"}}},
	{"percent signs are text without expand", `F: '%name%'`, []fields{{"F": "%NAME%"}}, []fields{{"F": "name"}}},
}

func TestConformance(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			rule := ruleWith(t, c.selection)
			for _, event := range c.matches {
				_, matched := rule.Evaluate(MapEvent(event))
				assert.True(t, matched, "must match %q", event)
			}
			for _, event := range c.others {
				_, matched := rule.Evaluate(MapEvent(event))
				assert.False(t, matched, "must not match %q", event)
			}
		})
	}
}

func TestKeywords(t *testing.T) {
	tests := []struct {
		name, selection string
		texts           []string
		want            bool
	}{
		{"scalar", `'Evil'`, []string{"an evil thing"}, true},
		{"scalar absent", `'evil'`, []string{"a good thing"}, false},
		{"no texts", `'evil'`, nil, false},
		{"list is or", "- evil\n- bad", []string{"so bad"}, true},
		{"wildcards", "- 'rm *log'", []string{"sudo rm -f /var/log/x"}, true},
		{"number", "- 4444", []string{"port 4444"}, true},
		{"all over several texts", "'|all':\n  - evil\n  - bad", []string{"evil", "bad"}, true},
		{"all lacks one", "'|all':\n  - evil\n  - bad", []string{"evil evil"}, false},
		{"cased", "'|cased': Evil", []string{"evil"}, false},
		{"re", "'|re': 'e[uv]il$'", []string{"so evil"}, true},
		{"re is with case", "'|re': 'Evil'", []string{"so evil"}, false},
		{"startswith", "'|startswith': 'so'", []string{"x", "so evil"}, true},
		{"startswith elsewhere", "'|startswith': 'evil'", []string{"so evil"}, false},
		{"base64offset", "'|base64offset': '/bin/sh'", []string{"x eC9iaW4vc2g= x"}, true},
		{"neq", "'|neq': evil", []string{"good"}, true},
		{"neq present", "'|neq': evil", []string{"evil"}, false},
		{"mixed list by keyword", "- evil\n- F: a", []string{"evil"}, true},
		{"mixed list by neither", "- evil\n- F: a", []string{"good"}, false},
		{"keywords and fields in one map", "'|all':\n  - evil\n  - bad\nF: a", []string{"evil bad"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, matched := ruleWith(t, tt.selection).Evaluate(MapEvent(nil, tt.texts...))
			assert.Equal(t, tt.want, matched)
		})
	}
	_, matched := ruleWith(t, "- evil\n- F: a").Evaluate(MapEvent(fields{"F": "a"}))
	assert.True(t, matched, "mixed list by field")
}

func TestExpand(t *testing.T) {
	values := WithPlaceholders(map[string][]string{"admins": {"root", "adm*"}, "dirs": {"/tmp", "/dev/shm"}, "dot": {"a.b"}})
	tests := []struct {
		name, selection string
		value           string
		want            bool
	}{
		{"first value", "F|expand: '%admins%'", "ROOT", true},
		{"wildcard in a value", "F|expand: '%admins%'", "admin", true},
		{"none of the values", "F|expand: '%admins%'", "user", false},
		{"inside of text", "F|expand: '%dirs%/*'", "/dev/shm/x", true},
		{"combinations", "F|expand: '%admins%:%dirs%'", "root:/tmp", true},
		{"wrong combination", "F|expand: '%admins%:%dirs%'", "/tmp:root", false},
		{"escaped percent sign", `F|expand: '\%plain%admins%'`, "%plainroot", true},
		{"before contains", "F|expand|contains: '%dirs%'", "ls /tmp/x", true},
		{"after contains", "F|contains|expand: '%dirs%'", "ls /tmp/x", true},
		{"without placeholder", "F|expand: '50%'", "50%", true},
		{"in a regular expression", "F|re|expand: '^%dirs%/[a-z]+$'", "/dev/shm/x", true},
		{"quoted in a regular expression", "F|re|expand: '^%dot%$'", "aXb", false},
		{"before base64", "F|expand|base64: '%dirs%'", "L3RtcA==", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, matched := ruleWith(t, tt.selection, values).Evaluate(MapEvent(fields{"F": tt.value}))
			assert.Equal(t, tt.want, matched)
		})
	}
}
