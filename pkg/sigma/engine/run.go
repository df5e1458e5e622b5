// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp/syntax"
	"unicode/utf8"
)

// run is a stretch of characters of one class that every text has which an expression matches. Package regexp tries each
// beginning of such a stretch; to see that a text has none takes one look at most of it.
type run struct {
	length  int
	outside [utf8.RuneSelf]bool // ASCII characters that are not of the class
}

// leastRun is what a run has at least to be worth a look: shorter ones are in most texts.
const leastRun = 16

// longestRun gives the longest run that an expression needs, nil where it needs none that is long.
func longestRun(re *syntax.Regexp) *run {
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return longestRun(re.Sub[0])
	case syntax.OpRepeat:
		return repeated(re)
	case syntax.OpConcat:
		var longest *run
		for _, sub := range re.Sub {
			if r := longestRun(sub); r != nil && (longest == nil || r.length > longest.length) {
				longest = r
			}
		}
		return longest
	}
	return nil
}

func repeated(re *syntax.Regexp) *run {
	one := re.Sub[0]
	for one.Op == syntax.OpCapture {
		one = one.Sub[0]
	}
	r := &run{length: re.Min}
	switch {
	case re.Min < leastRun:
		return nil
	case one.Op == syntax.OpCharClass:
		for c := range r.outside {
			r.outside[c] = !inRanges(one.Rune, rune(c))
		}
	case one.Op == syntax.OpAnyCharNotNL:
		r.outside['\n'] = true
	default:
		return nil
	}
	return r
}

// in reports whether a text may have the run. A character is at least one byte.
func (r *run) in(text string) bool {
	for begin := 0; begin+r.length <= len(text); {
		at := begin + r.length - 1
		for at >= begin && (text[at] >= utf8.RuneSelf || !r.outside[text[at]]) {
			at--
		}
		if at < begin {
			return true
		}
		begin = at + 1
	}
	return false
}
