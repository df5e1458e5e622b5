// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var matches = []struct {
	pattern, name string
	want          bool
}{
	{"a", "a", true}, {"a", "b", false}, {"", "", true}, {"", "a", false}, {"a", "", false},
	{"*", "", true}, {"*", ".hidden", true}, {"a*c", "abc", true}, {"a*c", "ac", true}, {"a*c", "abcd", false},
	{"*.conf", "a.conf", true}, {"*.conf", ".conf", true}, {"*.conf", "a.conf~", false},
	{"a*b*c", "axbxbxc", true}, {"a*b*c", "axcxb", false}, {"*a*a*a*b", strings.Repeat("a", 200), false},
	{"?", "a", true}, {"?", "", false}, {"?", "ä", false}, {"??", "ä", true},
	{"[a-c]x", "bx", true}, {"[a-c]x", "dx", false}, {"[!a-c]x", "dx", true}, {"[!a-c]x", "ax", false},
	{"[]]", "]", true}, {"[!]]", "]", false}, {"[*]", "*", true}, {"[*]", "a", false}, {"[[]", "[", true},
	{"[a-]", "-", true}, {"[-a]", "-", true}, {"[a-c-e]", "-", true}, {"[a-c-e]", "d", false}, {"[!]", "!", false},
	{`a\*`, `a\b`, true}, {`a\*`, "a*", false}, {"\xff", "\xff", true}, {"[\xf0-\xff]", "\xf5", true},
}

func TestMatchName(t *testing.T) {
	for _, m := range matches {
		assert.Equal(t, m.want, MatchName(m.pattern, m.name), "%s %s", m.pattern, m.name)
	}
}

// pathOf reads a path as a policy has it.
func pathOf(t *testing.T, text string) Path {
	policies, err := Parse("p.yaml", []byte("policy: p\nrules: [{name: r, files: {operations: tamper, paths: ['"+text+"']}}]"))
	require.NoError(t, err)
	return policies[0].Rules[0].Files.Paths[0]
}

func TestPaths(t *testing.T) {
	for _, tt := range []struct {
		path  string
		named string // separated by spaces
		way   string
		not   string
	}{
		{"/a/b", "/a/b", "/a /", "/a/b/c /a/bc /b"},
		{"/a/**", "/a /a/b /a/b/c", "/", "/ab /b"},
		{"/**", "/ /a /a/b", "", ""},
		{"/a/*.c", "/a/x.c /a/.c", "/a /", "/a/b/x.c /x.c /a/x.cc"},
		{"/*", "/a", "/", "/a/b"},
		{"/", "/", "", "/a"},
		{"/a/[bc]", "/a/b", "/a", "/a/d"},
	} {
		path := pathOf(t, tt.path)
		for name := range strings.FieldsSeq(tt.named) {
			assert.True(t, path.Matches(name), "%s names %s", tt.path, name)
		}
		for name := range strings.FieldsSeq(tt.way) {
			assert.True(t, path.LeadsThrough(name), "%s leads through %s", tt.path, name)
		}
		for name := range strings.FieldsSeq(tt.not) {
			assert.False(t, path.Matches(name) || path.LeadsThrough(name), "%s is not about %s", tt.path, name)
		}
	}
	program := Path{Kind: GlobPaths, Pattern: "/usr/lib/postgresql/*/bin/postgres"}
	assert.True(t, program.Matches("/usr/lib/postgresql/15/bin/postgres"))
	assert.False(t, program.Matches("/usr/lib/postgresql/15/x/bin/postgres"))
	assert.False(t, program.Matches("/usr/lib/postgresql/bin/postgres"))
}

func TestEndpoints(t *testing.T) {
	for _, tt := range []struct {
		text    string
		in, out []string // addresses of tcp, or with another protocol after a slash
	}{
		{"10.0.0.0/8:443/tcp", []string{"10.1.2.3:443", "[::ffff:10.1.2.3]:443"}, []string{"10.1.2.3:80", "11.0.0.1:443", "10.1.2.3:443/udp"}},
		{"[2001:db8::]/32:53/udp", []string{"[2001:db8::1]:53/udp"}, []string{"[2001:db8::1]:53", "[2001:db9::1]:53/udp"}},
		{"127.0.0.0/8", []string{"127.0.0.1:0", "127.9.9.9:65535/udp"}, []string{"[::1]:0"}},
		{"2001:db8::/32", []string{"[2001:db8::1]:1"}, []string{"10.0.0.1:1"}},
		{"::1", []string{"[::1]:1"}, []string{"[::2]:1"}},
		{"[::1]", []string{"[::1]:1"}, []string{"[::2]:1"}},
		{"[::1]:80", []string{"[::1]:80"}, []string{"[::1]:81"}},
		{"*", []string{"10.0.0.1:1", "[fe80::1%eth0]:1"}, nil},
		{"fe80::/10", []string{"[fe80::1%eth0]:1"}, nil},
		{"*:80-90/tcp", []string{"10.0.0.1:80", "[::1]:90"}, []string{"10.0.0.1:79", "10.0.0.1:91", "10.0.0.1:80/udp"}},
		{"*/udp", []string{"10.0.0.1:1/udp"}, []string{"10.0.0.1:1"}},
		{"10.0.0.1", []string{"10.0.0.1:1"}, []string{"10.0.0.2:1"}},
		{"0.0.0.0/0", []string{"10.0.0.1:1"}, []string{"[::1]:1"}},
	} {
		e, err := ParseEndpoint(tt.text)
		require.NoError(t, err, tt.text)
		for _, in := range tt.in {
			assert.True(t, e.Has(addressOf(in)), "%s has %s", tt.text, in)
		}
		for _, out := range tt.out {
			assert.False(t, e.Has(addressOf(out)), "%s has not %s", tt.text, out)
		}
	}
}

func addressOf(text string) Address {
	text, isUDP := strings.CutSuffix(text, "/udp")
	a := Address{netip.MustParseAddrPort(text), TCP}
	if isUDP {
		a.Protocol = UDP
	}
	return a
}
