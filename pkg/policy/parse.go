// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// Parse reads the policies of one file, a document each. name is the file in positions and errors. It gives every policy that
// is good, and as error, of type Errors, everything that is wrong with the others.
func Parse(name string, data []byte) ([]*Policy, error) {
	p := &parser{file: name}
	docs, problems := yamltree.Documents(data)
	for _, problem := range problems {
		p.errs = append(p.errs, &Error{Position{name, problem.Line, problem.Column}, problem.Msg})
	}
	var policies []*Policy
	for _, doc := range docs {
		before := len(p.errs)
		if policy := p.policy(doc); len(p.errs) == before {
			policies = append(policies, policy)
		}
	}
	policies, doubled := distinct(policies)
	return policies, append(p.errs, doubled...).orNil()
}

// distinct keeps the first policy of each name.
func distinct(policies []*Policy) (kept []*Policy, errs Errors) {
	first := map[string]*Policy{}
	for _, policy := range policies {
		if known := first[policy.Name]; known != nil {
			errs = append(errs, &Error{policy.Position, "policy: found " + yamltree.Quote(policy.Name) + " twice, first in " +
				known.Position.String() + ", expected a name that no other policy has"})
			continue
		}
		first[policy.Name] = policy
		kept = append(kept, policy)
	}
	return kept, errs
}

// parser reads one file and gathers its problems.
type parser struct {
	file  string
	lists map[string][]Subject // of the document that is being read
	errs  Errors
}

func (p *parser) errorf(n *yaml.Node, format string, args ...any) {
	problem := yamltree.NewProblem(n, format, args...)
	p.errs = append(p.errs, &Error{p.at(n), problem.Msg})
}

func (p *parser) at(n *yaml.Node) Position { return Position{p.file, n.Line, n.Column} }

// fields are the keys that a map may have, and what each sets.
type fields[T any] map[string]func(*parser, *T, *yaml.Node)

func (f fields[T]) names() []string {
	var names []string
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// read sets what the entries of a map say; what names the map in messages.
func (f fields[T]) read(p *parser, into *T, n *yaml.Node, what string) {
	if n.Kind != yaml.MappingNode {
		p.errorf(n, "%s: found %s, expected a map", what, yamltree.Kind(n))
		return
	}
	for i, key := range yamltree.Keys(n) {
		set, known := f[key.Value]
		switch {
		case key.ShortTag() == "!!merge":
			p.errorf(key, "%s: YAML merge keys (<<) are not supported, expected the entries themselves", what)
		case key.Kind != yaml.ScalarNode || !known:
			p.errorf(key, "%s: found %s as a key, expected one of %s", what, yamltree.Kind(key), strings.Join(f.names(), ", "))
		default:
			set(p, into, yamltree.Resolved(n.Content[2*i+1]))
		}
	}
}

// require reports the keys a map lacks.
func (p *parser) require(m *yaml.Node, what string, names ...string) {
	for _, name := range names {
		if m.Kind == yaml.MappingNode && yamltree.ValueOf(m, name) == nil {
			p.errorf(m, "%s: the key %q is missing", what, name)
		}
	}
}

var policyFields = fields[Policy]{
	"policy":      func(p *parser, v *Policy, n *yaml.Node) { v.Name = p.name(n, "policy") },
	"description": func(p *parser, v *Policy, n *yaml.Node) { v.Description = p.text(n, "description") },
	"mode":        func(p *parser, v *Policy, n *yaml.Node) { v.Mode = oneOf(p, n, "mode", modes) },
	"severity":    func(p *parser, v *Policy, n *yaml.Node) { v.Severity = oneOf(p, n, "severity", severities) },
	"attack":      func(p *parser, v *Policy, n *yaml.Node) { v.Attack = listOf(p, n, "attack", (*parser).technique) },
	"on_agent_loss": func(p *parser, v *Policy, n *yaml.Node) {
		v.OnAgentLoss = oneOf(p, n, "on_agent_loss", agentLosses)
	},
	"agent_loss_deadline": func(p *parser, v *Policy, n *yaml.Node) { v.LossAfter = p.duration(n, "agent_loss_deadline") },
	"commit_confirm":      func(p *parser, v *Policy, n *yaml.Node) { v.Confirm = p.duration(n, "commit_confirm") },
	"override": func(p *parser, v *Policy, n *yaml.Node) {
		v.Override = listOf(p, n, "override", func(p *parser, n *yaml.Node, what string) string { return oneOf(p, n, what, refusals) })
	},
	"subjects": func(*parser, *Policy, *yaml.Node) {}, // read before the rules, which name them
	"rules": func(p *parser, v *Policy, n *yaml.Node) {
		v.Rules = listOf(p, n, "rules", (*parser).rule)
	},
}

var (
	modes       = []Mode{Audit, Enforce}
	severities  = []Severity{Low, Medium, High, Critical}
	agentLosses = []AgentLoss{KeepOnLoss, AuditOnLoss, ReleaseOnLoss}
)

const defaultLossAfter = 5 * time.Minute

func (p *parser) policy(doc *yaml.Node) *Policy {
	policy := &Policy{Mode: Audit, Severity: High, OnAgentLoss: KeepOnLoss, LossAfter: defaultLossAfter, Position: p.at(doc)}
	p.require(doc, "the policy", "policy", "rules")
	p.lists = map[string][]Subject{}
	if lists := yamltree.ValueOf(doc, "subjects"); lists != nil {
		p.subjectLists(lists)
	}
	policyFields.read(p, policy, doc, "the policy")
	p.distinctRules(policy.Rules)
	return policy
}

func (p *parser) distinctRules(rules []*Rule) {
	first := map[string]*Rule{}
	for _, rule := range rules {
		if known := first[rule.Name]; known != nil && rule.Name != "" {
			p.errs = append(p.errs, &Error{rule.Position, "rules: found the name " + yamltree.Quote(rule.Name) +
				" twice, first in " + known.Position.String() + ", expected a name that no other rule of the policy has"})
			continue
		}
		first[rule.Name] = rule
	}
}

var ruleFields = fields[Rule]{
	"name":      func(p *parser, v *Rule, n *yaml.Node) { v.Name = p.name(n, "rules.name") },
	"mode":      func(p *parser, v *Rule, n *yaml.Node) { v.Mode = oneOf(p, n, "rules.mode", modes) },
	"files":     func(p *parser, v *Rule, n *yaml.Node) { v.Files = p.files(n) },
	"processes": func(p *parser, v *Rule, n *yaml.Node) { v.Processes = p.processes(n) },
	"exec":      func(p *parser, v *Rule, n *yaml.Node) { v.Exec = p.exec(n) },
	"network":   func(p *parser, v *Rule, n *yaml.Node) { v.Network = p.network(n) },
	"kernel": func(p *parser, v *Rule, n *yaml.Node) {
		v.Kernel = &Kernel{p.operations(n, "kernel", KernelOperations)}
	},
	"who":   func(p *parser, v *Rule, n *yaml.Node) { v.Who = p.subjects(n, "who") },
	"allow": func(p *parser, v *Rule, n *yaml.Node) { v.Allow = p.subjects(n, "allow") },
}

// parts are the keys of a rule of which it has exactly one.
var parts = []string{"files", "processes", "exec", "network", "kernel"}

func (p *parser) rule(n *yaml.Node, _ string) *Rule {
	rule := &Rule{Position: p.at(n)}
	p.require(n, "rules", "name")
	p.exactlyOne(n, "rules", parts...)
	ruleFields.read(p, rule, n, "rules")
	if who := yamltree.ValueOf(n, "who"); who != nil && who.Kind == yaml.SequenceNode && len(who.Content) == 0 {
		p.errorf(who, "who: found an empty list, expected the subjects that the rule is about, or no who for everybody")
	}
	return rule
}

func (p *parser) exactlyOne(n *yaml.Node, what string, names ...string) {
	if n.Kind != yaml.MappingNode {
		return
	}
	var found []string
	for _, key := range yamltree.Keys(n) {
		if slices.Contains(names, key.Value) {
			found = append(found, key.Value)
		}
	}
	switch len(found) {
	case 1:
	case 0:
		p.errorf(n, "%s: found none of the keys %s, expected exactly one", what, strings.Join(names, ", "))
	default:
		p.errorf(n, "%s: found the keys %s, expected exactly one of them", what, strings.Join(found, ", "))
	}
}

var nameForm = regexp.MustCompile(`\A[a-z0-9][a-z0-9-]{0,62}\z`)

func (p *parser) name(n *yaml.Node, what string) string {
	return p.matching(n, what, nameForm, "a name of small letters, digits and dashes, at most 63")
}

var techniqueForm = regexp.MustCompile(`\AT[0-9]{4}(\.[0-9]{3})?\z`)

func (p *parser) technique(n *yaml.Node, what string) string {
	return p.matching(n, what, techniqueForm, "a technique of ATT&CK such as T1565.001")
}
