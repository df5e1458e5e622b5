// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// requirement is what an expression needs of a text: one of some folded texts anywhere in it and a run, where any are known,
// and a length. It is exact where having one of the texts also suffices.
type requirement struct {
	texts
	exact  bool
	length int  // that a text has at least, in bytes
	run    *run // nil where none is known
}

// texts is a set of folded texts, nil where nothing is known, with the guessed share of events in which one is found.
type texts struct {
	list  []string
	share float64
}

// language is what is known of the texts that an expression matches. All of them are folded and contain no character that
// also stands for bytes that are not valid UTF-8.
type language struct {
	whole texts // all of them; nil where they are too many
	plain bool  // they match in every case and whatever stands around them
	needs texts // each of them has one of these in it
}

const (
	maxTexts      = 128
	maxTextLength = 64
)

// requiredLiterals reads an expression that package regexp has compiled.
func requiredLiterals(source string) requirement {
	re, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return requirement{}
	}
	length, run := shortest(re), longestRun(re)
	l := languageOf(re.Simplify())
	if l.plain && l.whole.usable() {
		return requirement{l.whole, true, length, run}
	}
	return requirement{l.needs, false, length, run}
}

// shortest gives the least number of characters that an expression matches; each is at least one byte.
func shortest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return shortest(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min * shortest(re.Sub[0])
	case syntax.OpConcat:
		sum := 0
		for _, sub := range re.Sub {
			sum += shortest(sub)
		}
		return sum
	case syntax.OpAlternate:
		least := shortest(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			least = min(least, shortest(sub))
		}
		return least
	}
	return 0
}

func languageOf(re *syntax.Regexp) language {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return finite(empty, true)
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return finite(empty, false)
	case syntax.OpLiteral:
		return literalLanguage(re)
	case syntax.OpCharClass:
		return classLanguage(re.Rune)
	case syntax.OpCapture:
		return languageOf(re.Sub[0])
	case syntax.OpConcat:
		return concatenation(re.Sub)
	case syntax.OpAlternate:
		return alternation(re.Sub)
	case syntax.OpQuest:
		if l := languageOf(re.Sub[0]); l.whole.list != nil && len(l.whole.list) < maxTexts {
			return finite(union(l.whole, empty), l.plain)
		}
	case syntax.OpPlus:
		return language{needs: languageOf(re.Sub[0]).needs}
	}
	return language{}
}

func finite(whole texts, plain bool) language {
	l := language{whole: whole, plain: plain}
	if whole.usable() {
		l.needs = whole
	}
	return l
}

// empty is the set of the empty text, which is found everywhere.
var empty = texts{[]string{""}, 1}

func textsOf(list ...string) texts {
	t := texts{list: list}
	for _, text := range list {
		t.share += frequency(&literal{text: text})
	}
	return t
}

// usable tells whether looking for the texts can rule anything out.
func (t texts) usable() bool {
	return len(t.list) > 0 && !slices.Contains(t.list, "")
}

func literalLanguage(re *syntax.Regexp) language {
	var text []byte
	plain := true
	for _, r := range re.Rune {
		if !unambiguous(r) {
			return language{}
		}
		plain = plain && (re.Flags&syntax.FoldCase != 0 || unicode.SimpleFold(r) == r)
		text = utf8.AppendRune(text, sigma.Fold(r))
	}
	if len(text) > maxTextLength {
		cut := maxTextLength
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		return language{needs: textsOf(string(text[:cut]))}
	}
	return finite(textsOf(string(text)), plain)
}

// unambiguous tells whether a rune of an expression matches that rune only, and not bytes that are not valid UTF-8.
func unambiguous(r rune) bool { return utf8.ValidRune(r) && r != utf8.RuneError }

func classLanguage(ranges []rune) language {
	var whole []string
	plain := true
	for i := 0; i+1 < len(ranges); i += 2 {
		if int(ranges[i+1]-ranges[i]) >= maxTexts {
			return language{}
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if !unambiguous(r) || len(whole) == maxTexts {
				return language{}
			}
			plain = plain && inRanges(ranges, unicode.SimpleFold(r))
			whole = append(whole, string(sigma.Fold(r)))
		}
	}
	if whole == nil {
		return language{} // a class without characters matches nothing, which is left to package regexp
	}
	return finite(textsOf(compacted(whole)...), plain)
}

func inRanges(ranges []rune, r rune) bool {
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] <= r && r <= ranges[i+1] {
			return true
		}
	}
	return false
}

// concatenation joins what stands side by side for as long as the texts are few, and of the pieces so made takes the rarest.
func concatenation(subs []*syntax.Regexp) language {
	all := finite(empty, true)
	var needs texts
	complete := true
	for _, sub := range subs {
		l := languageOf(sub)
		joined := product(all.whole, l.whole)
		if joined.list == nil {
			complete = false
			needs = rarer(rarer(needs, all.needs), l.needs)
			joined = l.whole
		}
		if joined.list == nil {
			joined = empty
		}
		all = finite(joined, all.plain && l.plain)
	}
	if complete {
		return all
	}
	return language{needs: rarer(needs, all.needs)}
}

// product joins each head with each tail; nil where that is too much. What is found of them is found of both sides too.
func product(heads, tails texts) texts {
	if len(heads.list)*len(tails.list) > maxTexts {
		return texts{}
	}
	var list []string
	for _, head := range heads.list {
		for _, tail := range tails.list {
			if len(head)+len(tail) > maxTextLength {
				return texts{}
			}
			list = append(list, head+tail)
		}
	}
	joined := textsOf(compacted(list)...)
	joined.share = min(joined.share, heads.share, tails.share)
	return joined
}

func alternation(subs []*syntax.Regexp) language {
	all := languageOf(subs[0])
	for _, sub := range subs[1:] {
		l := languageOf(sub)
		all = language{whole: union(all.whole, l.whole), plain: all.plain && l.plain, needs: union(all.needs, l.needs)}
	}
	return all
}

// rarer gives the set of texts of which one is less likely to be found.
func rarer(a, b texts) texts {
	switch {
	case a.list == nil:
		return b
	case b.list == nil || a.share <= b.share:
		return a
	}
	return b
}

// union is nil where one of the sets is or where it is too much.
func union(a, b texts) texts {
	if a.list == nil || b.list == nil || len(a.list)+len(b.list) > 2*maxTexts {
		return texts{}
	}
	return texts{compacted(slices.Concat(a.list, b.list)), a.share + b.share}
}

func compacted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
