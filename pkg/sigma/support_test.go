// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ruleText is a whole rule with the given detection section.
func ruleText(detection string) string {
	var b strings.Builder
	b.WriteString("title: A test\nlogsource:\n  product: linux\ndetection:\n")
	for line := range strings.Lines(detection) {
		b.WriteString("  " + line)
	}
	return b.String() + "\n"
}

// correlationText is a whole correlation with the given body.
func correlationText(body string) string {
	return "title: A test\ncorrelation:\n" + indent(body) + "\n"
}

// rulesOf takes the rules out of what reading gave.
func rulesOf(c *Collection, errs []*Error) ([]*Rule, []*Error) { return c.Rules, errs }

func parseRules(file string, src []byte, opts ...Option) ([]*Rule, []*Error) {
	return rulesOf(Parse(file, src, opts...))
}

// ruleWith reads a rule that consists of one selection.
func ruleWith(t *testing.T, selection string, opts ...Option) *Rule {
	t.Helper()
	return ruleOf(t, "selection:\n"+indent(selection)+"\ncondition: selection", opts...)
}

func ruleOf(t *testing.T, detection string, opts ...Option) *Rule {
	t.Helper()
	rules, errs := parseRules("test.yml", []byte(ruleText(detection)), opts...)
	require.Empty(t, errs)
	require.Len(t, rules, 1)
	return rules[0]
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(s, "\n", "\n  ")
}
