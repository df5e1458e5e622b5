// SPDX-License-Identifier: Apache-2.0

package configerror

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is a configuration file as a tree that knows its lines.
type document struct {
	path string
	root *yaml.Node // nil for an empty or broken file
	err  error      // not valid YAML
}

type documents []document

// loadDocuments reads what can be read; a file that cannot be is the Collector's error already.
func loadDocuments(paths []string) documents {
	var docs documents
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		docs = append(docs, parseDocument(path, content))
	}
	return docs
}

func parseDocument(path string, content []byte) document {
	doc := document{path: path}
	// Decoding to a value finds doubled keys, which decoding to a tree does not.
	var value any
	if doc.err = yaml.Unmarshal(content, &value); doc.err != nil {
		return doc
	}
	var node yaml.Node
	if doc.err = yaml.Unmarshal(content, &node); doc.err == nil && len(node.Content) > 0 {
		doc.root = node.Content[0]
	}
	return doc
}

// order gives the file's place on the command line; what is in no file comes first.
func (d documents) order(path string) int {
	return slices.IndexFunc(d, func(doc document) bool { return doc.path == path })
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line ([0-9]+): (.*)$`)

// broken explains the first file that is not YAML or holds no map.
func (d documents) broken() (Problem, bool) {
	for _, doc := range d {
		if doc.err != nil {
			return syntaxProblem(doc), true
		}
		if doc.root != nil && doc.root.Kind != yaml.MappingNode && doc.root.Tag != "!!null" {
			return Problem{doc.path, doc.root.Line, fmt.Sprintf(
				"found %s, expected a map with the keys receivers, exporters and service", describe(doc.root))}, true
		}
	}
	return Problem{}, false
}

func syntaxProblem(doc document) Problem {
	text := doc.err.Error()
	var several *yaml.TypeError
	if errors.As(doc.err, &several) && len(several.Errors) > 0 {
		text = several.Errors[0]
	}
	match := yamlLine.FindStringSubmatch(text)
	if match == nil {
		return Problem{File: doc.path, Message: "not valid YAML: " + strings.TrimPrefix(text, "yaml: ")}
	}
	line, err := strconv.Atoi(match[1])
	if err != nil {
		line = 0
	}
	return Problem{doc.path, line, "not valid YAML: " + match[2]}
}

// place is where a configuration key was found.
type place struct {
	file  string
	line  int
	value *yaml.Node
	// missing is how many of the last parts of the path no file has.
	missing int
}

// find looks for the key with that path. A later file wins over an earlier one, as its values
// do. Where no file has the whole path, the longest beginning that one has is the place.
func (d documents) find(path []string) (place, bool) {
	best, found := place{}, false
	for _, doc := range slices.Backward(d) {
		if doc.root == nil {
			continue
		}
		at := descend(doc.root, path)
		at.file = doc.path
		if !found || at.missing < best.missing {
			best, found = at, true
		}
	}
	return best, found
}

func descend(node *yaml.Node, path []string) place {
	at := place{line: node.Line, value: node}
	for i, part := range path {
		key, value := child(at.value, part)
		if value == nil {
			at.missing = len(path) - i
			return at
		}
		at.line, at.value = key.Line, value
	}
	return at
}

// child returns the key's node and the value's. In a list both are the item, chosen by its index.
func child(node *yaml.Node, name string) (key, value *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == name {
				return node.Content[i], node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	}
	return nil, nil
}

// findText looks for a value that holds the text.
func (d documents) findText(text string) (Problem, bool) {
	for _, doc := range d {
		if line := lineOf(doc.root, text); line > 0 {
			return Problem{File: doc.path, Line: line}, true
		}
	}
	return Problem{}, false
}

func lineOf(node *yaml.Node, text string) int {
	if node == nil || node.Kind == yaml.AliasNode {
		return 0
	}
	if node.Kind == yaml.ScalarNode && strings.Contains(node.Value, text) {
		return node.Line
	}
	for _, item := range node.Content {
		if line := lineOf(item, text); line > 0 {
			return line
		}
	}
	return 0
}

// describe says what a value is, in few words.
func describe(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if node.Tag == "!!null" {
			return "nothing"
		}
		return strconv.Quote(node.Value)
	}
	return "an alias"
}
