// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// The engine says of every event what the rules themselves say.
func TestEqualsRules(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	matches := 0
	for seed := range rounds {
		g := newGenerator(uint64(seed))
		rules, texts := g.rules(12)
		f := newFixture(rules, texts)
		words := samples(rules)
		s := f.engine.NewScanner()
		for range 60 {
			f.check(t, s, g.event(words))
			matches += len(s.Match(f.routes[0]))
		}
	}
	if matches == 0 {
		t.Error("no rule ever matched, so nothing was compared")
	}
}

// FuzzEqualsRules takes a rule and an event of its own, and three generated rules and an event with the seed.
func FuzzEqualsRules(f *testing.F) {
	g := newGenerator(7)
	for seed := range uint64(40) {
		f.Add(g.detection(), []byte(`{"F":["ab",5,null],"G":"Kab","Other":1.5}`), "an evil \xff text", seed)
	}
	f.Fuzz(func(t *testing.T, detection string, encoded []byte, keyword string, seed uint64) {
		g := newGenerator(seed)
		rules, texts := g.rules(3)
		text := ruleText(detection)
		own, _ := sigma.Parse("x.yml", []byte(text))
		for _, r := range own.Rules {
			rules, texts = append(rules, r), append(texts, text)
		}
		fixture := newFixture(rules, texts)
		s := fixture.engine.NewScanner()
		fixture.check(t, s, append(decoded(encoded), datum{"", keyword}))
		words := append(samples(rules), keyword)
		for range 5 {
			fixture.check(t, s, g.event(words))
		}
	})
}

// decoded makes an event of a JSON object of fields; what is no scalar is left out.
func decoded(encoded []byte) plainEvent {
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if decoder.Decode(&fields) != nil {
		return nil
	}
	var e plainEvent
	for field, v := range fields {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, element := range list {
			for _, slot := range slotNames(field) {
				if v, ok := scalarOf(element); ok && slot != "" {
					e = append(e, datum{slot, v})
				}
			}
		}
	}
	return e
}

func scalarOf(v any) (any, bool) {
	switch v := v.(type) {
	case nil, string, bool:
		return v, true
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, true
		}
		f, err := v.Float64()
		return f, err == nil
	}
	return nil, false
}
