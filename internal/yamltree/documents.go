// SPDX-License-Identifier: Apache-2.0

// Package yamltree reads files of YAML documents into trees that know their lines, and says what is wrong with them.
package yamltree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Problem is what is wrong at a place in a file. Line and Column count from 1; they are 0 where they are not known.
type Problem struct {
	Line, Column int
	Msg          string // one line: what was found and what was expected
}

// NewProblem notes what is wrong with a node. What is quoted from the file may have line breaks; the message has none.
func NewProblem(n *yaml.Node, format string, args ...any) Problem {
	return Problem{n.Line, n.Column, OneLine(fmt.Sprintf(format, args...))}
}

// OneLine shows line breaks as they are escaped.
func OneLine(s string) string { return strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(s) }

// Documents reads the documents of a file that have content, but not those that have a problem. They are split before
// they are read, so that a syntax error in one of them does not hide the next.
func Documents(src []byte) (docs []*yaml.Node, problems []Problem) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(src) {
		return nil, []Problem{{Msg: "the file is not valid UTF-8"}}
	}
	for _, c := range split(src) {
		nodes, err := decode(c.text)
		if err != nil {
			problems = append(problems, syntaxProblem(err, c.line))
		}
		for _, n := range nodes {
			shift(n, c.line)
			if n.Tag == "!!null" {
				continue
			}
			doubled := doubledKeys(n)
			problems = append(problems, doubled...)
			if len(doubled) == 0 {
				docs = append(docs, n)
			}
		}
	}
	return docs, problems
}

// IsFile reports whether a file holds YAML, going by its name: *.yml or *.yaml.
func IsFile(name string) bool {
	ext := path.Ext(name)
	return ext == ".yml" || ext == ".yaml"
}

// Cause is what went wrong with a file without its path, for messages that name it already.
func Cause(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// chunk is a piece of a file; line is the number of lines before it.
type chunk struct {
	line int
	text []byte
}

// split cuts before lines that begin with "---" and after lines that begin with "...": YAML keeps these for the borders of
// documents, even inside of quotes and block text. Pieces with nothing but comments and directives are left out.
func split(src []byte) []chunk {
	var chunks []chunk
	rest := src
	begin, size, lines := 0, 0, 0
	flush := func() {
		if text := rest[:size]; !isPreamble(text) {
			chunks = append(chunks, chunk{begin, text})
		}
		rest, size, begin = rest[size:], 0, lines
	}
	ended := false
	for line := range bytes.Lines(src) {
		if ended || marker(line, "---") {
			flush()
		}
		size += len(line)
		ended = marker(line, "...")
		lines++
	}
	flush()
	return chunks
}

// isPreamble reports whether a text has only what may stand before a document: comments, directives and empty lines.
func isPreamble(text []byte) bool {
	for line := range bytes.Lines(text) {
		rest := bytes.TrimLeft(line, " \t")
		switch {
		case line[0] == '%', len(rest) == 0, rest[0] == '#', rest[0] == '\n', bytes.HasPrefix(rest, []byte("\r\n")):
		default:
			return false
		}
	}
	return true
}

func marker(line []byte, mark string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(mark))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// decode reads the documents of a chunk up to the first syntax error.
func decode(text []byte) (nodes []*yaml.Node, err error) {
	// The YAML library has panicked on broken input before; a rule file must never end the program.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return nodes, err
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
			nodes = append(nodes, n.Content[0])
		}
	}
}

var yamlError = regexp.MustCompile(`(?s)^yaml: (?:line ([0-9]+): )?(.*)$`)

func syntaxProblem(err error, lines int) Problem {
	line, msg := 1, err.Error()
	if m := yamlError.FindStringSubmatch(msg); m != nil {
		msg = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	return Problem{Line: lines + line, Msg: OneLine("the document is not valid YAML: " + msg)}
}

// shift moves a tree of nodes down by a number of lines.
func shift(n *yaml.Node, lines int) {
	n.Line += lines
	for _, child := range n.Content {
		shift(child, lines)
	}
}

// doubledKeys finds keys that a map has twice, anywhere in the document.
func doubledKeys(n *yaml.Node) []Problem {
	var problems []Problem
	if n.Kind == yaml.MappingNode {
		problems = doubledKeysOf(n)
	}
	for _, child := range n.Content {
		problems = append(problems, doubledKeys(child)...)
	}
	return problems
}

func doubledKeysOf(m *yaml.Node) []Problem {
	var problems []Problem
	seen := make(map[string]int, len(m.Content)/2)
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i]
		if key.Kind != yaml.ScalarNode {
			continue
		}
		if line, ok := seen[key.Value]; ok {
			problems = append(problems, NewProblem(key, "key %q is given twice, first on line %d", key.Value, line))
		}
		seen[key.Value] = key.Line
	}
	return problems
}
