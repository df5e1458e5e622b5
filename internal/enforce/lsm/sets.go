// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

// ruleSet is a set of rules, a bit for each.
type ruleSet [4]uint64

func (s *ruleSet) add(i int) { s[i/64] |= 1 << (i % 64) }
func (s *ruleSet) addAll(o ruleSet) {
	for w := range s {
		s[w] |= o[w]
	}
}

// programSet is a set of programs that subjects name.
type programSet [4]uint64

func (s *programSet) add(i int) { s[i/64] |= 1 << (i % 64) }
func (s *programSet) addAll(o programSet) {
	for w := range s {
		s[w] |= o[w]
	}
}
func (s programSet) and(o programSet) programSet {
	for w := range s {
		s[w] &= o[w]
	}
	return s
}
