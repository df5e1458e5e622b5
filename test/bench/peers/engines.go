// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	sigmago "github.com/bradleyjkemp/sigma-go"
	"github.com/bradleyjkemp/sigma-go/evaluator"
	ruleengine "github.com/markuskont/go-sigma-rule-engine"
	"gopkg.in/yaml.v2"

	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/engine"
)

// own asks our evaluator, which is written to be obviously right.
type own struct {
	rules  []*sigma.Rule
	events []sigma.Event
}

func (o *own) add(text string) error {
	c, errs := sigma.Parse("rule.yml", []byte(text))
	if len(errs) > 0 {
		return errs[0]
	}
	o.rules = append(o.rules, c.Rules...)
	return nil
}

func (o *own) prepare(events []map[string]string) {
	for _, e := range events {
		fields := map[string]any{}
		for name, value := range e {
			fields[name] = value
		}
		o.events = append(o.events, sigma.MapEvent(fields))
	}
}

func (o *own) judge(event int) int {
	matches := 0
	for _, r := range o.rules {
		if _, matched := r.Evaluate(o.events[event]); matched {
			matches++
		}
	}
	return matches
}

// fast asks our engine. Reading an event into it is part of judging it.
type fast struct {
	builder *engine.Builder
	scanner *engine.Scanner
	route   engine.Route
	events  [][]fastField
}

type fastField struct {
	slot  engine.Slot
	value string
}

func (f *fast) add(text string) error {
	c, errs := sigma.Parse("rule.yml", []byte(text))
	if len(errs) > 0 {
		return errs[0]
	}
	if f.builder == nil {
		f.builder = engine.NewBuilder()
		f.route = f.builder.Route("event")
	}
	bind := func(field string) []engine.Slot { return []engine.Slot{f.builder.Slot(field)} }
	for _, r := range c.Rules {
		f.builder.Add(r, bind, f.route)
	}
	return nil
}

func (f *fast) prepare(events []map[string]string) {
	e := f.builder.Build()
	f.scanner = e.NewScanner()
	for _, fields := range events {
		var known []fastField
		for name, value := range fields {
			if slot, ok := e.Slot(name); ok {
				known = append(known, fastField{slot, value})
			}
		}
		f.events = append(f.events, known)
	}
}

func (f *fast) judge(event int) int {
	f.scanner.Reset()
	for _, field := range f.events[event] {
		f.scanner.AddString(field.slot, field.value)
	}
	return len(f.scanner.Match(f.route))
}

// sigmaGo asks github.com/bradleyjkemp/sigma-go for all rules at once, which it recommends.
type sigmaGo struct {
	rules  []sigmago.Rule
	bundle evaluator.RuleEvaluatorBundle
	events []map[string]string
}

// add also tries the rule, because the engine tells only then what it does not support.
func (s *sigmaGo) add(text string) error {
	rule, err := sigmago.ParseRule([]byte(text))
	if err != nil {
		return err
	}
	if _, err := evaluator.ForRule(rule).Matches(context.Background(), map[string]string{}); err != nil {
		return err
	}
	s.rules = append(s.rules, rule)
	return nil
}

func (s *sigmaGo) prepare(events []map[string]string) {
	s.bundle, s.events = evaluator.ForRules(s.rules), events
}

func (s *sigmaGo) judge(event int) int {
	found, err := s.bundle.Matches(context.Background(), s.events[event])
	if err != nil {
		panic(err) // it tells of rules it cannot judge by, and those were refused
	}
	matches := 0
	for _, r := range found {
		if r.Match {
			matches++
		}
	}
	return matches
}

// ruleEngine asks github.com/markuskont/go-sigma-rule-engine.
type ruleEngine struct {
	set    ruleengine.Ruleset
	events []fieldEvent
}

func (r *ruleEngine) add(text string) error {
	var rule ruleengine.Rule
	if err := yaml.Unmarshal([]byte(text), &rule); err != nil {
		return err
	}
	tree, err := ruleengine.NewTree(ruleengine.RuleHandle{Rule: rule})
	if err != nil {
		return err
	}
	if tree.Root == nil {
		return errors.New("the condition came to nothing")
	}
	r.set.Rules = append(r.set.Rules, tree)
	return nil
}

func (r *ruleEngine) prepare(events []map[string]string) {
	for _, e := range events {
		r.events = append(r.events, e)
	}
}

func (r *ruleEngine) judge(event int) int {
	found, _ := r.set.EvalAll(r.events[event])
	return len(found)
}

// fieldEvent is an event in the form that this engine wants.
type fieldEvent map[string]string

func (fieldEvent) Keywords() ([]string, bool) { return nil, false }

func (e fieldEvent) Select(name string) (any, bool) {
	value, ok := e[name]
	return value, ok
}
