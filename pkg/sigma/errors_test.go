// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

const good = "title: Good\nlogsource: {product: linux}\ndetection: {a: {F: x}, condition: a}\n"

// broken holds files with something wrong; what is said about each is in testdata/errors.golden.
var broken = []struct{ name, src string }{
	{"yaml syntax", "title: x\ndetection: [a\n"},
	{"yaml syntax in the second of three documents", good + "---\ntitle: 'x\n---\n" + good},
	{"yaml tab", "title: x\n\tlevel: low\n"},
	{"unknown anchor", "title: *nowhere\n"},
	{"control character", "title: \"a\x01b\"\n"},
	{"not UTF-8", "title: \xff\n"},
	{"not a map", "- title: x\n"},
	{"a scalar", "just text\n"},
	{"everything missing", "title: x\n"},
	{"nothing but an id", "id: x\n"},
	{"keys twice", good + "title: Again\nlogsource: {}\n"},
	{"field twice in a selection", ruleText("a:\n  F: x\n  G: y\n  F: z\ncondition: a")},
	{"types of attributes", "title: 5\nid: [x]\nstatus: done\nlevel: severe\ndate: tomorrow\nmodified: 2024-13-40\ntags: attack.t1059\nreferences: [{a: b}]\nauthor: null\nlogsource: linux\ndetection: none\n"},
	{"empty title", strings.Replace(good, "Good", "' '", 1)},
	{"long title", strings.Replace(good, "Good", strings.Repeat("x", 257), 1)},
	{"empty logsource", "title: x\nlogsource:\n  definition: x\n  category: 5\ndetection: {a: {F: x}, condition: a}\n---\ntitle: x\nlogsource:\n  definition: x\ndetection: {a: {F: x}, condition: a}\n"},
	{"no condition", "title: x\nlogsource: {product: linux}\ndetection:\n  a: {F: x}\n"},
	{"no selection", "title: x\nlogsource: {product: linux}\ndetection:\n  condition: a\n"},
	{"empty selections", ruleText("a: {}\nb: []\nc:\nd: ''\ne: [x, '']\nf: [[x]]\ng: [null]\ncondition: 1 of them")},
	{"names of selections", ruleText("and: {F: x}\na b: {F: x}\nc*: {F: x}\n? [d]\n: {F: x}\ncondition: 1 of them")},
	{"merge key", "title: x\nlogsource: {product: linux}\ndetection:\n  a: &base {F: x}\n  b:\n    <<: *base\n  condition: a\n"},
	{"values", ruleText("a:\n  F: {x: y}\n  G: []\n  H: [x, [y]]\n  I: [x, null]\n  J: 18446744073709551616\n  K: .inf\n  L: !!binary eA==\n  M: !own x\n  '': x\ncondition: a")},
	{"unknown modifier", ruleText("a:\n  F|contain: x\ncondition: a")},
	{"modifier that is empty", ruleText("a:\n  F|: x\ncondition: a")},
	{"modifiers that exclude each other", ruleText("a:\n  F|contains|startswith: x\n  G|contains|contains: x\ncondition: a")},
	{"modifiers in a wrong order", ruleText("a:\n  F|i|re: x\n  G|contains|re: x\n  H|contains|base64: x\n  I|wide|cidr: 10.0.0.0/8\n  J|contains|fieldref: x\n  K|gte|hour: 5\ncondition: a")},
	{"modifiers on wrong values", ruleText("a:\n  A|contains: null\n  B|exists: 'true'\n  C|exists: [true, false]\n  D|gt: '5'\n  E|hour: 24\n  F|minute: 1.5\n  G|base64: 'a*'\n  H|base64offset: 'a'\n  I|base64: ''\n  J|fieldref: ''\n  K|re: null\n  L|re|cased: x\n  M|windash: '-a -b -c -d -e'\n  N|week: 0\n  O|fieldref: 'a?'\ncondition: a")},
	{"modifiers on what others made", ruleText("a:\n  A|cidr|contains: 10.0.0.0/8\n  B|exists|cased: true\n  C|gt|contains: 5\n  D|hour|windash: 5\n  E|fieldref|base64: x\n  F|re|wide: x\n  G|re|utf16: x\n  H|exists|expand: true\n  I|re|re: x\ncondition: a")},
	{"a date as a map", strings.Replace(good, "{F: x}", "2024-01-02", 1) + "level: 2024-01-02\nstatus: true\ndedup: {key: [a], window: 2024-01-02}\n"},
	{"long text", good + "level: " + strings.Repeat("x", 100) + "\n"},
	{"networks", ruleText("a:\n  F|cidr: 10.0.0.0/33\n  G|cidr: 10.1.2.3/8\n  H|cidr: 10.*\n  I|cidr: fe80::1%eth0\ncondition: a")},
	{"regular expressions", ruleText("a:\n  F|re: '(?<=x)y'\n  G|re: '(a)\\1'\n  H|re: 'a)(b'\n  I|re: '[z-a]'\n  J|re: 'a{2000}'\n  K|re|i: 'a)('\ncondition: a")},
	{"placeholder", ruleText("a:\n  F|expand: '%admins%'\n  G|re|expand: '%admins%'\ncondition: a")},
	{"keywords that need a field", ruleText("a:\n  '|exists': true\nb:\n  '|cidr': 10.0.0.0/8\nc:\n  '|gt': 5\nd:\n  '|re': null\ncondition: a")},
	{"unknown selection", ruleText("a: {F: x}\ncondition: a and bee")},
	{"pattern of nothing", ruleText("a: {F: x}\ncondition: a or 1 of sel_*")},
	{"pattern of another case", ruleText("sel: {F: x}\ncondition: 1 of SEL*")},
	{"selection of another case", ruleText("sel: {F: x}\ncondition: SEL")},
	{"pattern without quantifier", ruleText("a: {F: x}\ncondition: a*")},
	{"unknown quantifier", ruleText("a: {F: x}\ncondition: 2 of a*")},
	{"nothing after of", ruleText("a: {F: x}\ncondition: 1 of")},
	{"operator after of", ruleText("a: {F: x}\ncondition: 1 of (a)")},
	{"operator at the end", ruleText("a: {F: x}\ncondition: a and")},
	{"operator at the beginning", ruleText("a: {F: x}\ncondition: or a")},
	{"two operators", ruleText("a: {F: x}\ncondition: a and or a")},
	{"no operator", ruleText("a: {F: x}\ncondition: a a")},
	{"parenthesis not closed", ruleText("a: {F: x}\ncondition: (a and (a)")},
	{"parenthesis not opened", ruleText("a: {F: x}\ncondition: a)")},
	{"empty parentheses", ruleText("a: {F: x}\ncondition: ()")},
	{"empty condition", ruleText("a: {F: x}\ncondition: ''")},
	{"no conditions", ruleText("a: {F: x}\ncondition: []")},
	{"types of conditions", ruleText("a: {F: x}\ncondition: [a, 5, {b: c}, d]")},
	{"deep condition", ruleText("a: {F: x}\ncondition: " + strings.Repeat("(", 300) + "a" + strings.Repeat(")", 300))},
	{"deep negation", ruleText("a: {F: x}\ncondition: " + strings.Repeat("not ", 300) + "a")},
	{"aggregation", ruleText("a: {F: x}\ncondition: a | count() by host > 5")},
	{"place in a folded condition", ruleText("a: {F: x}\ncondition: >-\n  a and\n  (a or\n    bee)")},
	{"place in a literal condition", ruleText("a: {F: x}\ncondition: |\n  a and\n  bee")},
	{"place in a quoted condition", ruleText("a: {F: x}\ncondition: 'a and\n\n  bee'")},
	{"place in a plain condition of several lines", ruleText("a: {F: x}\ncondition:\n  a\n  and bee")},
	{"place in an escaped condition", ruleText("a: {F: x}\ncondition: \"a and \\x62ee\"")},
	{"place after characters beyond ASCII", ruleText("ä: {F: x}\ncondition: [ä, ä and bee]")},
	{"correlation and filter without all they need", good + "---\ntitle: x\ncorrelation:\n  type: event_count\n---\ntitle: x\nlogsource: {product: linux}\nfilter: {rules: any}\n---\n" + good},
	{"correlation that is empty", "correlation: {}\n"},
	{"correlation that is no map", "title: x\ncorrelation: [x]\n"},
	{"correlation with a detection", correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {gte: 5}") + "detection: {a: {F: x}, condition: a}\n"},
	{"unknown type of correlation", correlationText("type: count\nrules: a\ntimespan: 1m\ncondition: {gte: 5}")},
	{"unknown key of a correlation", correlationText("type: event_count\nrules: a\ngroupby: F\ntimespan: 1m\ncondition: {gte: 5}")},
	{"types in a correlation", correlationText("type: [x]\nrules: [a, 5, '', a]\ngroup-by: [F, {a: b}, F, '']\ntimespan: 60\naliases: {x: y, z: {a: 5}}\ngenerate: maybe")},
	{"no rules", correlationText("type: event_count\nrules: []\ntimespan: 1m\ncondition: {gte: 5}") + "---\n" + correlationText("type: temporal\ntimespan: 1m")},
	{"time spans", correlationText("type: event_count\nrules: a\ntimespan: 0s\ncondition: {gte: 5}") + "---\n" + correlationText("type: event_count\nrules: a\ntimespan: 1H\ncondition: {gte: 5}") +
		"---\n" + correlationText("type: event_count\nrules: a\ntimespan: 11y\ncondition: {gte: 5}") + "---\n" + correlationText("type: event_count\nrules: a\ntimespan: 1h30m\ncondition: {gte: 5}")},
	{"no condition of a correlation", correlationText("type: value_sum\nrules: a\ntimespan: 1m")},
	{"conditions of wrong types", correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: a and b") + "---\n" + correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {gte: x, lt: 1.5, eq: -1, neq: .inf}")},
	{"conditions without a comparison", correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {}") + "---\n" + correlationText("type: value_avg\nrules: a\ntimespan: 1m\ncondition: {field: F}")},
	{"keys of a condition that mean nothing", correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {field: F, gte: 5}") +
		"---\n" + correlationText("type: value_count\nrules: a\ntimespan: 1m\ncondition: {field: F, percentile: 5, gte: 5}") +
		"---\n" + correlationText("type: first_seen\nrules: a\ntimespan: 1m\ncondition: {field: F, gte: 5}") +
		"---\n" + correlationText("type: value_percentile\nrules: a\ntimespan: 1m\ncondition: {field: F, percent: 5, gte: 5}")},
	{"fields that are missing", correlationText("type: value_count\nrules: a\ntimespan: 1m\ncondition: {gte: 5}") + "---\n" + correlationText("type: value_percentile\nrules: a\ntimespan: 1m\ncondition: {gte: 5}") +
		"---\n" + correlationText("type: first_seen\nrules: a\ntimespan: 1m\ncondition: {learn: 1d}") + "---\n" + correlationText("type: value_sum\nrules: a\ntimespan: 1m\ncondition: {field: [F, G], gte: 5}")},
	{"conditions that never hold", correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {lt: 1}") + "---\n" + correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {gt: 5, lt: 6}") +
		"---\n" + correlationText("type: temporal\nrules: [a, b]\ntimespan: 1m\ncondition: {gte: 3}") + "---\n" + correlationText("type: value_sum\nrules: a\ntimespan: 1m\ncondition: {field: F, gte: 5, lt: 5}")},
	{"percentile out of range", correlationText("type: value_percentile\nrules: a\ntimespan: 1m\ncondition: {field: F, percentile: 101, gte: 5}")},
	{"expressions", correlationText("type: temporal\nrules: [a, b]\ntimespan: 1m\ncondition: a and c") + "---\n" + correlationText("type: temporal\nrules: [a, b]\ntimespan: 1m\ncondition: a or a") +
		"---\n" + correlationText("type: temporal\ntimespan: 1m\ncondition: not (a or b)") + "---\n" + correlationText("type: temporal\ntimespan: 1m\ncondition: ''") +
		"---\n" + correlationText("type: temporal\ntimespan: 1m\ncondition: a and and b")},
	{"absence in an order", correlationText("type: temporal_ordered\ntimespan: 1m\ncondition: a and NOT b") + "---\n" + correlationText("type: temporal_ordered\nrules: [a, b]\ntimespan: 1m\ncondition: {lt: 2}")},
	{"tests of a correlation", correlationText("type: event_count\nrules: a\ntimespan: 1m\ncondition: {gte: 5}") +
		"tests:\n  - name: x\n  - name: y\n    events: [{at: 5, event: x, times: 0, every: -1s, what: x}, {at: 1s}]\n    fires: [soon]\n    match: true\n"},
	{"filter that is no map", "title: x\nlogsource: {product: linux}\nfilter: x\n"},
	{"filter without a log source", "title: x\nfilter: {rules: any, a: {F: x}, condition: a}\n"},
	{"filter with a detection", "title: x\nlogsource: {product: linux}\nfilter: {rules: any, a: {F: x}, condition: a}\ndetection: {a: {F: x}, condition: a}\n"},
	{"rules of filters", "title: x\nlogsource: {product: linux}\nfilter: {a: {F: x}, condition: a}\n---\ntitle: x\nlogsource: {product: linux}\nfilter: {rules: [], a: {F: x}, condition: a}\n---\ntitle: x\nlogsource: {product: linux}\nfilter: {rules: [x, x, 5], a: {F: x}, condition: a}\n"},
	{"conditions of filters", "title: x\nlogsource: {product: linux}\nfilter: {rules: any, a: {F: x}, condition: [a]}\n---\ntitle: x\nlogsource: {product: linux}\nfilter: {rules: any, a: {F: x}, condition: b}\n---\ntitle: x\nlogsource: {product: linux}\nfilter: {rules: any, condition: b}\n"},
	{"related rules", good + "related: [{id: x}, {id: 5, type: copied}, x]\ntaxonomy: 5\nscope: server\n"},
	{"unknown action", "action: globl\ntitle: x\n---\n" + good},
	{"repeat of nothing", "action: repeat\ntitle: x\n"},
	{"error in a global document", "action: global\nlevel: severe\n---\n" + good + "---\n" + good},
	{"own keys", good + "output: [x]\nresponse: kill\nrisk: 101\ndedup: {groups: x, key: a, window: 10}\ntests:\n  - name: x\n    match: maybe\n    event: {F: {a: b}, G: [[x]]}\n    wanted: true\n  - x\n"},
	{"own keys incomplete", good + "dedup: {group: x}\ntests: [{name: x}]\n"},
	{"own keys of wrong types", good + "dedup: {key: [1], window: -5m}\nrisk: 1.5\ntests: no\n"},
}

func TestErrors(t *testing.T) {
	var out strings.Builder
	for _, b := range broken {
		_, errs := parseRules("rule.yml", []byte(b.src))
		assert.NotEmpty(t, errs, b.name)
		fmt.Fprintf(&out, "== %s\n", b.name)
		for _, err := range errs {
			assert.NotContains(t, err.Error(), "\n", b.name)
			fmt.Fprintln(&out, err)
		}
	}
	const golden = "testdata/errors.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), out.String())
}

func TestBadDocumentsLeaveTheGoodOnes(t *testing.T) {
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			alone, _ := parseRules("rule.yml", []byte(b.src))
			among, errs := parseRules("rule.yml", []byte(good+"---\n"+b.src+"\n---\naction: reset\n---\n"+good))
			if b.name == "not UTF-8" {
				assert.Empty(t, among)
				return
			}
			if b.name == "repeat of nothing" { // here there is something to repeat
				assert.Len(t, among, 3)
				return
			}
			assert.Len(t, among, len(alone)+2)
			assert.NotEmpty(t, errs)
		})
	}
}
