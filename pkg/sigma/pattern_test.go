// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A second reading of Sigma text, from its end: one that shares nothing with parsePattern and match. A pattern is a list of
// sets of characters; nil stands for a star.
type charSet func(rune) bool

func oraclePattern(s string, cased bool) []charSet {
	var sets []charSet
	for s != "" {
		r := []rune(s)[0]
		size := len(string(r))
		switch {
		case strings.HasPrefix(s, `\*`), strings.HasPrefix(s, `\?`), strings.HasPrefix(s, `\\`):
			r, size = rune(s[1]), 2
			fallthrough
		default:
			sets = append(sets, oracleChar(r, cased))
		case r == '*':
			sets = append(sets, nil)
		case r == '?':
			sets = append(sets, func(rune) bool { return true })
		}
		s = s[size:]
	}
	return sets
}

func oracleChar(want rune, cased bool) charSet {
	return func(r rune) bool {
		return r == want || !cased && strings.EqualFold(string(r), string(want))
	}
}

// oracleMatch fills a table: can the first i sets cover the first j characters?
func oracleMatch(sets []charSet, s []rune) bool {
	reach := make([][]bool, len(sets)+1)
	for i := range reach {
		reach[i] = make([]bool, len(s)+1)
		for j := range reach[i] {
			switch {
			case i == 0:
				reach[i][j] = j == 0
			case sets[i-1] == nil:
				reach[i][j] = reach[i-1][j] || j > 0 && reach[i][j-1]
			default:
				reach[i][j] = j > 0 && reach[i-1][j-1] && sets[i-1](s[j-1])
			}
		}
	}
	return reach[len(sets)][len(s)]
}

func randomText(random *rand.Rand, alphabet []rune, most int) string {
	text := make([]rune, random.IntN(most+1))
	for i := range text {
		text[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(text)
}

func TestWildcardsAgainstOracle(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	letters := []rune{'a', 'A', 'b', '\\', '*', '?', 'é', 'É', '\u212a'} // the last is the Kelvin sign, which folds to k
	signs := append([]rune{'*', '*', '?', '\\', 'k'}, letters...)
	matches := 0
	for range 30_000 {
		source, s, cased := randomText(random, signs, 8), randomText(random, letters, 10), random.IntN(2) == 0
		p := parsePattern(source)
		p.Cased = cased
		want := oracleMatch(oraclePattern(source, cased), []rune(s))
		require.Equal(t, want, p.match(s), "pattern %q cased %v text %q", source, cased, s)
		if want {
			matches++
		}
		again := parsePattern(p.String())
		require.Equal(t, p.Parts, again.Parts, "pattern %q written as %q", source, p.String())
		if cased {
			re := regexp.MustCompile(`\A` + p.regexp() + `\z`)
			require.Equal(t, want, re.MatchString(s), "pattern %q as a regular expression, text %q", source, s)
		}
	}
	assert.Greater(t, matches, 1000, "the texts must be such that many match")
}

func TestFoldAgreesWithEqualFold(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		f := fold(r)
		if f != r && !strings.EqualFold(string(f), string(r)) {
			t.Fatalf("%q folds to %q", r, f)
		}
		if next := unicode.SimpleFold(r); fold(next) != f {
			t.Fatalf("%q and %q fold apart", r, next)
		}
	}
}

// A pattern of many stars takes time in proportion to pattern and text; an exponential one would not end.
func TestManyStars(t *testing.T) {
	p := parsePattern(strings.Repeat("*a", 500) + "*b")
	assert.False(t, p.match(strings.Repeat("a", 5000)))
	assert.True(t, p.match(strings.Repeat("a", 5000)+"b"))
}

func TestPatternParts(t *testing.T) {
	lit := func(s string) Part { return Part{Literal, s} }
	run, one := Part{Kind: AnyRun}, Part{Kind: AnyChar}
	tests := []struct {
		source string
		parts  []Part
	}{
		{``, nil},
		{`a`, []Part{lit(`a`)}},
		{`*a?`, []Part{run, lit(`a`), one}},
		{`\*`, []Part{lit(`*`)}},
		{`\\*`, []Part{lit(`\`), run}},
		{`\\\*`, []Part{lit(`\*`)}},
		{`\\\\*`, []Part{lit(`\\`), run}},
		{`\a\`, []Part{lit(`\a\`)}},
		{`\\`, []Part{lit(`\`)}},
		{`\\\`, []Part{lit(`\\`)}},
		{`\%a%`, []Part{lit(`\%a%`)}},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.parts, parsePattern(tt.source).Parts, tt.source)
	}
}
