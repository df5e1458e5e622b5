// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// number reads "EXPRESSION compare OPERATOR NUMBER": what the first group of the expression matches is compared.
func (w *wazuhReader) number(n *yaml.Node, text string) (expr string, compared FieldCondition) {
	expr, comparison, ok := strings.Cut(text, " compare ")
	comparison = strings.TrimSpace(comparison)
	for _, c := range comparisons {
		value, found := strings.CutPrefix(comparison, c.sign)
		if !ok || !found {
			continue
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			break
		}
		return w.regex(n, strings.TrimSpace(expr)), w.is(n, "group", c.operator, strconv.FormatInt(limit+c.add, 10))
	}
	w.errorf(n, "found %s, expected an expression, compare, one of <= >= == != < >, and a number", yamltree.Quote(text))
	return "", FieldCondition{}
}

// words takes a command apart as Wazuh does: at white space, but not within quotes.
func words(text string) []string {
	var all []string
	var word strings.Builder
	open, quote := false, rune(0)
	for _, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && (r == ' ' || r == '\t'):
			if open {
				all = append(all, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if open {
		all = append(all, word.String())
	}
	return all
}

// osRegex are the escapes of Wazuh's own dialect of regular expressions that mean something else there.
var osRegex = map[byte]string{'.': ".", 'p': `[()*+,\-.:;<=>?\[\]!"'#$%&|{}]`, 'w': `[A-Za-z0-9_@-]`, 'W': `[^A-Za-z0-9_@-]`}

// fromOSRegex translates that dialect: there "\." is any sign and "." is a dot, and signs have no meaning but ^ $ | ( ) and, after an
// escape, + and *. It does not tell capitals from small letters.
func fromOSRegex(expr string) string {
	var b strings.Builder
	b.WriteString("(?i)")
	afterEscape := false
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		switch {
		case c == '\\' && i+1 < len(expr):
			i++
			if special, ok := osRegex[expr[i]]; ok {
				b.WriteString(special)
			} else {
				b.WriteString(`\` + expr[i:i+1])
			}
			afterEscape = true
			continue
		case strings.IndexByte("+*", c) >= 0 && afterEscape, strings.IndexByte("^$|()", c) >= 0:
			b.WriteByte(c)
		case strings.IndexByte(`.+*?[]{}\`, c) >= 0:
			b.WriteString(`\` + expr[i:i+1])
		default:
			b.WriteByte(c)
		}
		afterEscape = false
	}
	return b.String()
}
