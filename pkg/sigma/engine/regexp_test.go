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
	f.Add(`(?i)x([^/b]{16,}|a)(.){16}[k-m]{17}`, "/x\xff"+strings.Repeat("é", 50)+strings.Repeat("K", 17))
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
			assert.True(t, needs.run == nil || needs.run.in(text), "no run")
			assert.True(t, any || needs.list == nil, "%q has none of %q", text, needs.list)
		}
		if needs.exact {
			assert.Equal(t, any, matched, "%q", needs.list)
		}
	})
}

func TestLongestRun(t *testing.T) {
	for _, c := range []struct {
		source, text string
		has          bool
	}{
		{`[^/]{20,}$`, "/a/" + strings.Repeat("b", 19) + "/c", false},
		{`[^/]{20,}$`, "/a/" + strings.Repeat("b", 20) + "/c", true},
		{`[^/]{20,}$`, strings.Repeat("b", 20), true},
		{`[^/]{20,}$`, "/" + strings.Repeat("é", 10), true}, // bytes are counted
		{`[^/]{20,}$`, "", false},
		{`(.){20,}`, strings.Repeat("b", 19) + "\n" + strings.Repeat("b", 19), false},
		{`a[bc]{20}(d[^e]{30})?`, "a" + strings.Repeat("bc", 10), true},
		{`a[bc]{20}d[^e]{30}`, "a" + strings.Repeat("bc", 10), false},
		{`([ab]{20})+`, strings.Repeat("a.", 20), false},
	} {
		r := requiredLiterals(c.source).run
		if assert.NotNil(t, r, c.source) {
			assert.Equal(t, c.has, r.in(c.text), "%s in %s", c.source, c.text)
		}
	}
	for _, source := range []string{`[^/]{15,}`, `[^/]{16,}|a`, `([^/]{16,})?`, `(ab){16}`, `a*`} {
		assert.Nil(t, requiredLiterals(source).run, source)
	}
}

func TestLiterals(t *testing.T) {
	assert.NotEmpty(t, Literals("^/tmp/x[0-9]+$"))
	assert.Empty(t, Literals("."))
	assert.Empty(t, Literals("("))
}
