// SPDX-License-Identifier: Apache-2.0

package configerror

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"
)

// The Collector's errors are trees: joins, decoding errors that carry a key's path, and texts.
// These are the texts in which it hides a path or a name.
var (
	reading     = regexp.MustCompile(`^error reading configuration for "([^"]+)": `)
	invalidKeys = regexp.MustCompile(`^has invalid keys: (.+)$`)
	unknownType = regexp.MustCompile(`^unknown type: "[^"]*" for id: "([^"]*)" \(valid values: \[(.*)\]\)$`)
	validation  = regexp.MustCompile(`(?s)^((?:receivers|processors|exporters|connectors|extensions|service)(?:::[^:\s]+)*): (.+)$`)
	starting    = regexp.MustCompile(`(?s)failed to start "([^"]+)" (receiver|processor|exporter|connector|extension): (.+)$`)
	reference   = regexp.MustCompile(`^references (receiver|processor|exporter|extension) "([^"]+)" which is not configured$`)
	goType      = regexp.MustCompile(`^\w+\.\w*[A-Z]\w*$`)
	index       = regexp.MustCompile(`\[([^\]]*)\]`)
)

// explainer collects the problems found in an error tree.
type explainer struct {
	docs     documents
	schema   schema
	problems []Problem
	located  bool // some part of the tree names a configuration key
}

func (e *explainer) walk(err error, path []string) {
	if decode, ok := err.(*mapstructure.DecodeError); ok {
		e.walkDecode(decode, path)
		return
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			e.walk(one, path)
		}
		return
	}
	if match := reading.FindStringSubmatch(err.Error()); match != nil {
		path = join(path, match[1])
	} else if match := validation.FindStringSubmatch(err.Error()); match != nil {
		e.invalid(strings.Split(match[1], "::"), match[2])
		return
	} else if match := starting.FindStringSubmatch(err.Error()); match != nil {
		e.invalid([]string{match[2] + "s", match[1]}, match[3])
		return
	}
	if inner := errors.Unwrap(err); inner != nil && deeper(inner) {
		e.walk(inner, path)
		return
	}
	e.add(path, err.Error())
}

// deeper reports whether an error below still tells more than its text: a join or a decoding error.
func deeper(err error) bool {
	var decode *mapstructure.DecodeError
	var several interface{ Unwrap() []error }
	return errors.As(err, &decode) || errors.As(err, &several)
}

// walkDecode handles an error of a key. Its name is the key's path with dots, or, for the whole
// of what is decoded, nothing or the name of the Go type.
func (e *explainer) walkDecode(decode *mapstructure.DecodeError, path []string) {
	e.located = true
	name := index.ReplaceAllString(decode.Name(), ".$1")
	whole := join(path, strings.FieldsFunc(name, func(r rune) bool { return r == '.' })...)
	if at, ok := e.docs.find(whole); ok && at.missing == 0 || !goType.MatchString(name) {
		path = whole
	}
	inner := decode.Unwrap()
	if match := invalidKeys.FindStringSubmatch(inner.Error()); match != nil {
		for key := range strings.SplitSeq(match[1], ", ") {
			e.unknownKey(path, key)
		}
		return
	}
	if match := unknownType.FindStringSubmatch(inner.Error()); match != nil {
		e.unknownComponent(path, match[1], strings.Fields(match[2]))
		return
	}
	if deeper(inner) {
		e.walk(inner, path)
		return
	}
	e.wrongValue(path, inner.Error())
}

func (e *explainer) unknownKey(path []string, key string) {
	section := strings.Join(path, "::")
	if section == "" {
		section = "the configuration"
	}
	message := fmt.Sprintf("%s has no key %q", section, key)
	e.add(join(path, key), message+expected(e.schema.keys(path)))
}

func (e *explainer) unknownComponent(path []string, id string, valid []string) {
	kind := strings.TrimSuffix(strings.Join(path, "::"), "s")
	slices.Sort(valid)
	e.add(join(path, id), fmt.Sprintf("there is no %s %q", kind, id)+expected(valid))
}

// wrongValue tells the value too: most texts name only its type.
func (e *explainer) wrongValue(path []string, text string) {
	message := strings.Join(path, "::") + ": " + strings.TrimSpace(text)
	at, ok := e.docs.find(path)
	if ok && at.missing == 0 && at.value.Kind == yaml.ScalarNode && !strings.Contains(text, at.value.Value) {
		message += ", found " + describe(at.value)
	}
	e.add(path, message)
}

// invalid handles what the Validate methods report, with the path they report.
func (e *explainer) invalid(path []string, text string) {
	e.located = true
	match := reference.FindStringSubmatch(text)
	if match == nil {
		for line := range strings.Lines(text) {
			e.add(e.deepest(path, line), strings.Join(path, "::")+": "+strings.TrimSpace(line))
		}
		return
	}
	kind, name := match[1], match[2]
	list := path
	if kind != "extension" {
		list = join(path, kind+"s")
	}
	message := fmt.Sprintf("%s names the %s %q, which is not configured under %ss", strings.Join(list, "::"), kind, name, kind)
	configured := e.configured(kind + "s")
	if kind == "receiver" || kind == "exporter" {
		configured = append(configured, e.configured("connectors")...)
	}
	e.add(e.item(list, name), message+expected(configured))
}

// deepest is the path of the key that the text begins with, as in "rotation::interval: ...", or
// the path itself where the files have no such key.
func (e *explainer) deepest(path []string, text string) []string {
	key, _, ok := strings.Cut(text, ": ")
	if !ok {
		return path
	}
	whole := join(path, strings.Split(key, "::")...)
	if at, found := e.docs.find(whole); !found || at.missing > 0 {
		return path
	}
	return whole
}

// item is the path of the list's item with that value, and of the list where there is none.
func (e *explainer) item(list []string, value string) []string {
	at, ok := e.docs.find(list)
	if !ok || at.missing > 0 {
		return list
	}
	for i, node := range at.value.Content {
		if node.Value == value {
			return join(list, fmt.Sprint(i))
		}
	}
	return list
}

// configured lists the ids that the files configure in a section.
func (e *explainer) configured(section string) []string {
	ids := map[string]bool{}
	for _, doc := range e.docs {
		if doc.root == nil {
			continue
		}
		if _, node := child(doc.root, section); node != nil && node.Kind == yaml.MappingNode {
			for i := 0; i < len(node.Content); i += 2 {
				ids[node.Content[i].Value] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

func (e *explainer) add(path []string, message string) {
	problem := Problem{Message: message}
	if at, ok := e.docs.find(path); ok {
		problem.File = at.file
		if at.missing < len(path) {
			problem.Line = at.line
		}
	} else if len(e.docs) == 1 {
		problem.File = e.docs[0].path
	}
	e.problems = append(e.problems, problem)
}

func expected(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; expected one of: " + strings.Join(names, ", ")
}

// join never writes into the path's own memory.
func join(path []string, parts ...string) []string {
	return append(slices.Clone(path), parts...)
}
