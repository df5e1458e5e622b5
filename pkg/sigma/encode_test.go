// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func randomBytes(random *rand.Rand, size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(random.IntN(256))
	}
	return string(b)
}

// Wherever a text stands in what is encoded, the variant for that place is found, and no character more could be known.
func TestBase64OffsetsInAnySurroundings(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 5000 {
		s := randomBytes(random, 2+random.IntN(12))
		variants, err := base64Offsets(s)
		require.NoError(t, err)
		before := randomBytes(random, random.IntN(7))
		encoded := base64.StdEncoding.EncodeToString([]byte(before + s + randomBytes(random, random.IntN(7))))
		shift := len(before) % 3
		require.Contains(t, encoded, variants[shift], "%q after %d bytes", s, len(before))
		first, end := (shift*8+5)/6, (shift+len(s))*8/6
		require.Len(t, variants[shift], end-first, "%q shifted by %d", s, shift)
	}
}

func TestWindashSpellings(t *testing.T) {
	tests := []struct {
		source string
		count  int
	}{
		{"no flag", 1},
		{"a-b", 1},
		{"- ", 1},
		{"-a", 5},
		{"/a", 5},
		{"—a", 5},
		{"--a", 5},
		{"-a*-b", 25},
		{"*-a", 5},
		{"-*", 1},
		{"/usr/bin/x -é -_", 125},
		{"-a -b -c -d", 625},
	}
	for _, tt := range tests {
		variants, err := windashVariants(parsePattern(tt.source))
		require.NoError(t, err, tt.source)
		distinct := map[string]bool{}
		for _, v := range variants {
			distinct[v.String()] = true
		}
		assert.Len(t, distinct, tt.count, tt.source)
		assert.True(t, distinct[tt.source], "%s: the value itself is one of the spellings", tt.source)
	}
}

func TestExpansionsAreBounded(t *testing.T) {
	values := map[string][]string{"many": strings.Split(strings.Repeat("x,", 999)+"x", ",")}
	for _, modifiers := range []string{"expand", "re|expand"} {
		src := ruleText("a:\n  F|" + modifiers + ": '%many%%many%%many%'\ncondition: a")
		rules, errs := parseRules("x.yml", []byte(src), WithPlaceholders(values))
		assert.Empty(t, rules)
		require.Len(t, errs, 1)
		assert.Contains(t, errs[0].Msg, "placeholders expand to")
	}
}
