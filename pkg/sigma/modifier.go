// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// A modifier turns one matcher into others, of which one must hold. Modifiers are applied in the order they are written.
type modifier func(m Matcher, c modifierContext) ([]Matcher, error)

type modifierContext struct {
	name         string // the modifier's own name
	raw          string // the value as written, before any modifier
	first        bool   // no modifier has changed the value yet
	placeholders map[string][]string
}

// The modifiers that concern the item and not its single values.
const (
	modifierAll = "all"
	modifierNeq = "neq"
)

var modifiers = map[string]modifier{
	"contains":     anchor,
	"startswith":   anchor,
	"endswith":     anchor,
	"cased":        cased,
	"re":           asRegexp,
	"i":            regexpFlag,
	"m":            regexpFlag,
	"s":            regexpFlag,
	"ignorecase":   regexpFlag,
	"multiline":    regexpFlag,
	"dotall":       regexpFlag,
	"cidr":         asCIDR,
	"exists":       asExists,
	"fieldref":     asFieldRef,
	"gt":           asCompare,
	"gte":          asCompare,
	"lt":           asCompare,
	"lte":          asCompare,
	"minute":       asTimePart,
	"hour":         asTimePart,
	"day":          asTimePart,
	"week":         asTimePart,
	"month":        asTimePart,
	"year":         asTimePart,
	"base64":       encode(toBase64),
	"base64offset": encode(base64Offsets),
	"utf16":        utf16Marked,
	"utf16le":      utf16le,
	"wide":         utf16le,
	"utf16be":      encodeParts(binary.BigEndian),
	"windash":      windash,
	"expand":       expand,
}

var utf16le = encodeParts(binary.LittleEndian)

func knownModifiers() string {
	names := append(slices.Collect(maps.Keys(modifiers)), modifierAll, modifierNeq)
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// checkModifiers refuses what no value could make right.
func checkModifiers(names []string) error {
	anchors := 0
	for i, name := range names {
		if _, ok := modifiers[name]; !ok && name != modifierAll && name != modifierNeq {
			return fmt.Errorf("unknown modifier %q; known are %s", name, knownModifiers())
		}
		if name != "base64" && slices.Contains(names[:i], name) {
			return fmt.Errorf("modifier %q is given twice", name)
		}
		if isAnchor(name) {
			anchors++
		}
	}
	if anchors > 1 {
		return errors.New("contains, startswith and endswith exclude each other")
	}
	return nil
}

func isAnchor(name string) bool {
	return slices.Contains([]Anchor{Contains, StartsWith, EndsWith}, Anchor(name))
}

// applyModifiers turns the matcher of a plain value into what the modifiers make of it, ready to be evaluated.
func applyModifiers(m Matcher, raw string, names []string, placeholders map[string][]string) ([]Matcher, error) {
	matchers := []Matcher{m}
	c := modifierContext{raw: raw, first: true, placeholders: placeholders}
	for _, name := range names {
		if name == modifierAll || name == modifierNeq {
			continue
		}
		c.name = name
		var next []Matcher
		for _, m := range matchers {
			changed, err := modifiers[name](m, c)
			if err != nil {
				return nil, err
			}
			next = append(next, changed...)
		}
		matchers, c.first = next, false
	}
	return compile(matchers)
}

// compile makes regular expressions ready to be evaluated.
func compile(matchers []Matcher) ([]Matcher, error) {
	for i, m := range matchers {
		if re, ok := m.(Regexp); ok {
			compiled, err := re.compiled()
			if err != nil {
				return nil, err
			}
			matchers[i] = compiled
		}
	}
	return matchers, nil
}

func (r Regexp) compiled() (Regexp, error) {
	// The expression alone is compiled first: what is put around it must not complete a broken one, and the message names what was written.
	re, err := regexp.Compile(r.Source)
	if err != nil {
		return r, fmt.Errorf("%w; expected RE2 syntax, which has no lookaround and no backreferences", err)
	}
	source := r.Source
	switch r.Anchor {
	case StartsWith:
		source = `\A(?:` + source + ")"
	case EndsWith:
		source = "(?:" + source + `)\z`
	}
	if r.Flags != "" {
		source = "(?" + r.Flags + ")" + source
	}
	if source != r.Source {
		re, err = regexp.Compile(source)
	}
	r.re = re
	return r, err
}

// describe names a matcher for messages.
func describe(m Matcher) string {
	switch m := m.(type) {
	case Pattern:
		return fmt.Sprintf("the text %q", m.String())
	case Number:
		return "the number " + m.Text
	case Bool:
		return "the boolean " + m.Text
	case Null:
		return "null"
	case Regexp:
		return "a regular expression"
	case CIDR:
		return "a network"
	case Exists:
		return "an existence check"
	case FieldRef:
		return "a field reference"
	case Compare:
		return "a comparison"
	default:
		return "a time part"
	}
}

func (c modifierContext) expects(want string, found Matcher) error {
	return fmt.Errorf("modifier %q expects %s, found %s", c.name, want, describe(found))
}

// pattern takes text, or a number or boolean by its spelling.
func (c modifierContext) pattern(m Matcher) (Pattern, error) {
	switch m := m.(type) {
	case Pattern:
		return m, nil
	case Number:
		return literalPattern(m.Text), nil
	case Bool:
		return literalPattern(m.Text), nil
	}
	return Pattern{}, c.expects("text", m)
}

// plainText takes text without wildcards.
func (c modifierContext) plainText(m Matcher) (string, error) {
	p, err := c.pattern(m)
	if err != nil {
		return "", err
	}
	s, ok := p.literal()
	if !ok {
		return "", c.expects("text without wildcards", m)
	}
	return s, nil
}

// unmodified refuses values that another modifier has changed already.
func (c modifierContext) unmodified(m Matcher) error {
	if !c.first {
		return fmt.Errorf("modifier %q must come before the other modifiers", c.name)
	}
	if _, ok := m.(Null); ok {
		return c.expects("a value", m)
	}
	return nil
}

func anchor(m Matcher, c modifierContext) ([]Matcher, error) {
	switch m := m.(type) {
	case Regexp:
		m.Anchor = Anchor(c.name)
		return []Matcher{m}, nil
	case FieldRef:
		m.Anchor = Anchor(c.name)
		return []Matcher{m}, nil
	}
	p, err := c.pattern(m)
	if err != nil {
		return nil, err
	}
	return []Matcher{p.anchored(Anchor(c.name))}, nil
}

func cased(m Matcher, c modifierContext) ([]Matcher, error) {
	if ref, ok := m.(FieldRef); ok {
		ref.Cased = true
		return []Matcher{ref}, nil
	}
	p, err := c.pattern(m)
	if err != nil {
		return nil, err
	}
	p.Cased = true
	return []Matcher{p}, nil
}

func asRegexp(m Matcher, c modifierContext) ([]Matcher, error) {
	if err := c.unmodified(m); err != nil {
		return nil, err
	}
	return []Matcher{Regexp{Source: c.raw}}, nil
}

// regexpFlags are the flags by their modifiers, which pySigma lets be written out.
var regexpFlags = map[string]string{"i": "i", "m": "m", "s": "s", "ignorecase": "i", "multiline": "m", "dotall": "s"}

func regexpFlag(m Matcher, c modifierContext) ([]Matcher, error) {
	re, ok := m.(Regexp)
	if !ok {
		return nil, fmt.Errorf("modifier %q must come after re", c.name)
	}
	re.Flags += regexpFlags[c.name]
	return []Matcher{re}, nil
}

func asCIDR(m Matcher, c modifierContext) ([]Matcher, error) {
	if err := c.unmodified(m); err != nil {
		return nil, err
	}
	if addr, err := netip.ParseAddr(c.raw); err == nil && addr.Zone() == "" {
		return []Matcher{CIDR{netip.PrefixFrom(addr, addr.BitLen())}}, nil
	}
	prefix, err := netip.ParsePrefix(c.raw)
	if err != nil {
		return nil, fmt.Errorf("modifier \"cidr\" expects a network such as 10.0.0.0/8 or fe80::/10, found %q", c.raw)
	}
	if prefix != prefix.Masked() {
		return nil, fmt.Errorf("network %s has bits set after the prefix; expected %s", prefix, prefix.Masked())
	}
	return []Matcher{CIDR{prefix}}, nil
}

func asExists(m Matcher, c modifierContext) ([]Matcher, error) {
	b, ok := m.(Bool)
	if !ok {
		return nil, c.expects("true or false", m)
	}
	return []Matcher{Exists{b.Value}}, nil
}

func asFieldRef(m Matcher, c modifierContext) ([]Matcher, error) {
	field, err := c.plainText(m)
	if err != nil {
		return nil, err
	}
	if field == "" {
		return nil, c.expects("the name of a field", m)
	}
	p, _ := m.(Pattern)
	return []Matcher{FieldRef{Field: field, Cased: p.Cased}}, nil
}

func asCompare(m Matcher, c modifierContext) ([]Matcher, error) {
	switch m := m.(type) {
	case Number:
		return []Matcher{Compare{Op: c.name, Value: m.Value}}, nil
	case TimePart:
		m.Op = c.name
		return []Matcher{m}, nil
	}
	return nil, c.expects("a number", m)
}

// timeRanges holds the least and greatest number each time part can be.
var timeRanges = map[string][2]int64{
	"minute": {0, 59}, "hour": {0, 23}, "day": {1, 31}, "week": {1, 53}, "month": {1, 12}, "year": {0, math.MaxInt64},
}

func asTimePart(m Matcher, c modifierContext) ([]Matcher, error) {
	n, _ := m.(Number)
	i, ok := n.Value.(int64)
	if !ok {
		return nil, c.expects("a whole number", m)
	}
	limits := timeRanges[c.name]
	if i < limits[0] || i > limits[1] {
		return nil, c.expects(fmt.Sprintf("a number from %d to %d", limits[0], limits[1]), m)
	}
	return []Matcher{TimePart{Unit: c.name, Value: i}}, nil
}

// encode makes a modifier of a function over text that has no wildcards.
func encode(f func(string) ([]string, error)) modifier {
	return func(m Matcher, c modifierContext) ([]Matcher, error) {
		s, err := c.plainText(m)
		if err != nil {
			return nil, err
		}
		if s == "" {
			return nil, c.expects("text that is not empty", m)
		}
		encoded, err := f(s)
		if err != nil {
			return nil, err
		}
		p, _ := m.(Pattern)
		var matchers []Matcher
		for _, e := range encoded {
			variant := literalPattern(e)
			variant.Cased = p.Cased
			matchers = append(matchers, variant)
		}
		return matchers, nil
	}
}

func toBase64(s string) ([]string, error) {
	return []string{base64.StdEncoding.EncodeToString([]byte(s))}, nil
}

// encodeParts makes a modifier that encodes the literals of a pattern and keeps its wildcards.
func encodeParts(order binary.AppendByteOrder) modifier {
	return func(m Matcher, c modifierContext) ([]Matcher, error) {
		p, err := c.pattern(m)
		if err != nil {
			return nil, err
		}
		return []Matcher{p.mapLiterals(func(s string) string { return utf16Bytes(s, order) })}, nil
	}
}

// utf16Marked puts the byte order mark of little endian before the text.
func utf16Marked(m Matcher, c modifierContext) ([]Matcher, error) {
	p, err := c.pattern(m)
	if err != nil {
		return nil, err
	}
	marked := Pattern{Cased: p.Cased}
	marked.add(Part{Literal, "\xff\xfe"})
	for _, part := range p.mapLiterals(func(s string) string { return utf16Bytes(s, binary.LittleEndian) }).Parts {
		marked.add(part)
	}
	return []Matcher{marked}, nil
}

func windash(m Matcher, c modifierContext) ([]Matcher, error) {
	p, err := c.pattern(m)
	if err != nil {
		return nil, err
	}
	variants, err := windashVariants(p)
	return matchersOf(variants), err
}

func expand(m Matcher, c modifierContext) ([]Matcher, error) {
	if re, ok := m.(Regexp); ok {
		sources, err := expandRegexp(re.Source, c.placeholders)
		var matchers []Matcher
		for _, source := range sources {
			re.Source = source
			matchers = append(matchers, re)
		}
		return matchers, err
	}
	p, err := c.pattern(m)
	if err != nil {
		return nil, err
	}
	patterns, err := expandPlaceholders(p, c.placeholders)
	return matchersOf(patterns), err
}

func matchersOf(patterns []Pattern) []Matcher {
	matchers := make([]Matcher, len(patterns))
	for i, p := range patterns {
		matchers[i] = p
	}
	return matchers
}
