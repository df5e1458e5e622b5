// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// deepestCheck bounds the tree, so that no file makes the program recurse without end.
const deepestCheck = 16

func (p *parser) check(n *yaml.Node) *Check { return p.checkAt(n, deepestCheck) }

// checkAt reads a map with exactly one key: all, any, not or the name of a table.
func (p *parser) checkAt(n *yaml.Node, depth int) *Check {
	c := &Check{Position: p.at(n)}
	switch {
	case depth == 0:
		p.errorf(n, "check: found more than %d checks inside of each other, expected fewer", deepestCheck)
		return c
	case n.Kind != yaml.MappingNode || len(n.Content) != 2:
		p.errorf(n, "check: found %s, expected a map with one key: all, any, not or one of %s", describeMap(n), strings.Join(sortedKeys(tables), ", "))
		return c
	}
	key, value := n.Content[0], yamltree.Resolved(n.Content[1])
	switch key.Value {
	case "all", "any":
		var parts []*Check
		for _, element := range p.list(value, key.Value) {
			parts = append(parts, p.checkAt(element, depth-1))
		}
		if key.Value == "all" {
			c.All = parts
		} else {
			c.Any = parts
		}
	case "not":
		c.Not = p.checkAt(value, depth-1)
	default:
		if tables[key.Value] == nil {
			p.errorf(key, "check: found %s as a key, expected all, any, not or one of %s", yamltree.Kind(key), strings.Join(sortedKeys(tables), ", "))
			return c
		}
		c.Leaf = p.leaf(key.Value, value)
	}
	return c
}

func describeMap(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "a map with " + strconv.Itoa(len(n.Content)/2) + " keys"
	}
	return yamltree.Kind(n)
}

// leafKeys are the keys that every table has beside its parameters.
var leafKeys = []string{"count", "expect", "if_none", "some", "where"}

var ifNone = []Verdict{Pass, Fail, NotApplicable}

func (p *parser) leaf(name string, n *yaml.Node) *Leaf {
	t := tables[name]
	l := &Leaf{Table: name, Args: map[string]Operand{}, Position: p.at(n)}
	p.entries(n, name, func(key, value *yaml.Node) {
		what := name + "." + key.Value
		switch key.Value {
		case "where":
			l.Where = p.conditions(t, value, what)
		case "expect":
			l.Expect = p.conditions(t, value, what)
		case "count":
			c := p.condition(kindNumber, value, what)
			l.Count = &c
		case "some":
			l.Some = p.boolean(value, what)
		case "if_none":
			l.IfNone = oneOf(p, value, what, ifNone)
		default:
			p.argument(l, t, key, value)
		}
	})
	for _, param := range sortedKeys(t.params) {
		if t.params[param].required && n.Kind == yaml.MappingNode && yamltree.ValueOf(n, param) == nil {
			p.errorf(n, "%s: the key %q is missing", name, param)
		}
	}
	switch {
	case l.IfNone != "":
	case len(l.Expect) == 0 || l.Some:
		// Who asks for a row is not answered by none, whatever the table.
		l.IfNone = Fail
	default:
		l.IfNone = t.ifNone
	}
	if l.Some && len(l.Expect) == 0 {
		p.errorf(n, "%s: found some without expect, expected what one of the rows must be", name)
	}
	return l
}

func (p *parser) argument(l *Leaf, t *table, key, value *yaml.Node) {
	if o, ok := p.parameter(t.params, append(sortedKeys(t.params), leafKeys...), key, value, l.Table); ok {
		l.Args[key.Value] = o
	}
}

// parameter reads what a table or a primitive can be given; expected are all keys that what may have.
func (p *parser) parameter(params map[string]param, expected []string, key, value *yaml.Node, what string) (o Operand, ok bool) {
	known, ok := params[key.Value]
	if !ok {
		p.errorf(key, "%s: found %s as a key, expected one of %s", what, yamltree.Kind(key), strings.Join(expected, ", "))
		return o, false
	}
	what += "." + key.Value
	o = p.operand(value, what)
	switch {
	case o.Ref != "":
	case o.IsList && !known.list:
		p.errorf(value, "%s: found a list, expected one element", what)
	case known.check != nil:
		for _, item := range o.Items {
			if err := known.check(item); err != nil {
				p.errorf(value, "%s: found %s, %v", what, yamltree.Quote(item), err)
			}
		}
	}
	return o, true
}

// conditions reads a map of fields, in the order of the file.
func (p *parser) conditions(t *table, n *yaml.Node, what string) []FieldCondition {
	var all []FieldCondition
	p.entries(n, what, func(key, value *yaml.Node) {
		k, known := t.fields[key.Value]
		if !known {
			p.errorf(key, "%s: found %s as a key, expected one of %s", what, yamltree.Kind(key), strings.Join(sortedKeys(t.fields), ", "))
			return
		}
		all = append(all, FieldCondition{key.Value, p.condition(k, value, what+"."+key.Value)})
	})
	if len(all) == 0 && n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		p.errorf(n, "%s: found an empty map, expected at least one field", what)
	}
	return all
}

// condition reads a scalar, which the field must equal, or a map of operators.
func (p *parser) condition(k kind, n *yaml.Node, what string) Condition {
	if n.Kind == yaml.ScalarNode {
		return Condition{p.test(k, "equals", n, what)}
	}
	var c Condition
	p.entries(n, what, func(key, value *yaml.Node) {
		c = append(c, p.test(k, key.Value, value, what+"."+key.Value))
	})
	if len(c) == 0 && n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		p.errorf(n, "%s: found an empty map, expected one of %s", what, strings.Join(operatorsOf(k), ", "))
	}
	return c
}

// operatorsOf are the operators by which a kind of value can be judged.
func operatorsOf(k kind) []string {
	names := []string{"set"}
	for name, op := range operators {
		if slices.Contains(op.kinds, k) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (p *parser) test(k kind, name string, n *yaml.Node, what string) Test {
	if !slices.Contains(operatorsOf(k), name) {
		p.errorf(n, "%s: found the operator %s for a %s, expected one of %s", what, yamltree.Quote(name), kindNames[k], strings.Join(operatorsOf(k), ", "))
		return Test{"equals", Operand{Items: []string{""}}}
	}
	if name == "set" {
		return Test{name, Operand{Items: []string{strconv.FormatBool(p.boolean(n, what))}, Position: p.at(n)}}
	}
	before := len(p.errs)
	t := Test{name, p.operand(n, what)}
	if t.Operand.Ref == "" && len(p.errs) == before {
		if msg := t.problem(k); msg != "" {
			p.errorf(n, "%s: found %s, expected %s", what, yamltree.Kind(n), msg)
		}
	}
	return t
}

var octalForm = regexp.MustCompile(`\A0?[0-7]{3,4}\z`)

// problem says what a test's operand should have been, "" where it is good.
func (t Test) problem(k kind) string {
	op, items := operators[t.Operator], t.Operand.Items
	if op.list {
		if !t.Operand.IsList {
			return "a list"
		}
	} else if t.Operand.IsList || len(items) != 1 {
		return "one value"
	}
	for _, item := range items {
		switch {
		case t.Operator == "matches", t.Operator == "matches_not":
			if _, err := regexp.Compile(item); err != nil {
				return "a regular expression: " + err.Error()
			}
		case k == kindMode:
			if !octalForm.MatchString(item) {
				return "octal digits such as 0640"
			}
		case k == kindFlag:
			if item != "true" && item != "false" {
				return "true or false"
			}
		case k == kindNumber, t.Operator == "min", t.Operator == "max":
			if _, err := strconv.ParseInt(item, 10, 64); err != nil {
				return "a whole number"
			}
		}
	}
	return ""
}
