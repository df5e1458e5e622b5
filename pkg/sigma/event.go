// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// Event is what a rule is evaluated against.
type Event interface {
	// Lookup returns all values the event has for a Sigma field name (string, int64, float64, bool or nil);
	// ok is false where the event has no such field. Several values mean an array-valued field: a match on any of them is a match.
	Lookup(field string) (values []any, ok bool)
	// Keywords returns the texts searched by keyword selections.
	Keywords() []string
}

// MapEvent is an Event over a plain map from field name to a scalar or a slice of scalars. Numbers of any Go type are taken
// as int64 or float64, a time as RFC 3339 text, anything else as the text fmt gives it.
func MapEvent(m map[string]any, keywords ...string) Event {
	fields := make(map[string][]any, len(m))
	for name, v := range m {
		fields[name] = scalars(v)
	}
	return &mapEvent{fields: fields, keywords: keywords}
}

type mapEvent struct {
	fields   map[string][]any
	keywords []string
}

func (e *mapEvent) Lookup(field string) ([]any, bool) {
	values, ok := e.fields[field]
	return values, ok
}

func (e *mapEvent) Keywords() []string { return e.keywords }

func scalars(v any) []any {
	rv := reflect.ValueOf(v)
	if kind := rv.Kind(); kind != reflect.Slice && kind != reflect.Array {
		return []any{scalar(v)}
	}
	if raw, ok := v.([]byte); ok {
		return []any{string(raw)}
	}
	values := make([]any, 0, rv.Len())
	for i := range rv.Len() {
		values = append(values, scalar(rv.Index(i).Interface()))
	}
	return values
}

func scalar(v any) any {
	switch v := v.(type) {
	case nil, string, int64, float64, bool:
		return v
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case json.Number:
		return jsonNumber(v)
	}
	switch rv := reflect.ValueOf(v); {
	case rv.CanInt():
		return rv.Int()
	case rv.CanUint() && rv.Uint() <= math.MaxInt64:
		return int64(rv.Uint())
	case rv.CanUint():
		return float64(rv.Uint())
	case rv.CanFloat():
		return rv.Float()
	}
	return fmt.Sprint(v)
}

func jsonNumber(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	if f, err := n.Float64(); err == nil {
		return f
	}
	return n.String()
}

// text is the form in which an event's value is compared with text; ok is false for nil.
func text(v any) (s string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
