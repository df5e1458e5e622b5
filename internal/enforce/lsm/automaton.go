// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// pattern is what matching names means for rules.
type pattern struct {
	text        string
	add, except ruleSet
}

const (
	stateBits      = 64
	maxPatterns    = 16 // of an automaton
	automataOfNode = 4
)

var (
	errLongPattern  = errors.New("a pattern has more than 63 bytes and wildcards that are no star, expected at most 63")
	errManyPatterns = errors.New("the patterns for the names in one directory are too many or too long")
)

// states is how many an automaton needs for a pattern: one for each byte that it takes, and the first.
func states(text string) int {
	n := 1
	for _, t := range policy.Tokens(text) {
		if t != "*" {
			n++
		}
	}
	return n
}

// automataFor packs patterns into automata.
func automataFor(patterns []pattern) ([]bpf.EnforceAutomaton, error) {
	var all []bpf.EnforceAutomaton
	used := stateBits
	for _, p := range patterns {
		n := states(p.text)
		if n > stateBits {
			return nil, errLongPattern
		}
		if len(all) == 0 || used+n > stateBits || all[len(all)-1].Count == maxPatterns {
			all, used = append(all, bpf.EnforceAutomaton{}), 0
		}
		addPattern(&all[len(all)-1], p, used)
		used += n
	}
	if len(all) > automataOfNode {
		return nil, errManyPatterns
	}
	return all, nil
}

// addPattern puts a pattern's states at a place in the automaton.
func addPattern(a *bpf.EnforceAutomaton, p pattern, state int) {
	a.Start |= 1 << state
	for _, token := range policy.Tokens(p.text) {
		if token == "*" {
			a.Loops |= 1 << state
			continue
		}
		state++
		for b := range a.Steps {
			if policy.MatchToken(token, byte(b)) {
				a.Steps[b] |= 1 << state
			}
		}
	}
	a.Patterns[a.Count].Accept = 1 << state
	a.Patterns[a.Count].Add.Words = p.add
	a.Patterns[a.Count].Except.Words = p.except
	a.Count++
}
