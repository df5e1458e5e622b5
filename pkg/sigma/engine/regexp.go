// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// requirement is what an expression needs of a text: one of some folded texts anywhere in it, or nothing that is known. It
// is exact where having one of them also suffices.
type requirement struct {
	texts []string
	exact bool
}

// language is what is known of the texts that an expression matches. All of them are folded and contain no character that
// also stands for bytes that are not valid UTF-8.
type language struct {
	whole []string // all of them; nil where they are too many
	plain bool     // they match in every case and whatever stands around them
	needs []string // each of them has one of these in it; nil where nothing is known
}

const (
	maxTexts      = 32
	maxTextLength = 64
)

// requiredLiterals reads an expression that package regexp has compiled.
func requiredLiterals(source string) requirement {
	re, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return requirement{}
	}
	l := languageOf(re.Simplify())
	if l.whole != nil && l.plain && usable(l.whole) {
		return requirement{l.whole, true}
	}
	return requirement{l.needs, false}
}

func languageOf(re *syntax.Regexp) language {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return finite([]string{""}, true)
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return finite([]string{""}, false)
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
		if l := languageOf(re.Sub[0]); l.whole != nil && len(l.whole) < maxTexts {
			return finite(union(l.whole, []string{""}), l.plain)
		}
	case syntax.OpPlus:
		return language{needs: languageOf(re.Sub[0]).needs}
	}
	return language{}
}

func finite(whole []string, plain bool) language {
	l := language{whole: whole, plain: plain}
	if usable(whole) {
		l.needs = whole
	}
	return l
}

// usable tells whether looking for the texts can rule anything out.
func usable(texts []string) bool {
	return len(texts) > 0 && !slices.Contains(texts, "")
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
		return language{needs: []string{string(text[:cut])}}
	}
	return finite([]string{string(text)}, plain)
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
			whole = union(whole, []string{string(sigma.Fold(r))})
		}
	}
	if whole == nil {
		return language{} // a class without characters matches nothing, which is left to package regexp
	}
	return finite(whole, plain)
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
	all := finite([]string{""}, true)
	var needs []string
	complete := true
	for _, sub := range subs {
		l := languageOf(sub)
		needs = rarer(needs, l.needs)
		joined := products(all.whole, l.whole)
		if joined == nil {
			complete = false
			needs = rarer(needs, all.needs)
			joined = l.whole
		}
		if joined == nil {
			joined = []string{""}
		}
		all = finite(joined, all.plain && l.plain)
	}
	if complete {
		return all
	}
	return language{needs: rarer(needs, all.needs)}
}

func products(heads, tails []string) []string {
	if len(heads)*len(tails) > maxTexts {
		return nil
	}
	var joined []string
	for _, head := range heads {
		for _, tail := range tails {
			if len(head)+len(tail) > maxTextLength {
				return nil
			}
			joined = append(joined, head+tail)
		}
	}
	return union(joined, nil)
}

func alternation(subs []*syntax.Regexp) language {
	all := languageOf(subs[0])
	for _, sub := range subs[1:] {
		l := languageOf(sub)
		var next language
		if all.whole != nil && l.whole != nil && len(all.whole)+len(l.whole) <= maxTexts {
			next.whole, next.plain = union(all.whole, l.whole), all.plain && l.plain
		}
		if all.needs != nil && l.needs != nil && len(all.needs)+len(l.needs) <= 2*maxTexts {
			next.needs = union(all.needs, l.needs)
		}
		all = next
	}
	return all
}

// rarer gives the set of texts of which one is less likely to be found.
func rarer(a, b []string) []string {
	switch {
	case a == nil:
		return b
	case b == nil || textsFrequency(a) <= textsFrequency(b):
		return a
	}
	return b
}

func textsFrequency(texts []string) float64 {
	sum := 0.0
	for _, text := range texts {
		sum += frequency(&literal{text: text})
	}
	return sum
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
