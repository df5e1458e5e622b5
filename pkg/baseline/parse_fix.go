// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// fix reads a list of steps.
func (p *parser) fix(n *yaml.Node) []*Step {
	var steps []*Step
	for _, element := range p.list(n, "fix") {
		if step := p.step(element); step != nil {
			steps = append(steps, step)
		}
	}
	return steps
}

// step reads a map with one key, the name of a primitive.
func (p *parser) step(n *yaml.Node) *Step {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		p.errorf(n, "fix: found %s, expected a map with one key: one of %s", describeMap(n), strings.Join(StepKinds(), ", "))
		return nil
	}
	name, value := n.Content[0], yamltree.Resolved(n.Content[1])
	kind := stepKinds[name.Value]
	if kind == nil {
		p.errorf(name, "fix: found %s as a key, expected one of %s", yamltree.Kind(name), strings.Join(StepKinds(), ", "))
		return nil
	}
	s := &Step{Kind: name.Value, Args: map[string]Operand{}, Position: p.at(n)}
	before := len(p.errs)
	p.entries(value, "fix."+s.Kind, func(key, value *yaml.Node) {
		what := "fix." + s.Kind + "." + key.Value
		switch {
		case key.Value == "where" && kind.where != nil:
			s.Where = p.conditions(kind.where, value, what)
		case key.Value == "keep" && kind.keep:
			s.Keep = p.condition(kindText, value, what)
		default:
			if o, ok := p.parameter(kind.params, kind.keys(), key, value, "fix."+s.Kind); ok {
				s.Args[key.Value] = o
			}
		}
	})
	for _, name := range sortedKeys(kind.params) {
		if kind.params[name].required {
			p.require(value, "fix."+s.Kind, name)
		}
	}
	if kind.where != nil {
		p.require(value, "fix."+s.Kind, "where")
	}
	if problem := kind.problem(s); problem != "" && len(p.errs) == before {
		p.errorf(value, "fix.%s: %s", s.Kind, problem)
	}
	return s
}

// keys are those that a step of the kind may have.
func (k *stepKind) keys() []string {
	names := sortedKeys(k.params)
	if k.keep {
		names = append(names, "keep")
	}
	if k.where != nil {
		names = append(names, "where")
	}
	return names
}

// checkFix tells what of a rule's repair is missing.
func (p *parser) checkFix(r *Rule, n *yaml.Node) {
	switch {
	case r.Fix != nil && r.Undo == "":
		p.errorf(n, "rules: the key %q is missing, which says how exactly the fix can be taken back", "undo")
	case r.Fix == nil && r.Undo != "":
		p.errorf(n, "rules: found undo without fix, expected both")
	case r.Fix != nil && r.Check == nil:
		p.errorf(n, "rules: found fix without check, expected a check that tells whether it helped")
	}
}
