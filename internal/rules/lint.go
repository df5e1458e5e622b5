// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"

	"github.com/vedette-sec/vedette/internal/alertmessage"
	"github.com/vedette-sec/vedette/internal/attack"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/judge"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/engine"
)

// doc is the document that findings are about.
type doc struct {
	*linter
	*sigma.Header
	text document
}

func (l *linter) doc(source string, h *sigma.Header) doc { return doc{l, h, l.texts.of(source, h)} }

func (d doc) warn(line, column int, format string, args ...any) {
	d.add(Finding{File: d.File, Line: line, Column: column, Severity: Warning, Title: d.Title, Message: fmt.Sprintf(format, args...)})
}

func (l *linter) rule(r *ruleset.Rule) {
	d := l.doc(r.Source, &r.Header)
	d.header()
	binding := logsource.For(r.LogSource)
	if binding.OwnEvents() {
		d.fields(func(field string) bool {
			_, known := binding.Attributes(field)
			return known
		}, "no event for "+r.LogSource.String()+" has", alertmessage.OfRule(r.Rule))
	}
	d.ruleTests(r.Tests)
	d.conditions(r.Rule, binding)
	for _, s := range ownSelections(l.set, r.Rule) {
		d.expressions(s)
	}
	if len(binding.Views) > 0 && judge.New([]*ruleset.Rule{r}, noFields).Stats().Unindexed > 0 {
		d.warn(d.text.line("detection", "condition:"), 0,
			"the rule needs no certain text or number, so every event of its log source is judged by it, which costs")
	}
}

func noFields(*ruleset.Rule) []string { return nil }

func (l *linter) correlation(c *ruleset.Correlation) {
	d := l.doc(c.Source, &c.Header)
	d.header()
	d.fields(func(field string) bool { return correlated(c.Correlation, field) }, "no rule of the correlation sees an event that has",
		alertmessage.OfCorrelation(c.Correlation))
	if len(c.Tests) == 0 {
		d.warn(d.Line, 0, "there are no tests, expected sequences of events under tests")
	}
}

// correlated reports whether a field is one that some rule of the correlation can have.
func correlated(c *sigma.Correlation, field string) bool {
	return slices.ContainsFunc(c.Rules, func(r sigma.Reference) bool {
		if r.Rule == nil {
			return correlated(r.Correlation, r.Field(field))
		}
		binding := logsource.For(r.Rule.LogSource)
		_, known := binding.Attributes(r.Field(field))
		return known || !binding.OwnEvents()
	})
}

var uuid = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// header checks what rules and correlations have in common.
func (d doc) header() {
	switch {
	case d.ID == "":
		d.warn(d.Line, 0, "there is no id, expected a UUID by which exceptions, levels and correlations can name the rule")
	case !uuid.MatchString(d.ID):
		d.warn(d.text.line("id", ""), 0, "found the id %q, expected a UUID", d.ID)
	}
	if d.Level == "" {
		d.warn(d.Line, 0, "there is no level, so that of its alerts is medium")
	}
	if d.Status == "" {
		d.warn(d.Line, 0, "there is no status, expected stable, test, experimental, deprecated or unsupported")
	}
	for _, tag := range d.Tags {
		if problem := attack.CheckTag(tag); problem != "" {
			d.warn(d.text.line("tags", tag), 0, "%s", problem)
		}
	}
}

// fields checks that the fields that alerts name can have a value.
func (d doc) fields(known func(string) bool, problem string, message alertmessage.Message) {
	check := func(key string, fields []string) {
		for _, field := range fields {
			if !known(field) {
				d.warn(d.text.line(key, field), 0, "%s: %s %s", key, problem, field)
			}
		}
	}
	if d.Output != "" {
		check("output", message.Fields())
	}
	if d.Dedup != nil {
		check("dedup", d.Dedup.Key)
	}
	check("fields", d.Header.Fields)
}

func (d doc) ruleTests(tests []sigma.TestEvent) {
	matching := slices.ContainsFunc(tests, func(t sigma.TestEvent) bool { return t.Match })
	harmless := slices.ContainsFunc(tests, func(t sigma.TestEvent) bool { return !t.Match })
	switch {
	case len(tests) == 0:
		d.warn(d.Line, 0, "there are no tests, expected an event that matches and one that does not under tests")
	case !matching:
		d.warn(d.text.line("tests", ""), 0, "no test has an event that must match")
	case !harmless:
		d.warn(d.text.line("tests", ""), 0, "no test has an event that must not match")
	}
}

// expressions finds regular expressions that must be tried on almost every value, because no text is certain to be in what
// they match, or only a letter or a digit.
func (d doc) expressions(s *sigma.Selection) {
	for _, alternative := range s.Alternatives {
		for _, item := range alternative {
			for _, v := range item.Values {
				if slices.ContainsFunc(v.Matchers, withoutLiteral) {
					d.warn(v.Line, v.Column, "the regular expression %q needs no certain text, so it is tried on almost every value, which costs", v.Text)
				}
			}
		}
	}
}

func withoutLiteral(m sigma.Matcher) bool {
	expression, ok := m.(sigma.Regexp)
	if !ok || immediate(expression.Source) {
		return false
	}
	texts := engine.Literals(expression.Source)
	return len(texts) == 0 || slices.ContainsFunc(texts, common)
}

// common reports whether a text is in almost every value: a letter or a digit.
func common(text string) bool {
	runes := []rune(text)
	return len(runes) == 1 && (unicode.IsLetter(runes[0]) || unicode.IsDigit(runes[0]))
}

// immediate reports whether an expression only asks for there being something, which its first step tells.
func immediate(source string) bool {
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return false
	}
	re := parsed.Simplify()
	for re.Op == syntax.OpPlus || re.Op == syntax.OpStar || re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	return re.Op == syntax.OpAnyChar || re.Op == syntax.OpAnyCharNotNL || re.Op == syntax.OpEmptyMatch
}

// conditions finds conditions and selections that can never hold.
func (d doc) conditions(r *sigma.Rule, binding logsource.Binding) {
	for _, c := range r.Conditions {
		if term := contradicted(c); term != "" {
			d.warn(d.text.line("detection", "condition:"), 0, "the condition can never hold: it asks both for %s and for not %s", term, term)
		}
	}
	for _, s := range ownSelections(d.set, r) {
		for _, alternative := range s.Alternatives {
			if field := impossible(alternative, binding); field != "" {
				d.warn(alternative[0].Line, 0, "the selection %s can never hold here: what it asks of %s excludes itself", s.Name, field)
			}
		}
	}
}

// contradicted gives a term that the condition asks for together with its negation.
func contradicted(c sigma.Condition) string {
	switch c := c.(type) {
	case sigma.Or:
		// Each of the ways must be impossible, of which the first speaks for all.
		first := ""
		for _, t := range c.Terms {
			term := contradicted(t)
			if term == "" {
				return ""
			}
			if first == "" {
				first = term
			}
		}
		return first
	case sigma.And:
		terms := conjuncts(c)
		for _, t := range terms {
			if slices.ContainsFunc(terms, func(other sigma.Condition) bool { return other.String() == "not "+t.String() }) {
				return t.String()
			}
			if term := contradicted(t); term != "" {
				return term
			}
		}
	}
	return ""
}

func conjuncts(c sigma.And) []sigma.Condition {
	var terms []sigma.Condition
	for _, t := range c.Terms {
		if inner, ok := t.(sigma.And); ok {
			terms = append(terms, conjuncts(inner)...)
			continue
		}
		terms = append(terms, t)
	}
	return terms
}

// impossible gives a field that an alternative asks two things of that exclude each other. Only fields that have one value
// in an event of ours are looked at: one of several values may be this and another that.
func impossible(items sigma.Alternative, binding logsource.Binding) string {
	wanted := map[string][]string{}
	for _, item := range items {
		texts, ok := wholeTexts(item)
		if !ok || !single(item.Field, binding) {
			continue
		}
		if item.All && len(texts) > 1 {
			return item.Field
		}
		before, asked := wanted[item.Field]
		if asked && !slices.ContainsFunc(texts, func(t string) bool { return slices.Contains(before, t) }) {
			return item.Field
		}
		if !asked {
			wanted[item.Field] = texts
		}
	}
	return ""
}

// wholeTexts gives the whole values that an item asks for, folded; ok is false where it asks for anything else.
func wholeTexts(item *sigma.Item) (texts []string, ok bool) {
	if item.Negate || item.Field == "" {
		return nil, false
	}
	for _, v := range item.Values {
		for _, m := range v.Matchers {
			text, ok := wholeText(m)
			if !ok {
				return nil, false
			}
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts), true
}

func wholeText(m sigma.Matcher) (string, bool) {
	switch m := m.(type) {
	case sigma.Pattern:
		if len(m.Parts) == 1 && m.Parts[0].Kind == sigma.Literal {
			return strings.ToLower(m.Parts[0].Text), true
		}
	case sigma.Number:
		return fmt.Sprint(m.Value), true
	}
	return "", false
}

// single reports whether a field has at most one value in every event of the vocabulary that the rule sees.
func single(field string, binding logsource.Binding) bool {
	names, known := binding.Attributes(field)
	if !known || len(names) != 1 || slices.ContainsFunc(binding.Views, logsource.IsLines) {
		return false
	}
	t, _ := event.TypeOf(names[0])
	return t != event.Strings && t != event.Ints && t != event.Map
}
