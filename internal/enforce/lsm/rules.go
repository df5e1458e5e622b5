// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"fmt"
	"path"
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
	nearProgram  = 1 << 9 // of an operation that is about processes
	lineageInit  = 1
	lineageBlank = 2 // LINEAGE_UNKNOWN
	listsOthers  = 1 << 4
	listsChanged = 1 << 5
	listsContent = 1 << 6
)

// placed is a rule with its bit.
type placed struct {
	*policy.Rule
	policy *policy.Policy
	bit    int

	paths, except pathIndex // of rules that find their objects by paths
}

// pathIndex are paths, of which there may be very many that name one file each.
type pathIndex struct {
	exact  map[string]bool
	ways   map[string]bool // the directories above any of the paths
	others []policy.Path   // that are trees or patterns
}

func indexOf(paths []policy.Path) pathIndex {
	x := pathIndex{exact: map[string]bool{}, ways: map[string]bool{}}
	for _, p := range paths {
		if p.Kind == policy.Exact {
			x.exact[p.Base] = true
		} else {
			x.others = append(x.others, p)
		}
		for dir := p.Base; dir != "/"; {
			if dir = path.Dir(dir); x.ways[dir] {
				break
			}
			x.ways[dir] = true
		}
		if p.Kind == policy.Glob {
			x.ways[p.Base] = true
		}
	}
	return x
}

func (x pathIndex) matches(name string) bool {
	return x.exact[name] || anyPath(x.others, func(p policy.Path) bool { return p.Matches(name) })
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
			paths, except := files(r)
			all = append(all, placed{r, p, w*64 + used[w], indexOf(paths), indexOf(except)})
			used[w]++
		}
	}
	return all, nil
}

// files are the paths by which a rule finds its objects, if it does.
func files(r *policy.Rule) (paths, except []policy.Path) {
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
func (r placed) matches(name string) bool { return r.paths.matches(name) && !r.except.matches(name) }

// guardsWay tells whether the rule is about the removal of a directory.
func (r placed) guardsWay(dir string) bool { return r.Files != nil && r.paths.ways[dir] }

// covers tells whether the rule is about everything in a directory that it does not name.
func (r placed) covers(dir string) bool { return anyTree(r.paths.others, dir) && !r.exceptsTree(dir) }

func (r placed) exceptsTree(dir string) bool { return anyTree(r.except.others, dir) }

func anyTree(paths []policy.Path, dir string) bool {
	return anyPath(paths, func(p policy.Path) bool { return p.Kind == policy.Tree && isWithin(dir, p.Base) })
}

// exceptsInAll tells whether a pattern is excepted in each of the directories where the rule is about names.
func (r placed) exceptsInAll(dirs []string, pattern string) bool {
	for _, dir := range dirs {
		named := func(p policy.Path) bool { return p.Kind == policy.Glob && p.Base == dir }
		excepted := func(p policy.Path) bool { return named(p) && p.Pattern == pattern }
		if !r.exceptsTree(dir) && (r.covers(dir) || anyPath(r.paths.others, named)) && !anyPath(r.except.others, excepted) {
			return false
		}
	}
	return true
}

func anyPath(paths []policy.Path, is func(policy.Path) bool) bool {
	return slices.ContainsFunc(paths, is)
}
