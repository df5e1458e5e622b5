// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// truncationMark stands before a path of which only the end is known, so that no rule takes it
// for a whole path.
const truncationMark = "…"

// fieldTable says which attributes a Sigma field means in one logsource category.
type fieldTable map[string][]string

// newFieldTable makes the table of all the fields that the category's rules, their messages and
// their deduplication name. A field outside the vocabulary means the attribute of the same name.
func newFieldTable(category string, rules []*rule) fieldTable {
	table := fieldTable{}
	for _, r := range rules {
		for _, field := range r.fieldNames() {
			names := event.SigmaAttributes(category, field)
			if len(names) == 0 {
				names = []string{field}
			}
			table[field] = names
		}
	}
	return table
}

// record is a log record as Sigma rules see it. Its attributes are read in one pass, when the
// first rule asks; fields are looked up once for each category.
type record struct {
	log      plog.LogRecord
	resource pcommon.Map
	table    fieldTable
	attrs    map[string]pcommon.Value
	memo     map[string][]any
}

var _ sigma.Event = (*record)(nil)

var records = sync.Pool{New: func() any {
	return &record{attrs: map[string]pcommon.Value{}, memo: map[string][]any{}}
}}

func acquireRecord(log plog.LogRecord, resource pcommon.Map) *record {
	r := records.Get().(*record)
	r.log, r.resource = log, resource
	for name, value := range log.Attributes().All() {
		r.attrs[name] = value
	}
	return r
}

func (r *record) release() {
	clear(r.attrs)
	clear(r.memo)
	r.log, r.resource, r.table = plog.LogRecord{}, pcommon.Map{}, nil
	records.Put(r)
}

// under makes fields mean what they mean in the table's category.
func (r *record) under(t fieldTable) {
	clear(r.memo)
	r.table = t
}

// Lookup returns the values of every attribute that the Sigma field means.
func (r *record) Lookup(field string) ([]any, bool) {
	values, ok := r.memo[field]
	if !ok {
		for _, name := range r.table[field] {
			values = r.appendAttribute(values, name)
		}
		r.memo[field] = values
	}
	return values, len(values) > 0
}

// Keywords returns the text of the body, where a record has one.
func (r *record) Keywords() []string {
	if body := r.log.Body(); body.Type() != pcommon.ValueTypeEmpty {
		return []string{body.AsString()}
	}
	return nil
}

func (r *record) appendAttribute(values []any, name string) []any {
	value, ok := r.attrs[name]
	if !ok {
		if value, ok = r.resource.Get(name); !ok {
			return values
		}
	}
	if name == event.AttrFilePath && r.truncated() {
		return append(values, truncationMark+value.AsString())
	}
	return appendValue(values, value)
}

func (r *record) truncated() bool {
	value, ok := r.attrs[event.AttrFilePathTruncated]
	return ok && value.Type() == pcommon.ValueTypeBool && value.Bool()
}

// first returns the first value of a field as text.
func (r *record) first(field string) (string, bool) {
	values, ok := r.Lookup(field)
	if !ok {
		return "", false
	}
	return text(values[0]), true
}

func appendValue(values []any, value pcommon.Value) []any {
	switch value.Type() {
	case pcommon.ValueTypeStr:
		return append(values, value.Str())
	case pcommon.ValueTypeInt:
		return append(values, value.Int())
	case pcommon.ValueTypeDouble:
		return append(values, value.Double())
	case pcommon.ValueTypeBool:
		return append(values, value.Bool())
	case pcommon.ValueTypeSlice:
		for _, element := range value.Slice().All() {
			values = appendValue(values, element)
		}
		return values
	case pcommon.ValueTypeEmpty:
		return append(values, nil)
	default:
		return append(values, value.AsString())
	}
}
