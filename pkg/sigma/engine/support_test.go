// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// ruleText is a whole rule with the given detection section.
func ruleText(detection string) string {
	var b strings.Builder
	b.WriteString("title: A test\nlogsource:\n  product: linux\ndetection:\n")
	for line := range strings.Lines(detection) {
		b.WriteString("  " + line)
	}
	return b.String() + "\n"
}

func parsed(t testing.TB, detection string) *sigma.Rule {
	t.Helper()
	c, errs := sigma.Parse("test.yml", []byte(ruleText(detection)))
	require.Empty(t, errs)
	require.Len(t, c.Rules, 1)
	return c.Rules[0]
}

// meanings says which slots fields mean. Other fields mean the slot of their own name, but for "Nowhere", which means none.
var meanings = map[string][]string{"F": {"f1"}, "G": {"g1", "g2"}, "H": {"f1", "g2"}, "Nowhere": {}}

func slotNames(field string) []string {
	if names, ok := meanings[field]; ok {
		return names
	}
	return []string{field}
}

func binder(b *Builder) func(string) []Slot {
	return func(field string) []Slot {
		var slots []Slot
		for _, name := range slotNames(field) {
			slots = append(slots, b.Slot(name))
		}
		return slots
	}
}

// datum is a value of a slot, or a keyword where the slot is "".
type datum struct {
	slot  string
	value any
}

// plainEvent sees data as rules do, without the engine.
type plainEvent []datum

func (e plainEvent) Lookup(field string) ([]any, bool) {
	var values []any
	for _, name := range slotNames(field) {
		for _, d := range e {
			if d.slot == name && name != "" {
				values = append(values, d.value)
			}
		}
	}
	return values, len(values) > 0
}

func (e plainEvent) Keywords() []string {
	var texts []string
	for _, d := range e {
		if d.slot == "" {
			texts = append(texts, d.value.(string))
		}
	}
	return texts
}

func (e plainEvent) String() string {
	var b strings.Builder
	for _, d := range e {
		fmt.Fprintf(&b, "  %q: %T %#v\n", d.slot, d.value, d.value)
	}
	return b.String()
}

// addTo gives data to a scanner; slots that no rule has are left out.
func (e plainEvent) addTo(s *Scanner) {
	for _, d := range e {
		slot, ok := s.e.Slot(d.slot)
		if d.slot == "" {
			s.AddKeyword(d.value.(string))
			continue
		}
		if !ok {
			continue
		}
		switch v := d.value.(type) {
		case nil:
			s.AddNil(slot)
		case string:
			s.AddString(slot, v)
		case int64:
			s.AddInt(slot, v)
		case float64:
			s.AddFloat(slot, v)
		case bool:
			s.AddBool(slot, v)
		default:
			panic(fmt.Sprintf("%T", v))
		}
	}
}

// fixture is an engine with two routes. Rule i is on route i%3, where 2 means both.
type fixture struct {
	rules  []*sigma.Rule
	texts  []string
	engine *Engine
	routes [2]Route
}

func newFixture(rules []*sigma.Rule, texts []string) *fixture {
	b := NewBuilder()
	f := &fixture{rules: rules, texts: texts, routes: [2]Route{b.Route("zero"), b.Route("one")}}
	for i, r := range rules {
		routes := f.routes[:]
		if i%3 < 2 {
			routes = f.routes[i%3 : i%3+1]
		}
		b.Add(r, binder(b), routes...)
	}
	// What is said to be common must make no difference to what the many rules of the property test match.
	if len(rules) >= 12 {
		b.Common(b.Slot("f1"), 0.5)
	}
	f.engine = b.Build()
	return f
}

// check compares the engine's verdicts with those of the rules themselves. The event is also shown piecemeal, in two parts.
func (f *fixture) check(t testing.TB, s *Scanner, e plainEvent) {
	t.Helper()
	s.Reset()
	half := len(e) / 2
	e[:half].addTo(s)
	f.compare(t, s, e[:half])
	e[half:].addTo(s)
	f.compare(t, s, e)
	s.Reset()
	e.addTo(s)
	f.compare(t, s, e)
	f.checkFixed(t, s, e[:half], e[half:])
}

// checkFixed shows the first part of an event as fixed values, before the others and after them.
func (f *fixture) checkFixed(t testing.TB, s *Scanner, first, others plainEvent) {
	t.Helper()
	s.Reset()
	first.addTo(s)
	fixed := s.Fix()
	f.compare(t, s, first)
	s.Reset()
	s.AddFixed(fixed)
	others.addTo(s)
	f.compare(t, s, slices.Concat(first, others))
	s.Reset()
	others.addTo(s)
	f.compare(t, s, others)
	s.AddFixed(fixed)
	f.compare(t, s, slices.Concat(others, first))
}

func (f *fixture) compare(t testing.TB, s *Scanner, e plainEvent) {
	t.Helper()
	for r, route := range f.routes {
		ids := s.Match(route)
		for i, rule := range f.rules {
			want, matched := rule.Evaluate(e)
			on := i%3 == r || i%3 == 2
			if slices.Contains(ids, i) != (matched && on) {
				t.Fatalf("engine says %t, rule says %t\n%s%s", !matched, matched, f.textOf(i), e)
			}
			if matched && on {
				seen, _ := rule.Evaluate(s.Event(i))
				for _, got := range []sigma.Match{seen, s.Explain(i)} {
					require.Equal(t, fmt.Sprintf("%#v", want), fmt.Sprintf("%#v", got), "%s%s", f.textOf(i), e) // NaN is not equal to itself
				}
			}
		}
	}
}

func (f *fixture) textOf(i int) string {
	if f.texts != nil {
		return f.texts[i]
	}
	return fmt.Sprintf("%s:%d\n", f.rules[i].File, f.rules[i].Line)
}

// corpus reads the public Linux rules of the Sigma project, which are not part of this repository.
func corpus(t testing.TB) []*sigma.Rule {
	dir := os.Getenv("VEDETTE_SIGMA_DIR")
	if dir == "" {
		dir = "../../../../shared/sigma-linux"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no Sigma rules to try: set VEDETTE_SIGMA_DIR to a directory with them (%v)", err)
	}
	c, _ := sigma.ParseDir(dir)
	require.NotEmpty(t, c.Rules, "no rule in %s", dir)
	return c.Rules
}

func ownRules(t testing.TB) []*sigma.Rule {
	c, errs := sigma.ParseDir("../../../config/rules")
	require.Empty(t, errs)
	return c.Rules
}

func quoted(s string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic(err) // a string can be encoded
	}
	return strings.TrimSpace(b.String())
}
