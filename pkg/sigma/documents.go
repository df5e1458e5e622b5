// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// documents reads the YAML documents of the file that have content. Documents are split before they are read, so that a syntax
// error in one of them does not hide the next.
func (p *parser) documents() []*yaml.Node {
	p.src = bytes.TrimPrefix(p.src, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(p.src) {
		p.errorAt(0, 0, "the file is not valid UTF-8")
		return nil
	}
	var docs []*yaml.Node
	for _, c := range split(p.src) {
		nodes, err := decode(c.text)
		if err != nil {
			p.syntaxError(err, c.line)
		}
		for _, n := range nodes {
			shift(n, c.line)
			if n.Tag != "!!null" && p.distinctKeys(n) {
				docs = append(docs, n)
			}
		}
	}
	return docs
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

func (p *parser) syntaxError(err error, lines int) {
	line, msg := 1, err.Error()
	if m := yamlError.FindStringSubmatch(msg); m != nil {
		msg = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	p.errorAt(lines+line, 0, "the document is not valid YAML: %s", msg)
}

// shift moves a tree of nodes down by a number of lines.
func shift(n *yaml.Node, lines int) {
	n.Line += lines
	for _, child := range n.Content {
		shift(child, lines)
	}
}

// distinctKeys reports keys that a map has twice, anywhere in the document.
func (p *parser) distinctKeys(n *yaml.Node) bool {
	distinct := true
	if n.Kind == yaml.MappingNode {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				continue
			}
			if line, ok := seen[key.Value]; ok {
				p.errorf(key, "key %q is given twice, first on line %d", key.Value, line)
				distinct = false
			}
			seen[key.Value] = key.Line
		}
	}
	for _, child := range n.Content {
		distinct = p.distinctKeys(child) && distinct
	}
	return distinct
}
