// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		line   string
		before string
		marker Marker
		ok     bool
	}{
		"ready":              {"@@vedette:N ready 2.31 6.1.0-50-cloud-amd64", "", Marker{Ready, []string{"2.31", "6.1.0-50-cloud-amd64"}}, true},
		"begin":              {"@@vedette:N begin example.org/p", "", Marker{Begin, []string{"example.org/p"}}, true},
		"end":                {"@@vedette:N end example.org/p timeout", "", Marker{End, []string{"example.org/p", "timeout"}}, true},
		"done":               {"@@vedette:N done", "", Marker{Done, []string{}}, true},
		"after output":       {"no newline@@vedette:N done", "no newline", Marker{Done, []string{}}, true},
		"another boot's":     {"@@vedette:M done", "@@vedette:M done", Marker{}, false},
		"another's nonce":    {"@@vedette:NN done", "@@vedette:NN done", Marker{}, false},
		"too few arguments":  {"@@vedette:N end p", "@@vedette:N end p", Marker{}, false},
		"too many arguments": {"@@vedette:N done now", "@@vedette:N done now", Marker{}, false},
		"unknown verb":       {"@@vedette:N sleep", "@@vedette:N sleep", Marker{}, false},
		"cut":                {"@@vedette:N ", "@@vedette:N ", Marker{}, false},
		"output":             {"ok", "ok", Marker{}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before, marker, ok := Parse(test.line, "N")
			assert.Equal(t, test.ok, ok)
			assert.Equal(t, test.before, before)
			assert.Equal(t, test.marker, marker)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("text@@vedette:N end p 0", "N")
	f.Add("@@vedette:N done", "N")
	f.Fuzz(func(t *testing.T, line, nonce string) {
		before, marker, ok := Parse(line, nonce)
		if !ok {
			require.Equal(t, line, before)
			return
		}
		require.True(t, strings.HasPrefix(line, before))
		again, same, ok := Parse(strings.TrimSuffix(marker.Format(nonce), "\n"), nonce)
		require.True(t, ok)
		require.Empty(t, again)
		require.Equal(t, marker, same)
	})
}
