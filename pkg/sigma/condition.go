// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"slices"
	"strings"
)

// Condition is a boolean expression over selections: And, Or, Not, Ref or Quantified.
type Condition interface {
	// String writes the condition in Sigma's syntax.
	String() string
	holds(e *evaluation) bool
	// contributors gives the selections that made a condition hold which does; those under a Not make no contribution.
	contributors(e *evaluation) []*Selection
	mentioned() []*Selection
}

// And holds where all its terms hold.
type And struct{ Terms []Condition }

// Or holds where one of its terms holds.
type Or struct{ Terms []Condition }

// Not holds where its term does not.
type Not struct{ Term Condition }

// Ref holds where the selection does.
type Ref struct{ Selection *Selection }

// Quantified is "all of pattern" or "1 of pattern", with the selections the pattern names, of which there is at least one.
type Quantified struct {
	All        bool
	Pattern    string // with "*" as wildcard, or "them"
	Selections []*Selection
}

func (c And) String() string { return joinTerms(c.Terms, " and ") }
func (c Or) String() string  { return joinTerms(c.Terms, " or ") }
func (c Not) String() string { return "not " + c.Term.String() }
func (c Ref) String() string { return c.Selection.Name }

func (c Quantified) String() string {
	if c.All {
		return "all of " + c.Pattern
	}
	return "1 of " + c.Pattern
}

func joinTerms(terms []Condition, operator string) string {
	texts := make([]string, len(terms))
	for i, t := range terms {
		texts[i] = t.String()
	}
	return "(" + strings.Join(texts, operator) + ")"
}

func (c And) mentioned() []*Selection        { return mentionedBy(c.Terms) }
func (c Or) mentioned() []*Selection         { return mentionedBy(c.Terms) }
func (c Not) mentioned() []*Selection        { return c.Term.mentioned() }
func (c Ref) mentioned() []*Selection        { return []*Selection{c.Selection} }
func (c Quantified) mentioned() []*Selection { return c.Selections }

func mentionedBy(terms []Condition) []*Selection {
	var all []*Selection
	for _, t := range terms {
		all = append(all, t.mentioned()...)
	}
	return all
}

// conditionError is a problem at one token; at the number of tokens it is at the end of the text.
type conditionError struct {
	token int
	msg   string
}

// conditionTokens splits a condition into words, parentheses and pipes.
func conditionTokens(s string) []string {
	var tokens []string
	for _, field := range strings.Fields(s) {
		for field != "" {
			end := strings.IndexAny(field, "()|")
			switch end {
			case -1:
				end = len(field)
			case 0:
				end = 1
			}
			tokens = append(tokens, field[:end])
			field = field[end:]
		}
	}
	return tokens
}

// maxDepth bounds the nesting of a condition, and with it the stack that reading and evaluating it takes.
const maxDepth = 200

type conditionParser struct {
	tokens     []string
	next       int
	depth      int
	selections []*Selection
	noun       string // what messages call a selection
}

// parseCondition reads a condition over the given selections, which messages call by the noun. The least binding operator is
// or, then and, then not.
func parseCondition(tokens []string, selections []*Selection, noun string) (Condition, *conditionError) {
	p := &conditionParser{tokens: tokens, selections: selections, noun: noun}
	if pipe := slices.Index(tokens, "|"); pipe >= 0 {
		return nil, &conditionError{pipe, "found an aggregation (\"|\"); it is not part of Sigma 2, expected a correlation rule in its place"}
	}
	c, err := p.chain("or")
	if err != nil {
		return nil, err
	}
	if p.next < len(tokens) {
		return nil, p.errorf("found %s, expected \"and\", \"or\" or the end of the condition", p.found())
	}
	return c, nil
}

func (p *conditionParser) errorf(format string, args ...any) *conditionError {
	return &conditionError{p.next, fmt.Sprintf(format, args...)}
}

// found names the next token for messages.
func (p *conditionParser) found() string {
	if p.next == len(p.tokens) {
		return "the end of the condition"
	}
	return fmt.Sprintf("%q", p.tokens[p.next])
}

// accept takes the next token if it is the given word, in any case.
func (p *conditionParser) accept(word string) bool {
	if p.next < len(p.tokens) && strings.EqualFold(p.tokens[p.next], word) {
		p.next++
		return true
	}
	return false
}

// chain reads terms joined by the operator: "or" over chains of "and" over single terms.
func (p *conditionParser) chain(operator string) (Condition, *conditionError) {
	var terms []Condition
	for len(terms) == 0 || p.accept(operator) {
		var term Condition
		var err *conditionError
		if operator == "or" {
			term, err = p.chain("and")
		} else {
			term, err = p.term()
		}
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	switch {
	case len(terms) == 1:
		return terms[0], nil
	case operator == "or":
		return Or{terms}, nil
	default:
		return And{terms}, nil
	}
}

func (p *conditionParser) term() (Condition, *conditionError) {
	if p.depth == maxDepth {
		return nil, p.errorf("the condition is nested more than %d deep", maxDepth)
	}
	p.depth++
	defer func() { p.depth-- }()
	switch {
	case p.accept("not"):
		term, err := p.term()
		return Not{term}, err
	case p.accept("("):
		return p.parenthesised()
	case p.next+1 < len(p.tokens) && strings.EqualFold(p.tokens[p.next+1], "of"):
		return p.quantified()
	}
	return p.ref()
}

func (p *conditionParser) parenthesised() (Condition, *conditionError) {
	c, err := p.chain("or")
	if err != nil {
		return nil, err
	}
	if !p.accept(")") {
		return nil, p.errorf("found %s, expected \"and\", \"or\" or \")\"", p.found())
	}
	return c, nil
}

func (p *conditionParser) quantified() (Condition, *conditionError) {
	var q Quantified
	switch {
	case p.accept("all"):
		q.All = true
	case p.accept("1"), p.accept("any"):
	default:
		return nil, p.errorf("found %s before \"of\", expected 1, any or all", p.found())
	}
	p.next++ // "of"
	if p.next == len(p.tokens) || reserved(p.tokens[p.next]) {
		return nil, p.errorf("found %s, expected \"them\" or a pattern of %s names", p.found(), p.noun)
	}
	q.Pattern = p.tokens[p.next]
	q.Selections = selectionsNamed(q.Pattern, p.selections)
	if len(q.Selections) == 0 {
		return nil, p.errorf("no %s is named like %q; known are %s", p.noun, q.Pattern, names(p.selections))
	}
	p.next++
	return q, nil
}

// selectionsNamed gives the selections a pattern names. Names that begin with "_" are left out, unless the pattern begins so too.
func selectionsNamed(pattern string, selections []*Selection) []*Selection {
	if strings.EqualFold(pattern, "them") {
		pattern = "*"
	}
	var parts Pattern
	for i, literal := range strings.Split(pattern, "*") {
		if i > 0 {
			parts.add(Part{Kind: AnyRun})
		}
		parts.add(Part{Literal, literal})
	}
	parts.Cased = true
	var named []*Selection
	for _, s := range selections {
		hidden := strings.HasPrefix(s.Name, "_") && !strings.HasPrefix(pattern, "_")
		if !hidden && parts.match(s.Name) {
			named = append(named, s)
		}
	}
	return named
}

func (p *conditionParser) ref() (Condition, *conditionError) {
	if p.next == len(p.tokens) || reserved(p.tokens[p.next]) {
		return nil, p.errorf("found %s, expected a %s, \"not\", \"(\", \"1 of\" or \"all of\"", p.found(), p.noun)
	}
	name := p.tokens[p.next]
	for _, s := range p.selections {
		if s.Name == name {
			p.next++
			return Ref{s}, nil
		}
	}
	if strings.Contains(name, "*") {
		return nil, p.errorf("found the pattern %q, expected \"1 of\" or \"all of\" before it", name)
	}
	return nil, p.errorf("unknown %s %q; known are %s", p.noun, name, names(p.selections))
}

// reserved reports whether a token is an operator and so cannot be a selection's name.
func reserved(token string) bool {
	return slices.Contains([]string{"and", "or", "not", "(", ")", "|"}, strings.ToLower(token))
}

func names(selections []*Selection) string {
	all := make([]string, len(selections))
	for i, s := range selections {
		all[i] = s.Name
	}
	return strings.Join(all, ", ")
}
