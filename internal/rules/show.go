// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/attack"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// Shown is everything about a rule or a correlation.
type Shown struct {
	Listed
	Description    string       `json:"description,omitempty"`
	Author         string       `json:"author,omitempty"`
	Date           string       `json:"date,omitempty"`
	Modified       string       `json:"modified,omitempty"`
	License        string       `json:"license,omitempty"`
	References     []string     `json:"references,omitempty"`
	FalsePositives []string     `json:"falsepositives,omitempty"`
	Tags           []ShownTag   `json:"tags,omitempty"`
	Reasons        []string     `json:"reasons,omitempty"` // where it is degraded
	Sees           []string     `json:"sees,omitempty"`    // kinds of events and of lines
	Fields         []ShownField `json:"fields,omitempty"`
	Condition      []string     `json:"condition,omitempty"`
	Correlates     *ShownGroup  `json:"correlates,omitempty"`
	Exceptions     []ShownPlace `json:"exceptions,omitempty"`
	Output         string       `json:"output,omitempty"`
	Dedup          *ShownDedup  `json:"dedup,omitempty"`
	Response       []string     `json:"response,omitempty"`
	Risk           int          `json:"risk,omitempty"`
	TestNames      []string     `json:"test_names,omitempty"`
	Text           []string     `json:"text"` // its lines in the file
}

// ShownTag is a tag and what it stands for.
type ShownTag struct {
	Tag  string `json:"tag"`
	Name string `json:"name,omitempty"`
}

// ShownField is a field that a rule reads and the attributes it means.
type ShownField struct {
	Field      string   `json:"field"`
	Attributes []string `json:"attributes"`
	Known      bool     `json:"known"` // some event has one of them
}

// ShownPlace is a document that has to do with the rule.
type ShownPlace struct {
	Title string `json:"title"`
	File  string `json:"file"`
	Line  int    `json:"line"`
}

// ShownDedup says which alerts are one.
type ShownDedup struct {
	Group  string   `json:"group"`
	Key    []string `json:"key"`
	Window string   `json:"window"`
}

// ShownGroup is what a correlation counts.
type ShownGroup struct {
	Type     sigma.CorrelationType `json:"type"`
	Rules    []ShownPlace          `json:"rules"`
	GroupBy  []string              `json:"group_by,omitempty"`
	Timespan string                `json:"timespan"`
}

// Show gathers everything about a rule, or about a correlation; the other is nil.
func Show(set *ruleset.Set, r *ruleset.Rule, c *ruleset.Correlation) *Shown {
	if c != nil {
		return showCorrelation(set, c)
	}
	s := showHeader(set, r.Source, &r.Header)
	s.Condition = conditionTexts(r.Conditions)
	binding := logsource.For(r.LogSource)
	for _, view := range binding.Views {
		s.Sees = append(s.Sees, viewName(view))
	}
	for _, field := range r.FieldNames() {
		attributes, known := binding.Attributes(field)
		s.Fields = append(s.Fields, ShownField{field, attributes, known || !binding.OwnEvents()})
	}
	for _, f := range narrowing(set, r.Rule) {
		s.Exceptions = append(s.Exceptions, ShownPlace{f.Title, f.File, f.Line})
	}
	for _, t := range r.Tests {
		s.TestNames = append(s.TestNames, t.Name+map[bool]string{true: " (matches)", false: " (no match)"}[t.Match])
	}
	return s
}

func conditionTexts(conditions []sigma.Condition) []string {
	var all []string
	for _, c := range conditions {
		all = append(all, outermost(c.String()))
	}
	return all
}

// outermost takes the parentheses away that are around all of a condition.
func outermost(text string) string {
	depth := 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 && i < len(text)-1 {
			return text
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(text, "("), ")")
}

func viewName(view string) string {
	service, of := strings.CutPrefix(view, logsource.LinesOf(""))
	switch {
	case view == logsource.Lines:
		return "lines of logs whose service is not known"
	case of && service == "":
		return "lines of all logs"
	case of:
		return "lines of " + service
	}
	return view
}

func showCorrelation(set *ruleset.Set, c *ruleset.Correlation) *Shown {
	s := showHeader(set, c.Source, &c.Header)
	s.Correlates = &ShownGroup{Type: c.Type, GroupBy: c.GroupBy, Timespan: span(c.Timespan)}
	for _, reference := range c.Rules {
		h := &sigma.Header{}
		if reference.Rule != nil {
			h = &reference.Rule.Header
		} else if reference.Correlation != nil {
			h = &reference.Correlation.Header
		}
		s.Correlates.Rules = append(s.Correlates.Rules, ShownPlace{h.Title, h.File, h.Line})
	}
	s.Condition = []string{correlationCondition(c.Correlation)}
	for _, t := range c.Tests {
		s.TestNames = append(s.TestNames, t.Name)
	}
	return s
}

func correlationCondition(c *sigma.Correlation) string {
	if c.Expression != nil {
		return outermost(c.Expression.String())
	}
	var parts []string
	for _, b := range c.Threshold.Bounds {
		parts = append(parts, fmt.Sprintf("%s %v", b.Op, b.Value))
	}
	text := strings.Join(parts, " and ")
	if len(c.Threshold.Fields) > 0 {
		text = strings.TrimSpace(strings.Join(c.Threshold.Fields, ", ") + " " + text)
	}
	return cmp.Or(text, "all of them")
}

// span writes a time span without parts that are zero.
func span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func showHeader(set *ruleset.Set, source string, h *sigma.Header) *Shown {
	s := &Shown{
		Description: strings.TrimSpace(h.Description), Author: h.Author, Date: h.Date, Modified: h.Modified, License: h.License,
		References: h.References, FalsePositives: h.FalsePositives, Output: h.Output, Response: h.Response, Risk: h.Risk,
		Text: texts{}.of(source, h).lines,
	}
	for _, l := range List(set) {
		if l.File == h.File && l.Line == h.Line {
			s.Listed = l
		}
	}
	for _, e := range set.Report.Entries {
		if e.File == h.File && e.Line == h.Line {
			s.Reasons = e.Reasons
		}
	}
	for _, tag := range h.Tags {
		s.Tags = append(s.Tags, ShownTag{tag, tagName(tag)})
	}
	if d := h.Dedup; d != nil {
		s.Dedup = &ShownDedup{d.Group, d.Key, span(d.Window)}
	}
	return s
}

// tagName is what ATT&CK calls the thing that a tag stands for.
func tagName(tag string) string {
	found := attack.FromTags([]string{tag})
	technique := strings.HasPrefix(strings.ToLower(tag), "attack.t") && len(found.Techniques) > 0
	switch {
	case technique && len(found.Subtechniques) > 0:
		return found.Techniques[0].Name + ": " + found.Subtechniques[0].Name
	case technique:
		return found.Techniques[0].Name
	case len(found.Tactics) > 0:
		return found.Tactics[0].Name
	}
	return ""
}

// WriteText writes it for reading, the text of the rule last.
func (s *Shown) WriteText(w io.Writer, paint Paint) error {
	p := &sheet{paint: paint}
	fmt.Fprintf(&p.text, "%s\n", paint.in(bold, s.Title))
	p.paragraph(s.Description)
	p.row("id", s.ID)
	p.row("name", s.Name)
	p.row("file", fmt.Sprintf("%s:%d", s.File, s.Line))
	p.row("level", string(s.Level))
	p.row("status", s.Status)
	p.row("state", s.state())
	p.rows("", s.Reasons)
	p.row("author", strings.Join(slices.DeleteFunc([]string{s.Author, s.Date, s.License}, func(t string) bool { return t == "" }), ", "))
	p.row("modified", s.Modified)
	for i, tag := range s.Tags {
		p.row(only("tags", i), strings.TrimSpace(padded(tag.Tag, 28)+" "+tag.Name))
	}
	p.rows("sees", s.Sees)
	for i, f := range s.Fields {
		note := ""
		if !f.Known {
			note = paint.in(yellow, "  (no event has it)")
		}
		p.row(only("fields", i), padded(f.Field, 28)+" "+strings.Join(f.Attributes, ", ")+note)
	}
	p.correlates(s.Correlates)
	p.rows("condition", s.Condition)
	for i, e := range s.Exceptions {
		p.row(only("except", i), fmt.Sprintf("%s (%s:%d)", e.Title, e.File, e.Line))
	}
	p.row("output", s.Output)
	if s.Dedup != nil {
		p.row("dedup", fmt.Sprintf("%s by %s within %s", s.Dedup.Group, orDash(strings.Join(s.Dedup.Key, ", ")), s.Dedup.Window))
	}
	p.rows("response", s.Response)
	if s.Risk > 0 {
		p.row("risk", fmt.Sprint(s.Risk))
	}
	p.rows("benign", s.FalsePositives)
	p.rows("see", s.References)
	p.rows("tests", s.TestNames)
	p.text.WriteString("\n")
	for _, line := range s.Text {
		p.text.WriteString(paint.in(dim, line) + "\n")
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

func (s *Shown) state() string {
	if s.Silent {
		return string(s.State) + ", silent: it counts for correlations only"
	}
	return string(s.State)
}

// sheet is a page of rows with names.
type sheet struct {
	paint Paint
	text  strings.Builder
}

func (p *sheet) row(name, value string) {
	if value != "" {
		fmt.Fprintf(&p.text, "%s  %s\n", p.paint.in(bold, fmt.Sprintf("%-9s", name)), value)
	}
}

func (p *sheet) rows(name string, values []string) {
	for i, v := range values {
		p.row(only(name, i), v)
	}
}

func (p *sheet) correlates(g *ShownGroup) {
	if g == nil {
		return
	}
	p.row("joins", fmt.Sprintf("%s by %s within %s", g.Type, orDash(strings.Join(g.GroupBy, ", ")), g.Timespan))
	for i, r := range g.Rules {
		p.row(only("rules", i), fmt.Sprintf("%s (%s:%d)", r.Title, r.File, r.Line))
	}
}

const paragraphWidth = 100

// paragraph breaks text into lines.
func (p *sheet) paragraph(text string) {
	line := 0
	for _, word := range strings.Fields(text) {
		if line > 0 && line+1+len(word) > paragraphWidth {
			p.text.WriteString("\n")
			line = 0
		} else if line > 0 {
			p.text.WriteString(" ")
			line++
		}
		p.text.WriteString(word)
		line += len(word)
	}
	if line > 0 {
		p.text.WriteString("\n")
	}
	p.text.WriteString("\n")
}

// only gives a name to the first row of several.
func only(name string, i int) string {
	if i > 0 {
		return ""
	}
	return name
}
