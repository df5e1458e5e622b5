// SPDX-License-Identifier: Apache-2.0

package visible

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"/srv/a b":                 "/srv/a b",
		"密码：长度":                    "密码：长度",
		"a\nb\tc\x00":              `a\nb\tc\x00`,
		"\x1b[31mred\x1b[0m":       `\x1b[31mred\x1b[0m`,
		"evil\u202etxt.exe":        `evil\u202etxt.exe`,
		"line\u2028end":            `line\u2028end`,
		"soft\u00adhyphen\ufeff":   `soft\u00adhyphen\ufeff`,
		"\xff\xfe":                 `\xff\xfe`,
		"\u00a0":                   `\u00a0`,
		"it's":                     "it's",
		"a\x1b[2J\n\u202e\xff ü 中": `a\x1b[2J\n\u202e\xff ü 中`,
	} {
		assert.Equal(t, want, Text(text), "%q", text)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b\xff\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		shown := Text(text)
		assert.True(t, utf8.ValidString(shown))
		for _, r := range shown {
			assert.True(t, unicode.IsPrint(r), "%q shows %q", text, r)
		}
		assert.Equal(t, shown, Text(shown), "what is visible stays as it is")
	})
}
