// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRoutes(t *testing.T) {
	b := NewBuilder()
	exec, open := b.Route("exec"), b.Route("open")
	assert.Equal(t, exec, b.Route("exec"))
	rule := parsed(t, "selection:\n  F: evil\n  Extra|neq: x\ncondition: selection")
	first := b.Add(rule, binder(b), exec, exec)
	second := b.Add(rule, binder(b), exec, open)
	nowhere := b.Add(rule, binder(b))
	assert.Equal(t, []int{0, 1, 2}, []int{first, second, nowhere})
	words := b.Add(parsed(t, "keywords:\n  - evil\ncondition: keywords"), binder(b), open)
	e := b.Build()

	slot, ok := e.Slot("f1")
	require.True(t, ok)
	_, ok = e.Slot("g1")
	assert.False(t, ok, "no rule reads it")
	_, ok = e.Slot("")
	assert.False(t, ok, "keywords are no slot to be asked for")
	extra, _ := e.Slot("Extra")
	assert.Equal(t, []Slot{slot, extra}, e.Needs(exec))
	assert.Equal(t, "f1", e.SlotName(slot))
	assert.False(t, e.NeedsKeywords(exec))
	assert.True(t, e.NeedsKeywords(open))
	route, ok := e.Route("open")
	assert.True(t, ok)
	assert.Equal(t, open, route)
	_, ok = e.Route("close")
	assert.False(t, ok)
	assert.Same(t, rule, e.Rule(second))

	s := e.Acquire()
	defer s.Release()
	s.AddString(slot, "EVIL")
	assert.Equal(t, []int{first, second}, s.Match(exec))
	assert.Equal(t, []int{second}, s.Match(open))
	s.AddKeyword("an evil text")
	assert.Equal(t, []int{second, words}, s.Match(open))
	s.AddString(extra, "x")
	assert.Equal(t, []int{words}, s.Match(open), "values may be added later")
	s.Reset()
	assert.Empty(t, s.Match(exec))
}

func TestEventShowsFieldsOfMessages(t *testing.T) {
	b := NewBuilder()
	route := b.Route("exec")
	id := b.Add(parsed(t, "selection:\n  F: evil\ncondition: selection"), binder(b), route)
	b.Show(id, binder(b), "G", "F", "")
	e := b.Build()
	slots := map[string]Slot{}
	for _, name := range []string{"f1", "g1", "g2"} {
		slot, ok := e.Slot(name)
		require.True(t, ok, name)
		slots[name] = slot
	}
	assert.Equal(t, []Slot{slots["f1"]}, e.Needs(route), "what is shown only is not needed for judging")

	s := e.NewScanner()
	s.AddString(slots["f1"], "evil")
	s.AddInt(slots["g2"], 2)
	s.AddFloat(slots["g1"], 1.5)
	s.AddBool(slots["g1"], true)
	s.AddNil(slots["g1"])
	s.AddKeyword("text")
	require.Equal(t, []int{id}, s.Match(route))
	ev := s.Event(id)
	values, ok := ev.Lookup("G")
	assert.True(t, ok)
	assert.Equal(t, []any{1.5, true, nil, int64(2)}, values, "in the order of the slots")
	_, ok = ev.Lookup("H")
	assert.False(t, ok, "not bound")
	_, ok = ev.Lookup("")
	assert.False(t, ok)
	assert.Equal(t, []string{"text"}, ev.Keywords())
}

// A rule without a condition that needs text is asked about every event; the others are found by their text.
func TestStats(t *testing.T) {
	f := newFixture([]*sigma.Rule{
		parsed(t, "a:\n  F|contains: evil\ncondition: a"),
		parsed(t, "a:\n  F|contains: evil\ncondition: not a"),
		parsed(t, "a:\n  F|neq: evil\n  G|re: 'x[0-9]+secret'\nb:\n  F|endswith: evil\ncondition: a and not b"),
	}, nil)
	stats := f.engine.Stats()
	assert.Equal(t, 3, stats.Rules)
	assert.Equal(t, 1, stats.Unindexed)
	assert.Equal(t, 2+1+1+1+1+1, stats.Predicates, "two ends of evil, evil itself, and for each slot of G the expression and its text")
	assert.Equal(t, 3, stats.Literals)
	assert.Positive(t, stats.States)
	assert.Positive(t, stats.Bytes)
}

// Predicates and literals are shared between rules.
func TestSharing(t *testing.T) {
	rule := parsed(t, "a:\n  F|contains:\n    - evil\n    - wicked\n  G|re: 'x+y'\ncondition: a")
	once := newFixture([]*sigma.Rule{rule}, nil).engine.Stats()
	often := newFixture([]*sigma.Rule{rule, rule, rule, rule}, nil).engine.Stats()
	assert.Equal(t, once.Predicates, often.Predicates)
	assert.Equal(t, once.States, often.States)
}

// A literal that is not valid UTF-8 must not be found within a character, where its bytes are.
func TestLiteralsOfBytes(t *testing.T) {
	rules := []*sigma.Rule{
		parsed(t, "a:\n  F|utf16be|contains: 'é'\ncondition: a"),
		parsed(t, "a:\n  F|utf16be|startswith: 'é'\ncondition: a"),
		parsed(t, "a:\n  F|utf16be|cased|contains: 'é?K'\ncondition: a"),
	}
	f := newFixture(rules, make([]string, len(rules)))
	s := f.engine.NewScanner()
	for _, text := range []string{"\x00\xe9", "\x00\xe9\xbf", "\x00\xe9\xbf\xbf", "\x00\u9fff", "x\x00\xe9", "\x00\xe9x\x00K", "\x00\u9fff\x00K", "\x00\xe9x\x00k"} {
		f.check(t, s, plainEvent{{"f1", text}})
	}
	f.check(t, s, nil)
	s.Reset()
	plainEvent{{"f1", "\x00\xe9"}}.addTo(s)
	assert.Equal(t, []int{0}, s.Match(f.routes[0]))
}

// Strings are remembered by a scanner, up to limits; what it says stays the same.
func TestMemo(t *testing.T) {
	f := newFixture([]*sigma.Rule{parsed(t, "a:\n  F|contains: evil\ncondition: a")}, []string{""})
	s := f.engine.NewScanner()
	long := strings.Repeat("x", memoLength)
	for i := range 3 * memoTrial {
		f.check(t, s, plainEvent{{"f1", fmt.Sprintf("evil%d", i)}, {"f1", fmt.Sprintf("good%d", i%7)}})
	}
	for range 3 {
		f.check(t, s, plainEvent{{"f1", "evil"}, {"f1", "good"}, {"f1", long + "evil"}, {"f1", ""}})
	}
	slot, _ := f.engine.Slot("f1")
	assert.Len(t, s.memos[slot].entries, memoEntries)
}

func TestArenaIsNotKept(t *testing.T) {
	f := newFixture([]*sigma.Rule{parsed(t, "a:\n  F|contains: evil\ncondition: a")}, []string{""})
	s := f.engine.NewScanner()
	f.check(t, s, plainEvent{{"f1", strings.Repeat("x", 2*maxArena) + "EVIL"}})
	s.Reset()
	assert.Zero(t, cap(s.arena))
}

// Several goroutines judge by one engine, each as if it were alone.
func TestConcurrentScanners(t *testing.T) {
	g := newGenerator(11)
	rules, texts := g.rules(20)
	f := newFixture(rules, texts)
	words := samples(rules)
	var wg sync.WaitGroup
	for worker := range uint64(4) {
		wg.Go(func() {
			g := newGenerator(100 + worker)
			for range 40 {
				s := f.engine.Acquire()
				f.check(t, s, g.event(words))
				s.Release()
			}
		})
	}
	wg.Wait()
}

// An event that no rule matches costs no memory.
func TestNoAllocations(t *testing.T) {
	f := newFixture([]*sigma.Rule{
		parsed(t, "a:\n  F|contains:\n    - evil\n    - 'w*k?d'\ncondition: a"),
		parsed(t, "a:\n  F|re: 'ev[aeiou]l+'\n  G|cidr: 10.0.0.0/8\ncondition: a"),
		parsed(t, "a:\n  G|gt: 1000\n  F|cased|contains: 'Evil'\ncondition: a"),
		parsed(t, "a:\n  F|exists: true\n  G: null\ncondition: a"),
		parsed(t, "a:\n  G|re: '^[0-9]{7,}$'\ncondition: not a and not keywords\nkeywords:\n  - good"),
	}, nil)
	s := f.engine.NewScanner()
	one, _ := f.engine.Slot("f1")
	two, _ := f.engine.Slot("g2")
	for _, event := range []func(){
		func() { s.AddString(one, "/usr/bin/EVEL wxckd Ünïcode"); s.AddInt(two, 999) },
		func() { s.AddString(one, "evul"); s.AddString(two, "192.168.1.1") },
		func() { s.AddString(one, "EVIL"[1:]); s.AddFloat(two, 1.5); s.AddBool(two, true) },
	} {
		judge := func() {
			s.Reset()
			s.AddKeyword("good")
			event()
			assert.Empty(t, s.Match(f.routes[0]))
			s.Match(f.routes[1])
		}
		judge()
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			s.Reset()
			s.AddKeyword("good")
			event()
			s.Match(f.routes[0])
			s.Match(f.routes[1])
		}))
	}
}
