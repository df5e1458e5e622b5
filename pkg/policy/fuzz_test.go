// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func FuzzParse(f *testing.F) {
	for _, b := range broken {
		f.Add([]byte(b.src))
	}
	everything, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(f, err)
	f.Add(everything)
	f.Fuzz(func(t *testing.T, src []byte) {
		policies, err := Parse("x.yaml", src)
		// All that YAML takes for a line break.
		lines := 1 + len(regexp.MustCompile("[\n\r\u0085\u2028\u2029]").FindAllIndex(src, -1))
		names := map[string]bool{}
		for _, p := range policies {
			assert.Regexp(t, nameForm, p.Name)
			assert.False(t, names[p.Name], "a name twice")
			names[p.Name] = true
			assert.Contains(t, modes, p.Mode)
			for _, r := range p.Rules {
				assert.NotZero(t, r.Operations(), r.Name)
			}
		}
		var errs Errors
		if errors.As(err, &errs) {
			for _, e := range errs {
				assert.NotContains(t, e.Error(), "\n")
				assert.True(t, 0 <= e.Line && e.Line <= lines+1, "line %d of %d: %s", e.Line, lines, e.Msg)
			}
		}
		set := &Set{policies}
		for _, r := range someRequests {
			assert.Equal(t, set.Evaluate(r), set.Evaluate(r))
		}
		again, _ := Parse("x.yaml", src)
		assert.Equal(t, policies, again)
	})
}

// someRequests has one of each kind.
var someRequests = []Request{
	{Operation: Write, File: &File{Paths: []string{"/etc/nginx/nginx.conf", "/tmp/link"}}},
	{Operation: Rename, File: &File{Paths: []string{"/etc"}}, NewPath: "/old", Replaced: &File{Paths: []string{"/old"}}},
	{Operation: Link, File: &File{Paths: []string{"/var/www/a"}}, NewPath: "/tmp/a"},
	{Operation: Run, File: &File{Origin: Memfd}},
	{Operation: Signal, Target: &Target{Executable: "/usr/sbin/nginx", Cgroup: "/system.slice/nginx.service"}},
	{Operation: Connect, Address: &Address{netip.MustParseAddrPort("10.0.0.1:443"), TCP}},
	{Operation: BPF, Subject: Actor{Lineage: []Program{{Executable: "/usr/bin/kmod", Trusted: true}}}},
	{Operation: Write}, {Operation: Rename}, {Operation: Signal}, {Operation: Connect}, {},
}

func FuzzMatchName(f *testing.F) {
	for _, m := range matches {
		f.Add(m.pattern, m.name)
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		re, ok := regexpOf(pattern)
		if !ok || len(pattern) > 50 || len(name) > 200 {
			return
		}
		require.Equal(t, re.MatchString(latin(name)), MatchName(pattern, name), "%s %s", pattern, re)
	})
}

// latin makes a character of every byte, because regular expressions are about characters.
func latin(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// regexpOf says what a good pattern means in the words of regular expressions.
func regexpOf(pattern string) (*regexp.Regexp, bool) {
	var b strings.Builder
	for rest := pattern; rest != ""; {
		token, after, ok := next(rest)
		if !ok {
			return nil, false
		}
		rest = after
		switch {
		case token == "*":
			b.WriteString(".*")
		case token == "?":
			b.WriteString(".")
		case len(token) > 1:
			b.WriteString(setOf(token[1 : len(token)-1]))
		default:
			b.WriteString(regexp.QuoteMeta(latin(token)))
		}
	}
	return regexp.MustCompile(`(?s)\A` + b.String() + `\z`), true
}

func setOf(set string) string {
	set, negated := strings.CutPrefix(set, "!")
	var b strings.Builder
	for c := 0; c < 256; c++ {
		if inSetByHand(set, byte(c)) {
			b.WriteString("|" + regexp.QuoteMeta(string(rune(c))))
		}
	}
	if !negated {
		return "(?:" + strings.TrimPrefix(b.String(), "|") + ")"
	}
	var others strings.Builder
	for c := 0; c < 256; c++ {
		if !inSetByHand(set, byte(c)) {
			others.WriteString("|" + regexp.QuoteMeta(string(rune(c))))
		}
	}
	if others.Len() == 0 {
		return `[^\x{0}-\x{10FFFF}]`
	}
	return "(?:" + strings.TrimPrefix(others.String(), "|") + ")"
}

// inSetByHand writes a set out as all its bytes.
func inSetByHand(set string, b byte) bool {
	var all []byte
	for set != "" {
		if len(set) > 2 && set[1] == '-' {
			for c := int(set[0]); c <= int(set[2]); c++ {
				all = append(all, byte(c))
			}
			set = set[3:]
			continue
		}
		all, set = append(all, set[0]), set[1:]
	}
	return strings.ContainsRune(latin(string(all)), rune(b))
}
