// SPDX-License-Identifier: Apache-2.0

package ruleset

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// list is a list for the modifier expand: %name% stands for any of the values.
type list struct {
	name   string
	values []entry
	file   string
	line   int
}

// entry is a value and where it stands.
type entry struct {
	text string
	line int
}

// listName is what can stand between percent signs.
var listName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// include is a value that stands for the values of another list.
var include = regexp.MustCompile(`^%([A-Za-z0-9_.-]+)%$`)

// readLists reads lists from directories and files, and gives the values of each. A file NAME.txt is one
// list with a value in each line; a file in YAML is a map from names to lists of values. A value
// %OTHER% stands for the values of another list.
func readLists(places []string) (map[string][]string, error) {
	lists := map[string]*list{}
	for _, place := range places {
		if err := readListsAt(place, lists); err != nil {
			return nil, fmt.Errorf("lists: %w", err)
		}
	}
	values := map[string][]string{}
	for name := range lists {
		flat, err := flatten(lists, name, nil)
		if err != nil {
			return nil, fmt.Errorf("lists: %w", err)
		}
		values[name] = flat
	}
	return values, nil
}

func readListsAt(place string, lists map[string]*list) error {
	info, err := os.Stat(place)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist, expected a directory of lists or a list", place)
	case err != nil:
		return fmt.Errorf("%s cannot be read: %w", place, err)
	case !info.IsDir():
		return readListFile(place, lists)
	}
	return walk(os.DirFS(place), ".", isListFile, func(name string, err error) error {
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", filepath.Join(place, name), err)
		}
		return readListFile(filepath.Join(place, name), lists)
	})
}

func isListFile(name string) bool { return yamltree.IsFile(name) || filepath.Ext(name) == ".txt" }

func readListFile(file string, lists map[string]*list) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var found []*list
	switch {
	case filepath.Ext(file) == ".txt":
		found = []*list{parseTextList(file, content)}
	case yamltree.IsFile(file):
		found, err = parseLists(file, content)
	default:
		err = fmt.Errorf("%s: found a file with another ending, expected .txt, .yml or .yaml", file)
	}
	if err != nil {
		return err
	}
	for _, l := range found {
		if err := addList(lists, l); err != nil {
			return err
		}
	}
	return nil
}

func addList(lists map[string]*list, l *list) error {
	if !listName.MatchString(l.name) {
		return fmt.Errorf("%s:%d: found the list name %q, expected letters, digits, \"_\", \"-\" and \".\" only", l.file, l.line, l.name)
	}
	if len(l.values) == 0 {
		return fmt.Errorf("%s:%d: the list %s is empty, expected at least one value", l.file, l.line, l.name)
	}
	if other, ok := lists[l.name]; ok {
		return fmt.Errorf("%s:%d: the list %s is given twice, first at %s:%d", l.file, l.line, l.name, other.file, other.line)
	}
	lists[l.name] = l
	return nil
}

// parseTextList reads a value from each line. Empty lines, and those that begin with "#", are passed over.
func parseTextList(file string, content []byte) *list {
	l := &list{name: strings.TrimSuffix(filepath.Base(file), ".txt"), file: file, line: 1}
	number := 0
	for line := range bytes.Lines(content) {
		number++
		text := strings.TrimSpace(string(line))
		if text != "" && !strings.HasPrefix(text, "#") {
			l.values = append(l.values, entry{text, number})
		}
	}
	return l
}

func parseLists(file string, content []byte) ([]*list, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("%s: not valid YAML: %w", file, err)
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: expected a map from the names of lists to their values", file, root.Line)
	}
	var lists []*list
	for i := 0; i+1 < len(root.Content); i += 2 {
		l := &list{name: root.Content[i].Value, file: file, line: root.Content[i].Line}
		values := root.Content[i+1]
		if values.Kind != yaml.SequenceNode {
			return nil, fmt.Errorf("%s:%d: list %s: expected a list of values", file, values.Line, l.name)
		}
		for _, v := range values.Content {
			if v.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("%s:%d: list %s: expected a single value", file, v.Line, l.name)
			}
			l.values = append(l.values, entry{v.Value, v.Line})
		}
		lists = append(lists, l)
	}
	return lists, nil
}

// flatten gives the values of a list with those of the lists it includes. path is the way to it.
func flatten(lists map[string]*list, name string, path []string) ([]string, error) {
	l := lists[name]
	var values []string
	for _, v := range l.values {
		m := include.FindStringSubmatch(v.text)
		if m == nil {
			values = append(values, v.text)
			continue
		}
		other := m[1]
		way := append(slices.Clone(path), name)
		if _, ok := lists[other]; !ok {
			return nil, fmt.Errorf("%s:%d: list %s includes %s, which is not known", l.file, v.line, name, v.text)
		}
		if slices.Contains(way, other) {
			return nil, fmt.Errorf("%s:%d: list %s includes itself: %s", l.file, v.line, other, strings.Join(append(way, other), " → "))
		}
		more, err := flatten(lists, other, way)
		if err != nil {
			return nil, err
		}
		values = append(values, more...)
	}
	return values, nil
}
