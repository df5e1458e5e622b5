// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// kind is what a field of a row holds, and so by which operators it can be judged.
type kind int

const (
	kindText kind = iota // compared by bytes, or as numbers where both are
	kindWord             // text in which case means nothing
	kindNumber
	kindFlag // true or false
	kindList
	kindMode // permission bits
)

var kindNames = map[kind]string{kindText: "text", kindWord: "word", kindNumber: "number", kindFlag: "flag", kindList: "list", kindMode: "mode"}

// Condition is what a value must be: all tests hold.
type Condition []Test

// Test is an operator with its operand.
type Test struct {
	Operator string
	Operand  Operand
}

// operator judges a present value.
type operator struct {
	kinds    []kind
	list     bool // its operand is a list
	holds    func(k kind, have datum, want []string) bool
	describe Text // before the operand
}

// datum is a value of a row.
type datum struct {
	text string // for all but lists; flags are true and false, modes octal digits
	list []string
}

func (d datum) String() string {
	if d.list != nil {
		return strings.Join(d.list, ",")
	}
	return d.text
}

var scalars = []kind{kindText, kindWord, kindNumber, kindFlag, kindMode}

// operators are all but "set", which also judges what is absent.
var operators = map[string]operator{
	"equals":  {scalars, false, func(k kind, have datum, want []string) bool { return same(k, have.text, want[0]) }, Text{"is", "为"}},
	"not":     {scalars, false, func(k kind, have datum, want []string) bool { return !same(k, have.text, want[0]) }, Text{"is not", "不为"}},
	"min":     {numbers, false, func(_ kind, have datum, want []string) bool { return atLeast(have.text, want[0]) }, Text{"is at least", "不小于"}},
	"max":     {numbers, false, func(_ kind, have datum, want []string) bool { return atLeast(want[0], have.text) }, Text{"is at most", "不大于"}},
	"one_of":  {scalars, true, func(k kind, have datum, want []string) bool { return isAny(k, have.text, want) }, Text{"is one of", "属于"}},
	"none_of": {scalars, true, func(k kind, have datum, want []string) bool { return !isAny(k, have.text, want) }, Text{"is none of", "不属于"}},
	"matches": {texts, false, func(_ kind, have datum, want []string) bool { return pattern(want[0]).MatchString(have.text) }, Text{"matches", "匹配"}},
	"matches_not": {texts, false, func(_ kind, have datum, want []string) bool {
		return !pattern(want[0]).MatchString(have.text)
	}, Text{"does not match", "不匹配"}},
	"contains": {lists, true, func(_ kind, have datum, want []string) bool {
		return !slices.ContainsFunc(want, func(w string) bool { return !isAny(kindWord, w, have.list) })
	}, Text{"has all of", "包含全部"}},
	"excludes": {lists, true, func(_ kind, have datum, want []string) bool {
		return !slices.ContainsFunc(want, func(w string) bool { return isAny(kindWord, w, have.list) })
	}, Text{"has none of", "不包含任何"}},
	"only": {lists, true, func(_ kind, have datum, want []string) bool {
		return !slices.ContainsFunc(have.list, func(h string) bool { return !isAny(kindWord, h, want) })
	}, Text{"has nothing but", "只包含"}},
	"at_most": {modes, false, func(_ kind, have datum, want []string) bool { return octal(have.text)&^octal(want[0]) == 0 }, Text{"has no bits but", "权限不超出"}},
	"bits":    {modes, false, func(_ kind, have datum, want []string) bool { return octal(want[0])&^octal(have.text) == 0 }, Text{"has the bits", "具有权限"}},
}

var (
	numbers = []kind{kindNumber, kindText, kindWord}
	texts   = []kind{kindText, kindWord}
	lists   = []kind{kindList}
	modes   = []kind{kindMode}
)

// same compares numbers as numbers, modes as bits, words without case.
func same(k kind, a, b string) bool {
	switch k {
	case kindMode:
		return octal(a) == octal(b)
	case kindWord, kindFlag:
		if strings.EqualFold(a, b) {
			return true
		}
	}
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	return a == b || errX == nil && errY == nil && x == y
}

func isAny(k kind, have string, want []string) bool {
	return slices.ContainsFunc(want, func(w string) bool { return same(k, have, w) })
}

// atLeast reports whether a is a number that is not below b. What is no number never is.
func atLeast(a, b string) bool {
	x, errX := strconv.ParseInt(strings.TrimSpace(a), 10, 64)
	y, errY := strconv.ParseInt(strings.TrimSpace(b), 10, 64)
	return errX == nil && errY == nil && x >= y
}

// octal gives the bits of octal digits, or bits that no mode has where there are other signs.
func octal(s string) uint64 {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil {
		return 1 << 40
	}
	return n
}

// pattern compiles what the parser or the binding of values has accepted.
func pattern(expr string) *regexp.Regexp { return regexp.MustCompile(expr) }

// holds judges a value of a row. What is absent satisfies nothing but "set: false".
func (c Condition) holds(k kind, have datum, present bool) bool {
	for _, t := range c {
		switch {
		case t.Operator == "set":
			if (t.Operand.Items[0] == "true") != present {
				return false
			}
		case !present || !operators[t.Operator].holds(k, have, t.Operand.Items):
			return false
		}
	}
	return true
}

// isByNumber reports whether the number of an owner is enough to judge its name: that of 0 is root, and that of no other.
func (c Condition) isByNumber() bool {
	return !slices.ContainsFunc(c, func(t Test) bool {
		switch t.Operator {
		case "set":
			return false
		case "equals", "not", "one_of", "none_of":
			return slices.ContainsFunc(t.Operand.Items, func(name string) bool {
				_, err := strconv.ParseUint(name, 10, 32)
				return name != hostconf.Root && err != nil
			})
		}
		return true
	})
}

var (
	isSet    = Text{"is set", "已设置"}
	isNotSet = Text{"is not set", "未设置"}
)

// describe says what is expected, for evidence.
func (c Condition) describe() Text {
	var en, zh []string
	for _, t := range c {
		words, items := operators[t.Operator].describe, " "+strings.Join(t.Operand.Items, ",")
		switch {
		case t.Operator == "set" && t.Operand.Items[0] == "true":
			words, items = isSet, ""
		case t.Operator == "set":
			words, items = isNotSet, ""
		}
		en, zh = append(en, words.EN+items), append(zh, words.ZH+items)
	}
	return Text{strings.Join(en, ", "), strings.Join(zh, "，")}
}
