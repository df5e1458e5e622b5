// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRequiredLiterals(t *testing.T) {
	for _, c := range []struct {
		source string
		texts  []string
		exact  bool
		length int
	}{
		{`abc`, []string{"ABC"}, false, 3},
		{`(?i)abc`, []string{"ABC"}, true, 3},
		{`42`, []string{"42"}, true, 2},
		{`^42`, []string{"42"}, false, 2},
		{`(?i)foo|bar`, []string{"BAR", "FOO"}, true, 3},
		{`(?i)ba[rz]`, []string{"BAR", "BAZ"}, true, 3},
		{`ba[rz]`, []string{"BAR", "BAZ"}, false, 3},
		{`(?i)k`, []string{"K"}, true, 1},
		{`/srv/[a-z]+\.x`, []string{"/SRV/"}, false, 8},
		{`/usr/[a-z]+zqx`, []string{"ZQX"}, false, 9}, // what is longer is in paths all the time
		{`a.*secret.*b`, []string{"SECRET"}, false, 8},
		{`(foo)+`, []string{"FOO"}, false, 3},
		{`(foo)*`, nil, false, 0},
		{`(foo)?bar`, []string{"BAR", "FOOBAR"}, false, 3},
		{`foo|.`, nil, false, 1},
		{`foo|`, nil, false, 0},
		{`.{100,}`, nil, false, 100},
		{`\x{fffd}`, nil, false, 1},
		{`[^a]`, nil, false, 1},
		{`a{0}`, nil, false, 0},
		{``, nil, false, 0},
	} {
		got := requiredLiterals(c.source)
		assert.Equal(t, c.texts, got.list, c.source)
		assert.Equal(t, c.exact, got.exact, c.source)
		assert.Equal(t, c.length, got.length, c.source)
	}
}

// What an expression matches has what is said to be necessary, and what is said to suffice does.
func FuzzRequiredLiterals(f *testing.F) {
	for _, source := range expressions {
		f.Add(source, "aab Kab")
	}
	f.Add(`(?i)(a|b\x{17f})c?[k-m]{2}`, "B\u017fKL\xff")
	f.Fuzz(func(t *testing.T, source, text string) {
		re, err := regexp.Compile(source)
		if err != nil {
			return
		}
		needs := requiredLiterals(source)
		any := false
		for _, literal := range needs.list {
			any = any || strings.Contains(folded(text), literal)
		}
		matched := re.MatchString(text)
		if matched {
			assert.GreaterOrEqual(t, len(text), needs.length)
			assert.True(t, any || needs.list == nil, "%q has none of %q", text, needs.list)
		}
		if needs.exact {
			assert.Equal(t, any, matched, "%q", needs.list)
		}
	})
}

func TestLiterals(t *testing.T) {
	assert.NotEmpty(t, Literals("^/tmp/x[0-9]+$"))
	assert.Empty(t, Literals("."))
	assert.Empty(t, Literals("("))
}
