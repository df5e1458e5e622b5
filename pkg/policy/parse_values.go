// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// text gives the text of a scalar. Numbers do not count, because their spelling may not be what was meant.
func (p *parser) text(n *yaml.Node, what string) string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		return n.Value
	}
	p.errorf(n, "%s: found %s, expected text", what, yamltree.Kind(n))
	return ""
}

// spelt are the types of scalars that can be taken as they are written, because a form says how that is.
var spelt = []string{"!!str", "!!int", "!!float"}

// matching gives a text of a form; expected describes it. It gives "" for any other.
func (p *parser) matching(n *yaml.Node, what string, form *regexp.Regexp, expected string) string {
	if n.Kind == yaml.ScalarNode && slices.Contains(spelt, n.ShortTag()) && form.MatchString(n.Value) {
		return n.Value
	}
	p.errorf(n, "%s: found %s, expected %s", what, yamltree.Kind(n), expected)
	return ""
}

func oneOf[T ~string](p *parser, n *yaml.Node, what string, known []T) T {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && slices.Contains(known, T(n.Value)) {
		return T(n.Value)
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	p.errorf(n, "%s: found %s, expected %s", what, yamltree.Kind(n), alternatives(names))
	return ""
}

// alternatives writes a list as "a, b or c".
func alternatives(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// list gives the elements of a list.
func (p *parser) list(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		p.errorf(n, "%s: found %s, expected a list", what, yamltree.Kind(n))
		return nil
	}
	return yamltree.Elements(n)
}

func listOf[T any](p *parser, n *yaml.Node, what string, read func(*parser, *yaml.Node, string) T) []T {
	var all []T
	for _, element := range p.list(n, what) {
		all = append(all, read(p, element, what))
	}
	return all
}

// filled is listOf for lists that mean nothing without an element.
func filled[T any](p *parser, n *yaml.Node, what string, read func(*parser, *yaml.Node, string) T) []T {
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.errorf(n, "%s: found an empty list, expected at least one element", what)
	}
	return listOf(p, n, what, read)
}

func (p *parser) boolean(n *yaml.Node, what string) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		p.errorf(n, "%s: found %s, expected true or false", what, yamltree.Kind(n))
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

const longestDuration = 30 * 24 * time.Hour

func (p *parser) duration(n *yaml.Node, what string) time.Duration {
	var d time.Duration
	var err error
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		d, err = time.ParseDuration(n.Value)
	}
	if err != nil || d < time.Second || d > longestDuration {
		p.errorf(n, "%s: found %s, expected a time from 1s to 720h such as 90s, 5m or 2h", what, yamltree.Kind(n))
	}
	return d
}

// operations reads a name, a preset or a list of them. Presets are of operations on files.
func (p *parser) operations(n *yaml.Node, what string, kind Operation) Operation {
	if n.Kind == yaml.ScalarNode {
		return p.operation(n, what, kind)
	}
	var all Operation
	for _, element := range p.list(n, what) {
		all |= p.operation(element, what, kind)
	}
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.errorf(n, "%s: found an empty list, expected at least one of %s", what, strings.Join(OperationNames(kind), ", "))
	}
	return all
}

// presets are names for several operations on files.
var presets = map[string]Operation{"tamper": Tamper, "secret": Secret}

func (p *parser) operation(n *yaml.Node, what string, kind Operation) Operation {
	known := OperationNames(kind)
	if kind == FileOperations {
		known = append(known, "tamper", "secret")
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && slices.Contains(known, n.Value) {
		return ParseOperation(n.Value, kind) | presets[n.Value]
	}
	p.errorf(n, "%s: found %s, expected %s", what, yamltree.Kind(n), alternatives(known))
	return 0
}

var hashForm = regexp.MustCompile(`\A[0-9a-fA-F]{64}\z`)

func (p *parser) hash(n *yaml.Node, what string) Hash {
	text := p.matching(n, what, hashForm, "a SHA-256 of 64 hexadecimal digits")
	return Hash{strings.ToLower(text), p.at(n)}
}

var unitForm = regexp.MustCompile(`\A[A-Za-z0-9:_.\\@-]{1,240}\.(service|scope|slice)\z`)

func (p *parser) unit(n *yaml.Node, what string) Unit {
	return Unit{p.matching(n, what, unitForm, "the name of a unit with its ending .service, .scope or .slice"), p.at(n)}
}

var containerForm = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\z`)

// hexadecimal is a container's id as the common engines make it.
var hexadecimal = regexp.MustCompile(`\A[0-9a-f]{12,64}\z`)

func (p *parser) container(n *yaml.Node, what string) string {
	return p.matching(n, what, containerForm, "the id of a container, or 12 digits or more of its beginning")
}

var userForm = regexp.MustCompile(`\A([^\s:/\x00-\x1f0-9-][^\s:/\x00-\x1f]{0,255}|0|[1-9][0-9]{0,9})\z`)

func (p *parser) user(n *yaml.Node, what string) string {
	return p.matching(n, what, userForm, "the name or the number of a user")
}
