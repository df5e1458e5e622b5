// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

// Decoder reads documents back into log records. It does not change, and several goroutines may use it.
//
// A document says less than the record it was made of: what was a label is text unless the vocabulary knows its type,
// and an attribute outside the vocabulary has underscores where it may have had dots. A member of the document
// that an Encoder does not write becomes the attribute of that name.
type Decoder struct {
	fields   map[string]event.ECSField // by path
	labels   map[string]string         // key to attribute of the vocabulary
	places   map[string]event.ECSField // by attribute
	resource map[string]bool
}

// NewDecoder plans the reading once.
func NewDecoder() *Decoder {
	d := &Decoder{fields: map[string]event.ECSField{}, labels: map[string]string{}, places: map[string]event.ECSField{}, resource: map[string]bool{}}
	for _, f := range event.ECSPlan() {
		d.fields[f.Path], d.places[f.Attribute] = f, f
	}
	for _, a := range event.ResourceAttributes() {
		d.resource[a] = true
		d.labels[labelKey(a)] = a
	}
	for _, k := range event.Kinds() {
		for _, a := range k.Attributes {
			d.labels[labelKey(a)] = a
		}
	}
	return d
}

// Decode reads one document into a record below its resource. An alert stays one; Event makes of it the
// event it is about.
func (d *Decoder) Decode(document []byte) (plog.ResourceLogs, error) {
	members, err := parse(document)
	if err != nil {
		return plog.ResourceLogs{}, err
	}
	r := &reading{Decoder: d, logs: plog.NewResourceLogs(), derived: map[string]any{}}
	r.record = r.logs.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	labels, _ := members["labels"].(map[string]any)
	if labels != nil {
		delete(members, "labels")
	}
	r.members("", members)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		r.label(key, labels[key])
	}
	if err := r.head(); err != nil {
		return plog.ResourceLogs{}, err
	}
	return r.logs, nil
}

// parse reads one JSON object and nothing behind it.
func parse(document []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	var members map[string]any
	if err := dec.Decode(&members); err != nil {
		return nil, fmt.Errorf("not an ECS document: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not an ECS document: found more behind the first object, expected one document in a line")
	}
	if members == nil {
		return nil, errors.New("not an ECS document: found null, expected an object")
	}
	return members, nil
}

// reading is one document on its way.
type reading struct {
	*Decoder
	logs    plog.ResourceLogs
	record  plog.LogRecord
	derived map[string]any
}

// members walks the objects down to the fields.
func (r *reading) members(prefix string, object map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		path := prefix + name
		value := object[name]
		field, planned := r.fields[path]
		if _, ok := derived[path]; ok {
			r.derived[path] = value
			continue
		}
		inner, nested := value.(map[string]any)
		switch {
		case planned:
			r.put(field.Attribute, typed(value, field.Type))
		case nested:
			r.members(path+".", inner)
		default:
			r.put(path, plain(value))
		}
	}
}

// label makes of a label the attribute it stands for. One whose value would have had a place in ECS cannot
// be of the vocabulary's attribute with that place.
func (r *reading) label(key string, value any) {
	attribute, known := r.labels[key]
	if !known {
		r.put(key, plain(value))
		return
	}
	t, _ := event.TypeOf(attribute)
	back := typed(value, t)
	if place, ok := r.places[attribute]; ok && r.fits(place, back) {
		attribute, back = key, plain(value)
	}
	r.put(attribute, back)
}

// fits reports whether an Encoder would write the value into its ECS field.
func (r *reading) fits(place event.ECSField, value any) bool {
	v := pcommon.NewValueEmpty()
	if v.FromRaw(value) != nil {
		return false
	}
	if _, ok := derived[place.Path]; ok {
		return v.Type() == pcommon.ValueTypeStr
	}
	_, ok := appendTyped(nil, v, place.Type, place.Type == event.String && strings.HasSuffix(place.Path, ".ip"))
	return ok
}

// put writes an attribute where the vocabulary has it. The first of a name counts.
func (r *reading) put(attribute string, value any) {
	attrs := r.record.Attributes()
	if r.resource[attribute] {
		attrs = r.logs.Resource().Attributes()
	}
	if _, taken := attrs.Get(attribute); !taken {
		_ = attrs.PutEmpty(attribute).FromRaw(value) // what plain gives is of the types it takes
	}
}

// typed gives a value of JSON the type that its attribute has, as far as it can have it.
func typed(value any, t event.Type) any {
	switch v := value.(type) {
	case json.Number:
		if t == event.String || t == event.Strings {
			return v.String()
		}
	case string:
		switch n, err := strconv.ParseInt(v, 10, 64); {
		case t == event.Int && err == nil && strconv.FormatInt(n, 10) == v:
			return n
		case t == event.Bool && (v == "true" || v == "false"):
			return v == "true"
		}
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = typed(element, t)
		}
		return list
	}
	return plain(value)
}

// plain makes of a value of JSON what an attribute takes.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = plain(element)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, element := range v {
			object[name] = plain(element)
		}
		return object
	}
	return value
}

// head fills what a record has beside its attributes.
func (r *reading) head() error {
	for path, set := range map[string]func(pcommon.Timestamp){
		"@timestamp": r.record.SetTimestamp, "event.created": r.record.SetObservedTimestamp,
	} {
		at, err := timestamp(path, r.derived[path])
		if err != nil {
			return err
		}
		set(at)
	}
	if body, ok := r.derived["message"]; ok {
		_ = r.record.Body().FromRaw(plain(body))
	}
	r.keepCopies()
	r.record.SetSeverityText(r.text("log.level"))
	r.record.SetSeverityNumber(severities[r.number("event.severity")])
	kind := r.text("event.kind")
	if kind != "" && kind != "event" {
		r.put(event.AttrEventKind, kind)
	}
	r.record.SetEventName(r.name(kind == "alert"))
	return nil
}

// copies are the derived fields that say anew what an attribute says, by that attribute. A document of another
// writer may have them alone.
var copies = map[string]string{
	"process.args_count":  event.AttrProcessCommandArgs,
	"process.parent.name": event.AttrProcessParentExecutablePath,
	"user.id":             event.AttrProcessUserID,
	"user.name":           event.AttrProcessUserName,
}

// keepCopies keeps those whose attribute the document lacks.
func (r *reading) keepCopies() {
	for path, of := range copies {
		value, ok := r.derived[path]
		if _, known := r.record.Attributes().Get(of); ok && !known {
			r.put(path, plain(value))
		}
	}
}

// severities are the numbers of severities that documents have.
var severities = map[int64]plog.SeverityNumber{
	21: plog.SeverityNumberInfo, 47: plog.SeverityNumberWarn, 73: plog.SeverityNumberError, 99: plog.SeverityNumberFatal,
}

func (r *reading) text(path string) string {
	s, _ := r.derived[path].(string)
	return s
}

func (r *reading) number(path string) int64 {
	n, _ := plain(r.derived[path]).(int64)
	return n
}

// timestamp reads a time. What nanoseconds since 1970 cannot count is refused rather than taken for another.
func timestamp(path string, value any) (pcommon.Timestamp, error) {
	if value == nil {
		return 0, nil
	}
	text, _ := value.(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, fmt.Errorf("%s: found %v, expected a time such as 2026-01-02T15:04:05.999Z", path, value)
	}
	if at.Before(time.Unix(0, 0)) || at.Year() > 2260 {
		return 0, fmt.Errorf("%s: found %s, expected a time from 1970 to 2260", path, text)
	}
	return pcommon.NewTimestampFromTime(at), nil
}

// name finds the EventName: that of the kind with the class and action of the document. An alert that names
// its event is one by itself; one that does not is an event that was annotated.
func (r *reading) name(alert bool) string {
	action := r.text("event.action")
	_, named := r.record.Attributes().Get(event.AttrVedetteEventName)
	switch kind, ok := r.kind(action, alert); {
	case alert && (named || !ok):
		return event.KindSecurityAlert
	case ok:
		return kind.Name
	}
	return action
}

// kind finds the kind of event by its action. Of an alert the class is not known, so its categories tell.
func (r *reading) kind(action string, alert bool) (event.Kind, bool) {
	dataset := r.text("event.dataset")
	categories, _ := r.derived["event.category"].([]any)
	for _, k := range event.Kinds() {
		switch {
		case k.ECS.Action != action || k.Name == event.KindSecurityAlert:
		case !alert && dataset == "vedette."+k.Class,
			alert && slices.ContainsFunc(k.ECS.Category, func(c string) bool { return slices.Contains(categories, any(c)) }):
			return k, true
		}
	}
	return event.Kind{}, false
}

// Event turns a record that is an alert into the event the alert is about, without what the rule added; ok is false
// where the record does not hold that event, as that of a correlation or of a line of a log, whose text gave way to
// the alert's. Other records are left as they are.
func Event(record plog.LogRecord) (ok bool) {
	attrs := record.Attributes()
	if kind, ok := attrs.Get(event.AttrEventKind); record.EventName() != event.KindSecurityAlert && (!ok || kind.AsString() != "alert") {
		return true
	}
	if _, correlated := attrs.Get(event.AttrVedetteCorrelation); correlated {
		return false
	}
	if record.EventName() == event.KindSecurityAlert {
		name, named := attrs.Get(event.AttrVedetteEventName)
		if !named {
			return false
		}
		record.SetEventName(name.AsString())
		pcommon.NewValueEmpty().CopyTo(record.Body())
		record.SetSeverityNumber(plog.SeverityNumberUnspecified)
		record.SetSeverityText("")
	}
	own, _ := event.KindByName(record.EventName())
	alert, _ := event.KindByName(event.KindSecurityAlert)
	attrs.RemoveIf(func(name string, _ pcommon.Value) bool {
		return slices.Contains(alert.Attributes, name) && !slices.Contains(own.Attributes, name)
	})
	return true
}
