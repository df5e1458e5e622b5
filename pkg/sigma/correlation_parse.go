// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

var correlationTypes = []string{
	string(EventCount), string(ValueCount), string(Temporal), string(TemporalOrdered), string(ValueSum), string(ValueAvg),
	string(ValuePercentile), string(ValueMedian), string(FirstSeen),
}

// correlation reads a correlation document, and gives nil if there is anything wrong with it.
func (p *parser) correlation(doc *yaml.Node) *Correlation {
	before := len(p.errs)
	c := &Correlation{Header: p.headerAt(doc)}
	p.require(doc, "the correlation", "title")
	p.eachEntry(doc, "the correlation", func(key, value *yaml.Node) {
		switch key.Value {
		case "correlation":
			p.correlationBody(c, value)
		case "generate":
			c.Generate = p.boolean(value, key.Value)
		case "detection", "filter":
			p.errorf(key, "found the key %q beside correlation, expected it in a document of its own", key.Value)
		case "tests":
			for _, element := range p.list(value, key.Value) {
				c.Tests = append(c.Tests, p.sequence(element))
			}
		default:
			p.header(&c.Header, key.Value, value)
		}
	})
	c.setDefaults()
	if len(p.errs) > before {
		return nil
	}
	return c
}

func (p *parser) correlationBody(c *Correlation, n *yaml.Node) {
	before := len(p.errs)
	p.require(n, "correlation", "type", "timespan")
	p.eachEntry(n, "correlation", func(key, value *yaml.Node) {
		what := "correlation." + key.Value
		switch key.Value {
		case "type":
			c.Type = CorrelationType(p.oneOf(value, what, correlationTypes))
		case "rules":
			c.Rules = p.references(value, what)
		case "group-by":
			c.GroupBy = p.distinct(value, what)
		case "timespan":
			c.Timespan = p.timespan(value, what)
		case "aliases":
			c.Aliases = p.aliases(value)
		case "generate":
			c.Generate = p.boolean(value, what)
		case "condition":
		default:
			p.errorf(key, "correlation: found the key %q, expected type, rules, group-by, timespan, aliases, condition or generate", key.Value)
		}
	})
	if len(p.errs) == before {
		p.correlationCondition(c, n, yamltree.ValueOf(n, "condition"))
	}
}

// correlationCondition reads the condition, which depends on everything else, and sees to what the type needs.
func (p *parser) correlationCondition(c *Correlation, body, n *yaml.Node) {
	expression := n != nil && n.Kind == yaml.ScalarNode && c.Type.Ordering()
	if expression {
		p.expression(c, n)
	}
	if len(c.Rules) == 0 && !expression {
		p.require(body, "correlation", "rules")
	}
	switch {
	case expression:
	case n != nil:
		p.threshold(c, n)
	case c.Type.Ordering():
		c.Threshold.Bounds = []Bound{{"gte", float64(len(c.Rules))}}
	default:
		p.require(body, "correlation", "condition")
	}
}

// expression reads a boolean expression over the rules. Without a list of rules those of the expression are meant.
func (p *parser) expression(c *Correlation, n *yaml.Node) {
	tokens := conditionTokens(p.text(n, "condition"))
	if len(c.Rules) == 0 {
		for i, t := range tokens {
			if !reserved(t) && !slices.Contains(tokens[:i], t) {
				line, column := p.locate(n, tokens, i)
				c.Rules = append(c.Rules, Reference{Text: t, Line: line, Column: column})
			}
		}
	}
	var operands []*Selection
	for _, r := range c.Rules {
		operands = append(operands, &Selection{Name: r.Text, Line: r.Line, Column: r.Column})
	}
	c.Expression = p.condition(n, operands, "rule")
	if c.Expression == nil {
		return
	}
	used := c.Expression.mentioned()
	for i, s := range operands {
		if !slices.Contains(used, s) {
			r := c.Rules[i]
			p.errorAt(r.Line, r.Column, "correlation.rules: the condition does not mention %s, expected every rule that is listed to be in it", yamltree.Quote(r.Text))
		}
	}
	switch {
	case len(positive(c.Expression, false)) == 0:
		p.errorf(n, "condition: found nothing but rules that must not match, expected one that must")
	case c.Type == TemporalOrdered && slices.Contains(lowered(tokens), "not"):
		p.errorf(n, "condition: found \"not\", expected none in %s: what does not happen has no place in an order", c.Type)
	}
}

func lowered(words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = strings.ToLower(w)
	}
	return all
}

// positive gives the selections that stand under an even number of nots.
func positive(c Condition, negated bool) []*Selection {
	var all []*Selection
	switch c := c.(type) {
	case And:
		for _, t := range c.Terms {
			all = append(all, positive(t, negated)...)
		}
	case Or:
		for _, t := range c.Terms {
			all = append(all, positive(t, negated)...)
		}
	case Not:
		return positive(c.Term, !negated)
	default:
		if !negated {
			return c.mentioned()
		}
	}
	return all
}

var boundOperators = []string{"gt", "gte", "lt", "lte", "eq", "neq"}

// threshold reads a condition that is a map.
func (p *parser) threshold(c *Correlation, n *yaml.Node) {
	before := len(p.errs)
	if c.Type == FirstSeen {
		c.Threshold.Learn = c.Timespan
	}
	p.eachEntry(n, "condition", func(key, value *yaml.Node) {
		what := "condition." + key.Value
		switch {
		case slices.Contains(boundOperators, key.Value) && c.Type != FirstSeen:
			c.Threshold.Bounds = append(c.Threshold.Bounds, Bound{key.Value, p.bound(c, value, what)})
		case key.Value == "field" && c.Type != EventCount && !c.Type.Ordering():
			c.Threshold.Fields = p.distinct(value, what)
		case key.Value == "percentile" && c.Type == ValuePercentile:
			c.Threshold.Percentile = p.percentile(value)
		case key.Value == "learn" && c.Type == FirstSeen:
			c.Threshold.Learn = p.offset(value, what)
		default:
			p.errorf(key, "condition: found the key %q, expected %s", key.Value, c.Type.conditionKeys())
		}
	})
	if len(p.errs) == before {
		p.checkThreshold(c, n)
	}
}

// conditionKeys names what a condition of the type may have, for messages.
func (t CorrelationType) conditionKeys() string {
	operators := strings.Join(boundOperators, ", ")
	switch {
	case t == FirstSeen:
		return "field or learn"
	case t == ValuePercentile:
		return "field, percentile, " + operators
	case t == EventCount || t.Ordering():
		return operators
	}
	return "field, " + operators
}

// checkThreshold refuses what is incomplete and what could never hold.
func (p *parser) checkThreshold(c *Correlation, n *yaml.Node) {
	t := c.Threshold
	switch {
	case c.Type == ValuePercentile:
		p.require(n, "condition", "field", "percentile")
	case c.Type != EventCount && !c.Type.Ordering():
		p.require(n, "condition", "field")
	}
	if c.Type.Numeric() && len(t.Fields) > 1 {
		p.errorf(n, "condition.field: found %d fields, expected the one whose numbers are meant", len(t.Fields))
	}
	if c.Type == FirstSeen {
		return
	}
	least, most, expected := 1.0, math.MaxFloat64, "a condition that some number fulfils"
	switch {
	case c.Type.Numeric():
		least = -math.MaxFloat64
	case c.Type.Ordering():
		most, expected = float64(len(c.Rules)), "one that a number from 1 to "+strconv.Itoa(len(c.Rules))+" fulfils"
	default:
		expected = "one that a number from 1 on fulfils, because a window begins with a match"
	}
	switch {
	case c.Type == TemporalOrdered && !t.Rising():
		p.errorf(n, "condition: found an upper bound, expected gt or gte in %s", c.Type)
	case len(t.Bounds) == 0:
		p.errorf(n, "condition: found no comparison, expected one of %s", strings.Join(boundOperators, ", "))
	case !t.possible(least, most, !c.Type.Numeric()):
		p.errorf(n, "condition: found bounds that nothing is within, expected %s", expected)
	}
}

// bound reads what is compared with: a whole number for what is counted, any for what is computed.
func (p *parser) bound(c *Correlation, n *yaml.Node, what string) float64 {
	var f float64
	tag := n.ShortTag()
	number := n.Kind == yaml.ScalarNode && (tag == "!!int" || tag == "!!float") && n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	switch {
	case !number:
		p.errorf(n, "%s: found %s, expected a finite number", what, yamltree.Kind(n))
	case !c.Type.Numeric() && (f != math.Trunc(f) || f < 0 || f > math.MaxInt32):
		p.errorf(n, "%s: found %s, expected a whole number from 0 to %d", what, yamltree.Kind(n), math.MaxInt32)
	}
	return f
}

func (p *parser) percentile(n *yaml.Node) float64 {
	var f float64
	if tag := n.ShortTag(); (tag != "!!int" && tag != "!!float") || n.Decode(&f) != nil || !(0 <= f && f <= 100) {
		p.errorf(n, "condition.percentile: found %s, expected a number from 0 to 100", yamltree.Kind(n))
	}
	return f
}

// references reads one name or id, or a list of them.
func (p *parser) references(n *yaml.Node, what string) []Reference {
	nodes := []*yaml.Node{n}
	if n.Kind != yaml.ScalarNode {
		nodes = p.list(n, what)
		if n.Kind == yaml.SequenceNode && len(nodes) == 0 {
			p.errorf(n, "%s: found an empty list, expected at least one rule", what)
		}
	}
	var all []Reference
	for _, element := range nodes {
		r := Reference{Text: p.text(element, "an element of "+what), Line: element.Line, Column: element.Column}
		switch {
		case strings.TrimSpace(r.Text) == "" && element.ShortTag() == "!!str":
			p.errorf(element, "%s: found no text, expected the id or name of a rule", what)
		case slices.ContainsFunc(all, func(other Reference) bool { return other.Text == r.Text }):
			p.errorf(element, "%s: found %s twice, expected it once", what, yamltree.Quote(r.Text))
		}
		all = append(all, r)
	}
	return all
}

// distinct reads the names of fields, each of which makes sense only once.
func (p *parser) distinct(n *yaml.Node, what string) []string {
	all := p.textOrTexts(n, what)
	for i, name := range all {
		switch {
		case name == "":
			p.errorf(n, "%s: found no text, expected the name of a field", what)
		case slices.Contains(all[:i], name):
			p.errorf(n, "%s: found %s twice, expected it once", what, yamltree.Quote(name))
		}
	}
	return all
}

func (p *parser) aliases(n *yaml.Node) []Alias {
	var all []Alias
	p.eachEntry(n, "correlation.aliases", func(name, fields *yaml.Node) {
		what := "correlation.aliases." + name.Value
		p.eachEntry(fields, what, func(rule, field *yaml.Node) {
			r := Reference{Text: rule.Value, Line: rule.Line, Column: rule.Column}
			all = append(all, Alias{Name: name.Value, Rule: r, Field: p.text(field, what+"."+rule.Value)})
		})
	})
	return all
}

var (
	timespanForm  = regexp.MustCompile(`^([0-9]+)([smhdwMy])$`)
	timespanUnits = map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
		// A month is a twelfth of a year, and a year has 365.2425 days.
		"M": 2_629_746 * time.Second, "y": 31_556_952 * time.Second,
	}
)

const maxTimespan = 10 * 31_556_952 * time.Second

func (p *parser) timespan(n *yaml.Node, what string) time.Duration {
	m := timespanForm.FindStringSubmatch(n.Value)
	if n.ShortTag() != "!!str" || m == nil {
		p.errorf(n, "%s: found %s, expected a whole number and one of the units s, m, h, d, w, M, y, such as 90m", what, yamltree.Kind(n))
		return 0
	}
	unit := timespanUnits[m[2]]
	count, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || count == 0 || count > int64(maxTimespan/unit) {
		p.errorf(n, "%s: found %s, expected a time span from 1s to 10y", what, yamltree.Kind(n))
		return 0
	}
	return time.Duration(count) * unit
}

// offset reads a time span that may be 0.
func (p *parser) offset(n *yaml.Node, what string) time.Duration {
	if m := timespanForm.FindStringSubmatch(n.Value); n.ShortTag() == "!!str" && m != nil && strings.Trim(m[1], "0") == "" {
		return 0
	}
	if d, err := time.ParseDuration(n.Value); n.ShortTag() == "!!str" && err == nil && 0 <= d && d <= maxTimespan {
		return d
	}
	return p.timespan(n, what)
}

func (p *parser) sequence(n *yaml.Node) SequenceTest {
	t := SequenceTest{Line: n.Line}
	p.require(n, "tests", "name", "events", "fires")
	p.eachEntry(n, "tests", func(key, value *yaml.Node) {
		switch key.Value {
		case "name":
			t.Name = p.text(value, "tests.name")
		case "events":
			for _, element := range p.list(value, "tests.events") {
				t.Events = append(t.Events, p.sequenceEvent(element))
			}
		case "fires":
			for _, element := range p.list(value, "tests.fires") {
				t.Fires = append(t.Fires, p.offset(element, "an element of tests.fires"))
			}
		default:
			p.errorf(key, "tests: found the key %q, expected name, events or fires", key.Value)
		}
	})
	return t
}

func (p *parser) sequenceEvent(n *yaml.Node) SequenceEvent {
	e := SequenceEvent{Times: 1}
	p.require(n, "tests.events", "at", "event")
	p.eachEntry(n, "tests.events", func(key, value *yaml.Node) {
		what := "tests.events." + key.Value
		switch key.Value {
		case "at":
			e.At = p.offset(value, what)
		case "times":
			e.Times = p.times(value, what)
		case "every":
			e.Every = p.offset(value, what)
		case "category":
			e.Category = p.text(value, what)
		case "keywords":
			e.Keywords = p.texts(value, what)
		case "event":
			e.Event = p.event(value)
		default:
			p.errorf(key, "tests.events: found the key %q, expected at, times, every, category, event or keywords", key.Value)
		}
	})
	return e
}

const maxTimes = 1_000_000

func (p *parser) times(n *yaml.Node, what string) int {
	times, err := strconv.Atoi(n.Value)
	if n.ShortTag() != "!!int" || err != nil || times < 1 || times > maxTimes {
		p.errorf(n, "%s: found %s, expected a whole number from 1 to %d", what, yamltree.Kind(n), maxTimes)
	}
	return times
}
