// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// query packs a message with questions of one type.
func query(t testing.TB, record dnsmessage.Type, names ...string) []byte {
	t.Helper()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 4660, RecursionDesired: true}}
	for _, name := range names {
		m.Questions = append(m.Questions, dnsmessage.Question{
			Name: dnsmessage.MustNewName(name), Type: record, Class: dnsmessage.ClassINET,
		})
	}
	packed, err := m.Pack()
	require.NoError(t, err)
	return packed
}

func TestDNSQuestions(t *testing.T) {
	long := strings.Repeat("a23456789.", 25)
	one := query(t, dnsmessage.TypeA, "example.org.")
	many := make([]string, 20)
	for i := range many {
		many[i] = "m."
	}
	for name, tc := range map[string]struct {
		message []byte
		want    []dnsQuestion
	}{
		"one":                 {one, []dnsQuestion{{"example.org", "A"}}},
		"the root":            {query(t, dnsmessage.TypeNS, "."), []dnsQuestion{{".", "NS"}}},
		"the longest name":    {query(t, dnsmessage.TypeTXT, long), []dnsQuestion{{strings.TrimSuffix(long, "."), "TXT"}}},
		"a type without name": {query(t, 999, "x."), []dnsQuestion{{"x", "TYPE999"}}},
		"several, compressed": {query(t, dnsmessage.TypeAAAA, "a.local.", "b.local."), []dnsQuestion{{"a.local", "AAAA"}, {"b.local", "AAAA"}}},
		"cut in a question":   {query(t, dnsmessage.TypeA, "a.", "bcd.")[:20], []dnsQuestion{{"a", "A"}}},
		"bytes of any kind":   {query(t, dnsmessage.TypeA, "\xff\x00\n."), []dnsQuestion{{"\uFFFD\x00\n", "A"}}},
		"no question":         {query(t, dnsmessage.TypeA), nil},
		"a name into itself":  {append(one[:12:12], 0xc0, 12, 0, 1, 0, 1), nil},
		"short":               {one[:11], nil},
		"no message":          {[]byte("GET / HTTP/1.1\r\n\r\n"), nil},
		"nothing":             {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, have := dnsQuestions(tc.message)
			assert.Equal(t, tc.want, have)
		})
	}
	id, _ := dnsQuestions(one)
	assert.EqualValues(t, 4660, id)
	_, have := dnsQuestions(query(t, dnsmessage.TypeA, many...))
	assert.Len(t, have, maxQuestions)
}

func FuzzDNSQuestions(f *testing.F) {
	f.Add(query(f, dnsmessage.TypeA, "example.org."))
	f.Add(query(f, dnsmessage.TypeHTTPS, "a.local.", "b.local."))
	f.Add([]byte{0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1})
	f.Fuzz(func(t *testing.T, message []byte) {
		_, questions := dnsQuestions(message)
		require.LessOrEqual(t, len(questions), maxQuestions)
		for _, q := range questions {
			require.True(t, utf8.ValidString(q.name))
			require.LessOrEqual(t, len([]rune(q.name)), 255)
			require.NotEmpty(t, q.record)
		}
	})
}
