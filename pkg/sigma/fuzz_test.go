// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func FuzzParse(f *testing.F) {
	for _, b := range broken {
		f.Add([]byte(b.src))
	}
	for _, c := range conformance {
		f.Add([]byte(ruleText("selection:\n" + indent(c.selection) + "\ncondition: selection")))
	}
	f.Add([]byte("title: F\nlogsource: {product: linux}\nfilter: {rules: any, a: {F: y}, condition: not 1 of them}\n---\nname: g\n" + good +
		"---\n" + correlationText("type: temporal\ntimespan: 1m\ncondition: g and not g")))
	f.Add([]byte("action: global\n---\n" + good + "---\naction: repeat\n...\n%YAML 1.1\n---\naction: reset\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		rules, errs := parseRules("x.yml", src)
		// All that YAML takes for a line break.
		lines := 1 + len(regexp.MustCompile("[\n\r\u0085\u2028\u2029]").FindAllIndex(src, -1))
		for _, r := range rules {
			assert.NotEmpty(t, r.Title)
			assert.NotEmpty(t, r.Selections)
			assert.NotEmpty(t, r.Conditions)
			assert.True(t, 1 <= r.Line && r.Line <= lines, "line %d of %d", r.Line, lines)
			r.Evaluate(MapEvent(nil))
			r.FieldNames()
			r.Unused()
		}
		for _, err := range errs {
			assert.NotEmpty(t, err.Msg)
			assert.NotContains(t, err.Error(), "\n")
			assert.True(t, 0 <= err.Line && err.Line <= lines+1, "line %d of %d: %s", err.Line, lines, err.Msg)
		}
		c, _ := Parse("x.yml", src)
		resolved, faults := c.Resolve()
		assert.Len(t, resolved.Rules, len(c.Rules))
		assert.LessOrEqual(t, len(resolved.Correlations), len(c.Correlations))
		for _, r := range resolved.Rules {
			r.Evaluate(MapEvent(nil))
		}
		for _, err := range faults {
			assert.NotContains(t, err.Error(), "\n")
		}
		again, _ := parseRules("x.yml", src)
		assert.Equal(t, titles(rules), titles(again))
	})
}

func FuzzEvaluate(f *testing.F) {
	for _, c := range conformance {
		for _, event := range append(c.matches, c.others...) {
			if encoded, err := json.Marshal(event); err == nil {
				f.Add("selection:\n"+indent(c.selection)+"\ncondition: selection", encoded, "an evil text")
			}
		}
	}
	f.Add("a:\n- evil\n- F: null\ncondition: [not a, 1 of a*]", []byte(`{"F":[null,{"a":1}]}`), "evil")
	f.Fuzz(func(t *testing.T, detection string, encoded []byte, keyword string) {
		var event map[string]any
		decoder := json.NewDecoder(bytes.NewReader(encoded))
		decoder.UseNumber()
		if decoder.Decode(&event) != nil {
			return
		}
		rules, _ := parseRules("x.yml", []byte(ruleText(detection)))
		for _, r := range rules {
			first, matched := r.Evaluate(MapEvent(event, keyword))
			second, again := r.Evaluate(MapEvent(event, keyword))
			require.Equal(t, matched, again)
			require.Equal(t, first, second)
			if !matched {
				require.Empty(t, first.Selections)
			}
		}
	})
}

func FuzzCondition(f *testing.F) {
	for _, text := range []string{"a", "a and b or not c", "not (a or _d) and 1 of sel_*", "all of them", "((a))", "1 of", "a | count()", "any of _*"} {
		f.Add(text)
	}
	selections := []*Selection{{Name: "a"}, {Name: "b"}, {Name: "_d"}, {Name: "sel_1"}, {Name: "sel_2"}}
	f.Fuzz(func(t *testing.T, text string) {
		tokens := conditionTokens(text)
		require.Equal(t, strings.Join(strings.Fields(text), ""), strings.Join(tokens, ""))
		c, err := parseCondition(tokens, selections, "selection")
		if err != nil {
			require.True(t, 0 <= err.token && err.token <= len(tokens))
			return
		}
		if len(tokens) > maxDepth/2 {
			return // written with all its parentheses it may be too deep
		}
		again, err := parseCondition(conditionTokens(c.String()), selections, "selection")
		require.Nil(t, err, c.String())
		require.Equal(t, c.String(), again.String())
		for truth := range 1 << len(selections) {
			e := &evaluation{done: map[*Selection]selectionResult{}}
			for i, s := range selections {
				e.done[s] = selectionResult{holds: truth>>i&1 == 1}
			}
			require.Equal(t, c.holds(e), again.holds(e))
			if !strings.Contains(strings.ToLower(text), "not") {
				require.Equal(t, c.holds(e), len(c.contributors(e)) > 0 && c.holds(e))
			}
		}
	})
}
