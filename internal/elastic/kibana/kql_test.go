// SPDX-License-Identifier: Apache-2.0

package kibana

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// term is one comparison of a query.
type term struct {
	field  string
	values []string
}

// kqlReader reads the part of the Kibana query language that the objects use: comparisons of a field with a value or
// several, joined by and, or, not and parentheses.
type kqlReader struct {
	tokens []string
	terms  []term
}

func parseKQL(query string) ([]term, error) {
	tokens, err := splitKQL(query)
	if err != nil {
		return nil, err
	}
	r := &kqlReader{tokens: tokens}
	if err := r.expression(); err != nil {
		return nil, err
	}
	if len(r.tokens) > 0 {
		return nil, fmt.Errorf("found %q behind the end", r.tokens[0])
	}
	return r.terms, nil
}

func splitKQL(query string) ([]string, error) {
	var tokens []string
	for rest := strings.TrimSpace(query); rest != ""; rest = strings.TrimSpace(rest) {
		length := 1
		switch {
		case rest[0] == '"':
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("found no end of %s", rest)
			}
			length = end + 2
		case !strings.ContainsRune("():", rune(rest[0])):
			if length = strings.IndexAny(rest, "(): \""); length < 0 {
				length = len(rest)
			}
		}
		tokens, rest = append(tokens, rest[:length]), rest[length:]
	}
	return tokens, nil
}

func (r *kqlReader) next() string {
	if len(r.tokens) == 0 {
		return ""
	}
	token := r.tokens[0]
	r.tokens = r.tokens[1:]
	return token
}

func (r *kqlReader) peek() string {
	if len(r.tokens) == 0 {
		return ""
	}
	return r.tokens[0]
}

func (r *kqlReader) expression() error {
	for {
		if r.peek() == "not" {
			r.next()
		}
		if err := r.operand(); err != nil {
			return err
		}
		if r.peek() != "and" && r.peek() != "or" {
			return nil
		}
		r.next()
	}
}

func (r *kqlReader) operand() error {
	if r.peek() == "(" {
		r.next()
		if err := r.expression(); err != nil {
			return err
		}
		return r.expect(")")
	}
	t := term{field: r.next()}
	if err := r.expect(":"); err != nil {
		return err
	}
	var err error
	if t.values, err = r.values(); err != nil {
		return err
	}
	r.terms = append(r.terms, t)
	return nil
}

func (r *kqlReader) values() ([]string, error) {
	if r.peek() != "(" {
		v, err := r.value()
		return []string{v}, err
	}
	var values []string
	for r.peek() != ")" {
		r.next() // the parenthesis, or the "or" between two
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, r.expect(")")
}

func (r *kqlReader) value() (string, error) {
	token := r.next()
	if token == "" || strings.ContainsAny(token, "():") {
		return "", fmt.Errorf("found %q, expected a value", token)
	}
	return strings.Trim(token, `"`), nil
}

func (r *kqlReader) expect(want string) error {
	if have := r.next(); have != want {
		return fmt.Errorf("found %q, expected %q", have, want)
	}
	return nil
}

func TestParseKQL(t *testing.T) {
	terms, err := parseKQL(`a.b : ("x y" or z) and (not c : 5 or d:"e")`)
	require.NoError(t, err)
	assert.Equal(t, []term{{"a.b", []string{"x y", "z"}}, {"c", []string{"5"}}, {"d", []string{"e"}}}, terms)
	for _, query := range []string{"a", "a :", "a : (b", "(a : b", "a : b)", `a : "b`, "a : b c : d"} {
		_, err := parseKQL(query)
		assert.Error(t, err, query)
	}
}
