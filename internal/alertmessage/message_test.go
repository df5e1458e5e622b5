// SPDX-License-Identifier: Apache-2.0

package alertmessage

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

func render(template, commandLine string) string {
	return New(template).Render(sigma.MapEvent(map[string]any{"CommandLine": commandLine, "ProcessId": 7}))
}

func TestMessage(t *testing.T) {
	cases := map[string][3]string{ // template, command line, message
		"plain":             {"nothing to fill in", "", "nothing to fill in"},
		"fields":            {"{CommandLine} is {ProcessId}", "ls", "ls is 7"},
		"number":            {"<{ProcessId}>", "", "<7>"},
		"missing":           {"by {User}", "", "by -"},
		"empty value":       {"[{CommandLine}]", "", "[-]"},
		"lone braces":       {"} { {} {a b} {CommandLine", "ls", "} { {} {a b} {CommandLine"},
		"brace in brace":    {"{{CommandLine}}", "ls", "{ls}"},
		"control":           {"{CommandLine}", "a\nb\x1b[31m\u202e", `a\nb\x1b[31m\u202e`},
		"not text":          {"{CommandLine}", "a\xffb", "a�b"},
		"other scripts":     {"{CommandLine}", "ls 资料 é", "ls 资料 é"},
		"value with braces": {"{CommandLine}", "{ProcessId}", "{ProcessId}"},
		"long":              {"{CommandLine}!", strings.Repeat("é", longestValue+1), strings.Repeat("é", longestValue) + "…!"},
		"just not too long": {"{CommandLine}!", strings.Repeat("é", longestValue), strings.Repeat("é", longestValue) + "!"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c[2], render(c[0], c[1]))
		})
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("{CommandLine} of {User}", "sh -c 'a\nb'")
	f.Add("{{}{", "\x1b[2J")
	f.Fuzz(func(t *testing.T, template, commandLine string) {
		if m := New(template); len(m.texts) != len(m.fields)+1 {
			t.Fatalf("%d texts around %d fields", len(m.texts), len(m.fields))
		}
		for _, c := range render("{CommandLine}", commandLine) {
			if !unicode.IsPrint(c) {
				t.Fatalf("%q is not printable", c)
			}
		}
		render(template, commandLine)
	})
}
