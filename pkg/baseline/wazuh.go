// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// A policy file of Wazuh's security configuration assessment is read as a template: each check is a rule, and its strings, such as
// "f:/etc/ssh/sshd_config -> r:^\s*PermitRootLogin\s+no", become questions to tables.

// isWazuh reports whether a document is such a policy.
func isWazuh(doc *yaml.Node) bool {
	return doc.Kind == yaml.MappingNode && yamltree.ValueOf(doc, "policy") != nil && yamltree.ValueOf(doc, "checks") != nil
}

// wazuhReader reads one policy.
type wazuhReader struct {
	*parser
	variables *strings.Replacer
	translate func(expr string) string // from the policy's dialect of regular expressions
}

// scaCheck is a check as the file has it.
type scaCheck struct {
	ID          string                 `yaml:"id"`
	Title       string                 `yaml:"title"`
	Rationale   string                 `yaml:"rationale"`
	Description string                 `yaml:"description"`
	Compliance  []map[string]yaml.Node `yaml:"compliance"`
	Condition   string                 `yaml:"condition"`
	Rules       []yaml.Node            `yaml:"rules"`
}

// wazuh reads a policy; nil where it has no id.
func (p *parser) wazuh(doc *yaml.Node) *Template {
	var policy struct {
		Policy struct {
			ID        string `yaml:"id"`
			Name      string `yaml:"name"`
			RegexType string `yaml:"regex_type"`
		} `yaml:"policy"`
		Variables    map[string]string `yaml:"variables"`
		Requirements yaml.Node         `yaml:"requirements"`
		Checks       []yaml.Node       `yaml:"checks"`
	}
	if err := doc.Decode(&policy); err != nil {
		p.errorf(doc, "a policy of Wazuh: %s", yamltree.OneLine(err.Error()))
		return nil
	}
	id := slug(policy.Policy.ID)
	if !idForm.MatchString(id) {
		p.errorf(doc, "policy.id: found %s, expected letters, digits, dots, dashes and underscores", yamltree.Quote(policy.Policy.ID))
		return nil
	}
	w := &wazuhReader{parser: p, variables: replacerOf(policy.Variables), translate: fromOSRegex}
	if strings.EqualFold(policy.Policy.RegexType, "pcre2") {
		w.translate = func(expr string) string { return expr }
	}
	t := &Template{ID: id, Title: Text{EN: policy.Policy.Name}, Position: p.at(doc)}
	var applies *Applies
	if !policy.Requirements.IsZero() {
		if r := w.rule(&policy.Requirements); r != nil {
			applies = &Applies{Check: r.Check, Position: r.Position}
		}
	}
	for i := range policy.Checks {
		if r := w.rule(&policy.Checks[i]); r != nil {
			r.Applies = applies
			t.Rules = append(t.Rules, r)
		}
	}
	return t
}

var notInSlug = regexp.MustCompile(`[^a-z0-9._-]+`)

// slug makes an id as templates have them.
func slug(text string) string {
	return strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// rule reads a check; nil where something in it cannot be read, which is told.
func (w *wazuhReader) rule(n *yaml.Node) *Rule {
	var c scaCheck
	if err := n.Decode(&c); err != nil {
		w.errorf(n, "a check of Wazuh: %s", yamltree.OneLine(err.Error()))
		return nil
	}
	rationale := c.Rationale
	if rationale == "" {
		rationale = c.Description
	}
	r := &Rule{ID: "sca-" + slug(c.ID), Title: Text{EN: c.Title}, Rationale: Text{EN: rationale}, Severity: Medium, Maps: clausesOfSCA(c.Compliance), Position: w.at(n)}
	before := len(w.errs)
	var parts []*Check
	for i := range c.Rules {
		parts = append(parts, w.check(&c.Rules[i]))
	}
	r.Check = &Check{Position: r.Position}
	switch c.Condition {
	case "all":
		r.Check.All = parts
	case "any":
		r.Check.Any = parts
	case "none":
		for _, part := range parts {
			r.Check.All = append(r.Check.All, &Check{Not: part, Position: r.Position})
		}
	default:
		w.errorf(n, "condition: found %s, expected all, any or none", yamltree.Quote(c.Condition))
	}
	if len(parts) == 0 {
		w.errorf(n, "rules: found none, expected at least one")
	}
	if len(w.errs) > before {
		return nil
	}
	return r
}

func clausesOfSCA(compliance []map[string]yaml.Node) map[string][]string {
	maps := map[string][]string{}
	for _, standards := range compliance {
		for standard, clauses := range standards {
			for _, clause := range yamltree.Elements(&clauses) {
				maps[slug(standard)] = append(maps[slug(standard)], clause.Value)
			}
		}
	}
	return maps
}

// replacerOf puts values in for variables, those with longer names first: one name may begin like another.
func replacerOf(variables map[string]string) *strings.Replacer {
	names := sortedKeys(variables)
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, name := range names {
		if name != "" {
			pairs = append(pairs, name, variables[name])
		}
	}
	return strings.NewReplacer(pairs...)
}

const negation = "not "

// check reads one rule string.
func (w *wazuhReader) check(n *yaml.Node) *Check {
	text := w.variables.Replace(strings.TrimSpace(n.Value))
	rest, negated := text, len(text) > len(negation) && strings.EqualFold(text[:len(negation)], negation)
	if negated {
		rest = text[len(negation):]
	}
	kind, rest, ok := strings.Cut(strings.TrimSpace(rest), ":")
	if !ok {
		w.errorf(n, "found %s, expected f:, d:, p: or c: and what it is about", yamltree.Quote(text))
		return nil
	}
	parts := strings.Split(rest, " -> ")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	c := &Check{Leaf: w.leaf(n, kind, parts), Position: w.at(n)}
	if c.Leaf == nil {
		return nil
	}
	if negated {
		return &Check{Not: c, Position: c.Position}
	}
	return c
}

// leaf makes a question of a kind and of what is between the arrows; nil where it cannot be read, which is told.
func (w *wazuhReader) leaf(n *yaml.Node, kind string, parts []string) *Leaf {
	switch {
	case kind == "f" && len(parts) == 1:
		return w.files(n, w.paths(n, parts[0]), "file")
	case kind == "f" && len(parts) == 2:
		return w.lines(n, "line", "files", w.paths(n, parts[0]), parts[1])
	case kind == "d" && len(parts) == 1:
		return w.files(n, w.paths(n, parts[0]), "directory")
	case kind == "d" && len(parts) == 2:
		l := w.files(n, below(w.paths(n, parts[0])), "")
		l.Where = w.conditions(n, "name", parts[1])
		return l
	case kind == "d" && len(parts) == 3:
		l := w.lines(n, "line", "files", below(w.paths(n, parts[0])), parts[2])
		l.Where = append(l.Where, w.conditions(n, "file", parts[1])...)
		return l
	case kind == "c" && len(parts) <= 2 && parts[0] != "":
		pattern := "r:"
		if len(parts) == 2 {
			pattern = parts[1]
		}
		return w.lines(n, "command", "run", words(parts[0]), pattern)
	case kind == "p" && len(parts) == 1:
		return &Leaf{Table: "process", Args: map[string]Operand{}, Where: w.conditions(n, "name", parts[0]), IfNone: Fail, Position: w.at(n)}
	}
	w.errorf(n, "found %s, expected f:, d:, p: or c:, and arrows for what is in it", yamltree.Quote(n.Value))
	return nil
}

// paths reads a list with commas.
func (w *wazuhReader) paths(n *yaml.Node, text string) []string {
	var all []string
	for _, path := range strings.Split(text, ",") {
		path = strings.TrimSpace(path)
		if strings.Contains(path, "->") {
			w.errorf(n, "found the path %s, expected blanks around arrows", yamltree.Quote(path))
			continue
		}
		if err := absolute(path); err != nil {
			w.errorf(n, "found the path %s, %v", yamltree.Quote(path), err)
			continue
		}
		all = append(all, path)
	}
	return all
}

// deepest is how far below a directory its files are looked for.
const deepest = 3

// below gives patterns of what is in directories.
func below(dirs []string) []string {
	var all []string
	for _, dir := range dirs {
		for range deepest {
			dir = strings.TrimSuffix(dir, "/") + "/*"
			all = append(all, dir)
		}
	}
	return all
}

func (w *wazuhReader) list(n *yaml.Node, items ...string) Operand {
	return Operand{Items: items, IsList: true, Position: w.at(n)}
}

func (w *wazuhReader) is(n *yaml.Node, field, operator, value string) FieldCondition {
	return FieldCondition{field, Condition{{operator, Operand{Items: []string{value}, Position: w.at(n)}}}}
}

// files asks whether one of these is there.
func (w *wazuhReader) files(n *yaml.Node, paths []string, kind string) *Leaf {
	l := &Leaf{Table: "file", Args: map[string]Operand{"paths": w.list(n, paths...)}, IfNone: Fail, Some: true, Position: w.at(n)}
	l.Expect = []FieldCondition{w.is(n, "exists", "equals", "true")}
	if kind == "directory" {
		l.Expect = append(l.Expect, w.is(n, "type", "equals", kind))
	}
	return l
}

// lines asks whether one line is as all terms of a pattern say.
func (w *wazuhReader) lines(n *yaml.Node, table, param string, of []string, pattern string) *Leaf {
	l := &Leaf{Table: table, Args: map[string]Operand{param: w.list(n, of...)}, IfNone: Fail, Position: w.at(n)}
	expr := ""
	for _, term := range strings.Split(pattern, " && ") {
		term = strings.TrimSpace(term)
		number, isNumber := strings.CutPrefix(term, "n:")
		if !isNumber {
			l.Where = append(l.Where, w.conditions(n, "text", term)...)
			continue
		}
		if expr != "" {
			w.errorf(n, "found two numbers that are compared, expected one")
		}
		var compared FieldCondition
		expr, compared = w.number(n, number)
		l.Where = append(l.Where, compared)
	}
	l.Args["pattern"] = Operand{Items: []string{expr}, Position: w.at(n)}
	return l
}

// conditions reads a term: "r:EXPRESSION" or the text itself, after "!" what must not be.
func (w *wazuhReader) conditions(n *yaml.Node, field, term string) []FieldCondition {
	term, negated := strings.CutPrefix(term, "!")
	expr, isRegex := strings.CutPrefix(term, "r:")
	if !isRegex {
		return []FieldCondition{w.is(n, field, map[bool]string{false: "equals", true: "not"}[negated], term)}
	}
	return []FieldCondition{w.is(n, field, map[bool]string{false: "matches", true: "matches_not"}[negated], w.regex(n, expr))}
}

// regex gives an expression in this program's dialect.
func (w *wazuhReader) regex(n *yaml.Node, expr string) string {
	translated := w.translate(expr)
	if err := regular(translated); err != nil {
		w.errorf(n, "found %s, %s", yamltree.Quote(expr), yamltree.OneLine(err.Error()))
		return ""
	}
	return translated
}

// comparisons are operators of Wazuh, the longer ones first, with what has to be added to the number for the one that is meant.
var comparisons = []struct {
	sign, operator string
	add            int64
}{{"<=", "max", 0}, {">=", "min", 0}, {"==", "equals", 0}, {"!=", "not", 0}, {"<", "max", -1}, {">", "min", 1}}
