// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExplain(t *testing.T) {
	r := ruleOf(t, `tool:
  Image|endswith: [/nmap, /masscan]
  User|neq: root
other:
  - Image: /bin/x
  - ProcessId: 7
words: [alpha, beta]
absent: {Tty: null}
condition: tool and words and not 1 of other*`)
	x := r.Explain(MapEvent(map[string]any{"Image": "/usr/bin/nmap", "ProcessId": 7, "User": []any{}}, "beta gamma"))
	assert.False(t, x.Matched)
	require.Len(t, x.Conditions, 1)
	assert.False(t, x.Conditions[0].Holds)
	held := map[string]bool{}
	for _, s := range x.Selections {
		held[s.Selection.Name] = s.Holds
	}
	assert.Equal(t, map[string]bool{"tool": true, "other": true, "words": true, "absent": true}, held)

	tool := x.Selections[0].Alternatives[0].Items
	assert.Equal(t, []bool{true, false}, tool[0].Held)
	assert.Equal(t, []any{"/usr/bin/nmap"}, tool[0].Found)
	assert.Equal(t, ItemExplanation{Item: tool[1].Item, Holds: true, Present: true, Held: []bool{false}}, tool[1], "neq turns the verdict round")
	other := x.Selections[1].Alternatives
	assert.False(t, other[0].Holds)
	assert.True(t, other[1].Holds)
	assert.Equal(t, []any{"beta gamma"}, x.Selections[2].Alternatives[0].Items[0].Found)
	assert.Equal(t, []bool{false, true}, x.Selections[2].Alternatives[0].Items[0].Held)
	assert.False(t, x.Selections[3].Alternatives[0].Items[0].Present)
}

// checkExplanation wants of an explanation that it agrees with the verdict, and its parts with each other.
func checkExplanation(t *testing.T, r *Rule, ev Event) {
	t.Helper()
	match, matched := r.Evaluate(ev)
	x := r.Explain(ev)
	require.Equal(t, matched, x.Matched)
	holds := map[string]bool{}
	for _, s := range x.Selections {
		holds[s.Selection.Name] = s.Holds
		some := false
		for _, a := range s.Alternatives {
			all := true
			for _, item := range a.Items {
				all = all && item.Holds
				require.Len(t, item.Held, len(item.Item.Values))
			}
			require.Equal(t, a.Holds, all, s.Selection.Name)
			some = some || all
		}
		require.Equal(t, s.Holds, some, s.Selection.Name)
	}
	some := false
	for _, c := range x.Conditions {
		some = some || c.Holds
	}
	require.Equal(t, matched, some)
	for _, s := range match.Selections {
		require.True(t, holds[s.Name], s.Name)
	}
}

func TestExplainAgreesWithEvaluateOnTheCorpus(t *testing.T) {
	rules, _ := corpus(t)
	events := []Event{MapEvent(nil)}
	for _, r := range rules {
		if event, _, ok := synthesise(r); ok {
			events = append(events, event)
		}
	}
	for i, r := range rules {
		for j := range 20 {
			checkExplanation(t, r, events[(i+j*j)%len(events)])
		}
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("selection:\n  Image|endswith: [a, b]\n  User|neq: root\ncondition: not selection", "Image", "xa", "key")
	f.Add("a: [x, 'y*']\nb: {Image|all|contains: [a, b]}\ncondition: 1 of them", "Image", "", "xy")
	f.Fuzz(func(t *testing.T, detection, field, value, keyword string) {
		rules, _ := parseRules("fuzz.yml", []byte(ruleText(detection)))
		for _, r := range rules {
			for _, ev := range []Event{MapEvent(nil), MapEvent(map[string]any{field: value}, keyword), MapEvent(map[string]any{field: []any{value, 1, nil}})} {
				checkExplanation(t, r, ev)
			}
		}
	})
}
