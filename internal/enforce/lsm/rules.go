// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"fmt"
	"slices"

	"github.com/vedette-sec/vedette/pkg/policy"
)

const (
	ruleWords    = 4
	rulesOfWord  = 63 // of the bits of a word one is for answers
	maxSubjects  = 2048
	subjectsOf   = 32 // a rule, under who or allow
	maxPlaces    = 64
	maxPrograms  = 256
	maxNodes     = 8192
	maxAutomata  = 64
	maxRules     = ruleWords * 64
	noProgram    = 0xffff
	noPlace      = 0xff
	userFlag     = 2
	lineageFlag  = 1
	nodeInner    = 1
	nodeInit     = 2
	lineageInit  = 1
	lineageBlank = 2 // LINEAGE_UNKNOWN
)

// placed is a rule with its bit.
type placed struct {
	*policy.Rule
	policy *policy.Policy
	bit    int
}

// place gives every rule a bit. All rules of a policy are in one word, so that what one of them allows can be taken from what the
// others deny.
func place(set *policy.Set) ([]placed, error) {
	var all []placed
	var used [ruleWords]int
	for _, p := range set.Policies {
		w := slices.IndexFunc(used[:], func(n int) bool { return n+len(p.Rules) <= rulesOfWord })
		if w < 0 {
			return nil, fmt.Errorf("%s: policy %s: found %d rules, expected at most %d in a policy and about %d in all", p.Position, p.Name,
				len(p.Rules), rulesOfWord, ruleWords*rulesOfWord)
		}
		for _, r := range p.Rules {
			all = append(all, placed{r, p, w*64 + used[w]})
			used[w]++
		}
	}
	return all, nil
}

// files tells whether the rule finds its objects by paths, and by which.
func (r placed) files() (paths, except []policy.Path) {
	switch {
	case r.Files != nil:
		return r.Files.Paths, r.Files.Except
	case r.Exec != nil && r.Exec.Deny != nil:
		return r.Exec.Deny.Paths, nil
	case r.Exec != nil:
		return r.Exec.Only.Paths, nil
	}
	return nil, nil
}

// matches tells whether the rule is about a file of this name.
func (r placed) matches(name string) bool {
	paths, except := r.files()
	return anyPath(paths, func(p policy.Path) bool { return p.Matches(name) }) &&
		!anyPath(except, func(p policy.Path) bool { return p.Matches(name) })
}

// guardsWay tells whether the rule is about the removal of a directory.
func (r placed) guardsWay(dir string) bool {
	return r.Files != nil && anyPath(r.Files.Paths, func(p policy.Path) bool { return p.LeadsThrough(dir) })
}

// covers tells whether the rule is about everything in a directory that it does not name.
func (r placed) covers(dir string) bool {
	paths, except := r.files()
	tree := func(p policy.Path) bool { return p.Kind == policy.Tree && isWithin(dir, p.Base) }
	return anyPath(paths, tree) && !anyPath(except, tree)
}

func (r placed) exceptsTree(dir string) bool {
	_, except := r.files()
	return anyPath(except, func(p policy.Path) bool { return p.Kind == policy.Tree && isWithin(dir, p.Base) })
}

func anyPath(paths []policy.Path, is func(policy.Path) bool) bool {
	return slices.ContainsFunc(paths, is)
}
