// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// scanned gives what an automaton finds in a text, sorted.
func scanned(a *automaton, text string, predicates int) []predicateID {
	s := &Scanner{marks: newBitset(predicates)}
	a.scan([]byte(text), s)
	slices.Sort(s.found)
	return s.found
}

// searched gives what a look for each literal finds.
func searched(literals []automatonLiteral, text string) []predicateID {
	var found []predicateID
	add := func(id predicateID, holds bool) {
		if id != 0 && holds {
			found = append(found, id)
		}
	}
	for _, l := range literals {
		add(l.within, strings.Contains(text, l.text))
		add(l.atStart, strings.HasPrefix(text, l.text))
		add(l.atEnd, strings.HasSuffix(text, l.text))
	}
	slices.Sort(found)
	return found
}

// literalsOf numbers predicates of each text, some of them only.
func literalsOf(texts []string) []automatonLiteral {
	slices.Sort(texts)
	var literals []automatonLiteral
	for i, text := range slices.Compact(texts) {
		id := predicateID(3*i + 1)
		l := automatonLiteral{text, id, id + 1, id + 2}
		if i%2 == 0 {
			l.within = 0
		}
		literals = append(literals, l)
	}
	return literals
}

// apart gives each predicate a literal of its own.
func apart(literals []automatonLiteral) []automatonLiteral {
	var each []automatonLiteral
	for _, l := range slices.Backward(literals) {
		each = append(each, automatonLiteral{text: l.text, atEnd: l.atEnd}, automatonLiteral{text: l.text, atStart: l.atStart},
			automatonLiteral{text: l.text, within: l.within})
	}
	return each
}

func checkAutomaton(t *testing.T, texts []string, in string) {
	t.Helper()
	literals := literalsOf(slices.Clone(texts))
	a := newAutomaton(apart(literals))
	require.Equal(t, len(literals), a.literals())
	require.Equal(t, searched(literals, in), scanned(a, in, 3*len(literals)+4), "%q in %q", texts, in)
}

func TestAutomaton(t *testing.T) {
	for _, c := range []struct {
		texts []string
		in    string
	}{
		{[]string{"A"}, "A"},
		{[]string{"A"}, ""},
		{[]string{"HE", "SHE", "HIS", "HERS"}, "USHERS"},
		{[]string{"AB", "BC", "ABCD", "C"}, "ABCABCD"},
		{[]string{"AA", "AAA", "A"}, "AAAA"},
		{[]string{"\xff", "\xc3\xa9"}, "X\xff\xc3\xa9"},
	} {
		checkAutomaton(t, c.texts, c.in)
	}
}

// Literals of a small alphabet overlap in all ways; those of all bytes fill a row.
func TestAutomatonFindsWhatSearchFinds(t *testing.T) {
	g := newGenerator(5)
	for round := range 300 {
		bytes := 2 + round%5
		if round%10 == 0 {
			bytes = 230
		}
		random := func(longest int) string {
			text := make([]byte, 1+g.IntN(longest))
			for i := range text {
				text[i] = byte(g.IntN(bytes))
			}
			return string(text)
		}
		var texts []string
		for range 1 + g.IntN(60) {
			texts = append(texts, random(6))
		}
		for range 10 {
			checkAutomaton(t, texts, random(60))
		}
	}
}

func FuzzAutomaton(f *testing.F) {
	f.Add("HE SHE HIS HERS", "USHERS")
	f.Add("\x00 \xff\xff", "\xff\xff\x00")
	f.Fuzz(func(t *testing.T, words, in string) {
		// Folded text has no small letters, which leaves room for the classes.
		texts := strings.FieldsFunc(upper(words), func(r rune) bool { return r == ' ' })
		if len(texts) > 0 {
			checkAutomaton(t, texts, upper(in))
		}
	})
}

// upper leaves bytes that are no ASCII letters as they are, unlike package strings.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
