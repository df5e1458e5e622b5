// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

const (
	longestPath = 4095 // PATH_MAX, without its zero
	longestName = 255  // NAME_MAX
	wildcards   = "*?["
)

// path reads a path whose last component may have wildcards.
func (p *parser) path(n *yaml.Node, what string) Path {
	text := p.cleanPath(n, what)
	read := Path{Text: text, Kind: Exact, Base: text, Position: p.at(n)}
	dir, last := path.Split(text)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case text == "":
	case strings.ContainsAny(dir, wildcards):
		p.errorf(n, "%s: found %s, expected wildcards in the last component only", what, yamltree.Quote(text))
	case last == "**":
		read.Kind, read.Base = Tree, orRoot(dir)
	case strings.Contains(last, "**"):
		p.errorf(n, "%s: found %s, expected ** to be a component of its own, at the end", what, yamltree.Quote(text))
	case strings.ContainsAny(last, wildcards):
		read.Kind, read.Base, read.Pattern = Glob, orRoot(dir), last
		p.checkPattern(n, what, last)
	}
	return read
}

// executable reads the path of a program, where any component may have wildcards.
func (p *parser) executable(n *yaml.Node, what string) Path {
	text := p.cleanPath(n, what)
	read := Path{Text: text, Kind: Exact, Base: text, Position: p.at(n)}
	switch {
	case strings.Contains(text, "**"):
		p.errorf(n, "%s: found %s, expected a program: the wildcard ** is for trees of files", what, yamltree.Quote(text))
	case strings.ContainsAny(text, wildcards):
		read.Kind, read.Base, read.Pattern = GlobPaths, "", text
		p.checkPattern(n, what, text)
	}
	return read
}

// cleanPath reads an absolute path in its shortest form, and gives "" for anything else.
func (p *parser) cleanPath(n *yaml.Node, what string) string {
	text, tooLong := n.Value, false
	for name := range strings.SplitSeq(text, "/") {
		tooLong = tooLong || len(name) > longestName
	}
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || !strings.HasPrefix(text, "/"):
		p.errorf(n, "%s: found %s, expected an absolute path", what, yamltree.Kind(n))
	case path.Clean(text) != text:
		p.errorf(n, "%s: found %s, expected its shortest form %s", what, yamltree.Quote(text), yamltree.Quote(path.Clean(text)))
	case strings.ContainsRune(text, 0):
		p.errorf(n, "%s: found a zero byte, expected a path", what)
	case tooLong || len(text) > longestPath:
		p.errorf(n, "%s: found %s, expected at most %d bytes, and %d in a component", what, yamltree.Quote(text), longestPath, longestName)
	default:
		return text
	}
	return ""
}

func (p *parser) checkPattern(n *yaml.Node, what, pattern string) {
	for rest := pattern; rest != ""; {
		token, after, ok := next(rest)
		if !ok || strings.HasPrefix(token, "[") && strings.Contains(token, "/") {
			p.errorf(n, "%s: found %s, expected a closing bracket in each set such as [a-z], and ranges from a lower to a higher byte",
				what, yamltree.Quote(pattern))
			return
		}
		rest = after
	}
}

func orRoot(dir string) string {
	if dir == "" {
		return "/"
	}
	return dir
}

// Matches reports whether the path names an object. The name must be absolute and without symbolic links.
func (p Path) Matches(name string) bool {
	switch p.Kind {
	case Exact:
		return name == p.Base
	case Tree:
		return name == p.Base || isBelow(name, p.Base)
	case Glob:
		dir, last := path.Split(name)
		return last != "" && orRoot(strings.TrimSuffix(dir, "/")) == p.Base && MatchName(p.Pattern, last)
	case GlobPaths:
		return matchComponents(strings.Split(p.Pattern, "/"), strings.Split(name, "/"))
	}
	return false
}

// LeadsThrough reports whether a directory is on the way to what the path names, without being named by it.
func (p Path) LeadsThrough(dir string) bool {
	if p.Kind == Glob && dir == p.Base {
		return true
	}
	return isBelow(p.Base, dir)
}

// isBelow reports whether a path is inside of a directory.
func isBelow(name, dir string) bool {
	return name != dir && dir != "" && (dir == "/" || strings.HasPrefix(name, dir+"/"))
}

func matchComponents(patterns, components []string) bool {
	if len(patterns) != len(components) {
		return false
	}
	for i, pattern := range patterns {
		if !MatchName(pattern, components[i]) {
			return false
		}
	}
	return true
}

// MatchName reports whether a pattern matches a whole name, byte by byte: "*" stands for any bytes, "?" for one, a set such as
// "[a-z_]" for one of its bytes, "[!a-z]" for one that is not. A "]" right after the opening is one of the bytes.
func MatchName(pattern, name string) bool {
	// Where a star was met last: what follows it in the pattern, and what it had not yet eaten of the name.
	var afterStar, atStar string
	star := false
	for {
		token, rest, _ := next(pattern)
		switch {
		case token == "*":
			star, afterStar, atStar = true, rest, name
			pattern = rest
			continue
		case token == "" && name == "":
			return true
		case token != "" && name != "" && matchByte(token, name[0]):
			pattern, name = rest, name[1:]
			continue
		case !star || atStar == "":
			return false
		}
		atStar = atStar[1:]
		pattern, name = afterStar, atStar
	}
}

// Tokens takes a pattern of names apart: bytes, sets such as "[a-z]", and the wildcards "*" and "?".
func Tokens(pattern string) []string {
	var all []string
	for pattern != "" {
		token, rest, _ := next(pattern)
		all, pattern = append(all, token), rest
	}
	return all
}

// MatchToken compares one byte with a token that is not a star.
func MatchToken(token string, b byte) bool { return matchByte(token, b) }

// next splits off the first byte, wildcard or set of a pattern; ok is false for a broken set, which is given as one byte.
func next(pattern string) (token, rest string, ok bool) {
	if pattern == "" {
		return "", "", true
	}
	if pattern[0] != '[' {
		return pattern[:1], pattern[1:], true
	}
	begin := 1
	if strings.HasPrefix(pattern[begin:], "!") {
		begin++
	}
	end := begin + 1
	for end < len(pattern) && pattern[end] != ']' {
		end++
	}
	if end >= len(pattern) || !orderedRanges(pattern[begin:end]) {
		return pattern[:1], pattern[1:], false
	}
	return pattern[:end+1], pattern[end+1:], true
}

func orderedRanges(set string) bool {
	for i := 0; i+2 < len(set); i++ {
		if set[i+1] == '-' {
			if set[i] > set[i+2] {
				return false
			}
			i += 2
		}
	}
	return true
}

// matchByte compares one byte with a token that is not a star.
func matchByte(token string, b byte) bool {
	if token == "?" {
		return true
	}
	if len(token) == 1 {
		return token[0] == b
	}
	set, negated := strings.CutPrefix(token[1:len(token)-1], "!")
	return inSet(set, b) != negated
}

func inSet(set string, b byte) bool {
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			if set[i] <= b && b <= set[i+2] {
				return true
			}
			i += 2
		} else if set[i] == b {
			return true
		}
	}
	return false
}
