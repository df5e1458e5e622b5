// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each selection holds where the event has the field of its name.
const letters = "a:\n  a|exists: true\nb:\n  b|exists: true\nc:\n  c|exists: true\nsel_1:\n  s1|exists: true\nsel_2:\n  s2|exists: true\n_hid:\n  h|exists: true\n"

func TestConditions(t *testing.T) {
	tests := []struct {
		condition string
		present   string // fields the event has
		want      bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a and b", "a b", true},
		{"a and b", "a", false},
		{"a or b", "b", true},
		{"a or b", "c", false},
		{"not a", "", true},
		{"not a", "a", false},
		{"not not a", "a", true},
		{"NOT a AND b OR c", "b", true},
		{"a Or b", "b", true},
		// or binds least, then and, then not.
		{"a or b and c", "a", true},
		{"a or b and c", "b", false},
		{"a and b or c", "c", true},
		{"(a or b) and c", "a", false},
		{"(a or b) and c", "a c", true},
		{"not a and b", "b", true},
		{"not a and b", "", false},
		{"not (a and b)", "a", true},
		{"not (a and b)", "a b", false},
		{"a and not b", "a", true},
		{"a and(b or c)", "a c", true},
		{"((a))", "a", true},
		{"1 of sel_*", "s2", true},
		{"1 of sel_*", "a", false},
		{"any of sel_*", "s1", true},
		{"all of sel_*", "s1", false},
		{"all of sel_*", "s1 s2", true},
		{"ALL OF sel_*", "s1 s2", true},
		{"1 of *_2", "s2", true},
		{"1 of s*_1", "s1", true},
		{"1 of sel_1", "s1", true},
		{"1 of them", "c", true},
		{"1 of them", "h", false},
		{"1 of *", "h", false},
		{"1 of _*", "h", true},
		{"all of them", "a b c s1 s2", true},
		{"all of them", "a b c s1 h", false},
		{"_hid", "h", true},
		{"a and not 1 of sel_*", "a", true},
		{"a and not 1 of sel_*", "a s1", false},
		{"not 1 of sel_* and a", "a", true},
		{"not all of sel_*", "s1", true},
		{"1 of sel_* or a and b", "a b", true},
		{"[a, b]", "b", true},
		{"[a and b, c]", "a", false},
		{">-\n  a and\n  (\n  b or c)", "a c", true},
	}
	for _, tt := range tests {
		t.Run(tt.condition+" with "+tt.present, func(t *testing.T) {
			event := fields{}
			for _, f := range strings.Fields(tt.present) {
				event[f] = "x"
			}
			_, matched := ruleOf(t, letters+"condition: "+tt.condition).Evaluate(MapEvent(event))
			assert.Equal(t, tt.want, matched)
		})
	}
}

func TestConditionText(t *testing.T) {
	rule := ruleOf(t, letters+"condition: a and (b or not c) and 1 of sel_* or all of them")
	require.Len(t, rule.Conditions, 1)
	assert.Equal(t, "((a and (b or not c) and 1 of sel_*) or all of them)", rule.Conditions[0].String())
	assert.Equal(t, []string{"_hid"}, rule.Unused())
}

func TestMatchNamesWhatContributed(t *testing.T) {
	rule := ruleOf(t, `shell:
  Image|endswith: [/sh, /bash]
  User: root
network:
  - Port|gt: 1000
  - Peer|cidr: 192.0.2.0/24
unmet:
  Image: nothing
unset:
  Title: null
filter:
  User: nobody
words:
  - evil
  - bad
condition:
  - (shell and network and words and not filter) or unmet
  - 1 of un*
  - network`)
	event := MapEvent(fields{"Image": []string{"/bin/dash", "/bin/sh"}, "User": "root", "Port": 4444, "Peer": "192.0.2.7"}, "an evil", "good")
	m, matched := rule.Evaluate(event)
	require.True(t, matched)
	assert.Equal(t, []SelectionMatch{
		{"shell", []FieldMatch{{"Image", "/bin/sh"}, {"User", "root"}}},
		{"network", []FieldMatch{{"Port", int64(4444)}, {"Peer", "192.0.2.7"}}},
		{"words", []FieldMatch{{"", "an evil"}}},
		{"unset", []FieldMatch{{"Title", nil}}},
	}, m.Selections)
	assert.Equal(t, []string{"Image", "Peer", "Port", "Title", "User"}, rule.FieldNames())

	m, matched = rule.Evaluate(MapEvent(fields{"Title": "x"}))
	assert.False(t, matched)
	assert.Empty(t, m.Selections)
}
