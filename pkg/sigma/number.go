// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"cmp"
	"math"
	"math/big"
	"regexp"
	"strconv"
)

var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// number reads an event's value as int64 or float64. Text counts when it is a decimal number.
func number(v any) (any, bool) {
	switch v := v.(type) {
	case int64, float64:
		return v, true
	case string:
		if i, err := strconv.ParseInt(v, 10, 64); err == nil {
			return i, true
		}
		if !decimal.MatchString(v) {
			return nil, false
		}
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return f, true
		}
	}
	return nil, false
}

// compareNumbers orders two numbers (int64 or float64) without rounding; ok is false where one of them is not a number.
func compareNumbers(a, b any) (order int, ok bool) {
	x, xInt := a.(int64)
	y, yInt := b.(int64)
	if xInt && yInt {
		return cmp.Compare(x, y), true
	}
	p, ok1 := bigFloat(a)
	q, ok2 := bigFloat(b)
	if !ok1 || !ok2 {
		return 0, false
	}
	return p.Cmp(q), true
}

func bigFloat(v any) (*big.Float, bool) {
	switch v := v.(type) {
	case int64:
		return new(big.Float).SetInt64(v), true
	case float64:
		if math.IsNaN(v) {
			return nil, false
		}
		return big.NewFloat(v), true
	}
	return nil, false
}
