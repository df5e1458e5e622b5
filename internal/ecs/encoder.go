// SPDX-License-Identifier: Apache-2.0

// Package ecs writes OTel log records as documents of the Elastic Common Schema.
package ecs

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

// classOfAlerts is the class of every alert, whatever it is about.
const classOfAlerts = "alert"

// Version is the version of the Elastic Common Schema that documents follow.
const Version = "8.17.0"

// field is one member of the document. It comes from an attribute, or is derived from the record.
type field struct {
	path    []string // segments of the ECS name
	objects []string // the JSON text that opens each enclosing object: `"process":{`
	key     string   // the JSON text of the last segment: `"pid":`
	shared  int      // how many enclosing objects the field before in the plan has in common
	slot    int      // where the attribute's value waits, for a field from an attribute
	typ     event.Type
	ip      bool // ECS takes nothing but an IP address
	derive  func(*Encoder, []byte) ([]byte, bool)
}

// Encoder turns log records into ECS documents. It keeps its working memory from one document to
// the next, so it must not be used by two goroutines at once.
type Encoder struct {
	plan      []field
	slots     map[string]int    // attribute to slot
	labelKeys map[string]string // attribute of the vocabulary to the key of its label

	kind      event.Kind // of the event, or of the event an alert is about
	alertKind event.Kind
	alert     bool
	class     string // of the document
	about     string // name of the event, or of the event an alert is about
	record    plog.LogRecord
	stream    Stream
	values    []pcommon.Value // by slot
	names     []string        // by slot: the attribute; empty while the slot is free
	labels    []label
	scratch   []byte
}

// Stream is the data stream of logs that a document goes to. The zero value is none.
type Stream struct {
	Dataset, Namespace string
}

// NewEncoder plans the documents once.
func NewEncoder() *Encoder {
	e := &Encoder{slots: map[string]int{}, labelKeys: map[string]string{}}
	e.alertKind, _ = event.KindByName(event.KindSecurityAlert)
	for _, k := range event.Kinds() {
		for _, a := range k.Attributes {
			e.labelKeys[a] = labelKey(a)
		}
	}
	for _, p := range event.ECSPlan() {
		slot, known := e.slots[p.Attribute]
		if !known {
			slot = len(e.slots)
			e.slots[p.Attribute] = slot
		}
		if _, ok := derived[p.Path]; ok {
			continue
		}
		e.plan = append(e.plan, field{
			path: strings.Split(p.Path, "."), slot: slot, typ: p.Type,
			ip: p.Type == event.String && strings.HasSuffix(p.Path, ".ip"),
		})
	}
	for path, derive := range derived {
		e.plan = append(e.plan, field{path: strings.Split(path, "."), derive: derive})
	}
	slices.SortFunc(e.plan, func(a, b field) int { return slices.Compare(a.path, b.path) })
	for i := range e.plan {
		e.plan[i].prepare()
		if i > 0 {
			e.plan[i].shared = commonPrefix(e.plan[i-1].path, e.plan[i].path)
		}
	}
	e.values = make([]pcommon.Value, len(e.slots))
	e.names = make([]string, len(e.slots))
	return e
}

// Generic is the class of an event that is not in the vocabulary.
const Generic = "generic"

// Class returns the class of a record by its EventName and the text of its attribute event.kind.
func Class(eventName, eventKind string) string {
	if eventName == event.KindSecurityAlert || eventKind == "alert" {
		return classOfAlerts
	}
	kind, known := event.KindByName(eventName)
	if !known {
		return Generic
	}
	return kind.Class
}

func (f *field) prepare() {
	last := len(f.path) - 1
	for _, segment := range f.path[:last] {
		f.objects = append(f.objects, `"`+segment+`":{`)
	}
	f.key = `"` + f.path[last] + `":`
}

func commonPrefix(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// AppendDocument appends the record as one line of JSON, without a line end, and returns the
// extended slice. Every attribute of the record and of its resource is in the document: in its ECS
// field, or, where it has none or ECS does not allow the value there, under labels.
func (e *Encoder) AppendDocument(dst []byte, resource pcommon.Resource, record plog.LogRecord) []byte {
	return e.AppendDocumentOf(dst, Stream{}, resource, record)
}

// AppendDocumentOf does what AppendDocument does, for a document that says to which data stream it goes.
func (e *Encoder) AppendDocumentOf(dst []byte, stream Stream, resource pcommon.Resource, record plog.LogRecord) []byte {
	e.stream = stream
	e.load(resource, record)
	dst = append(dst, '{')
	// The fields of one object are neighbours in the plan. Between the field written last and the
	// next one, the objects in common are the fewest that any two neighbours on the way share.
	open, shared := 0, 0
	for i := range e.plan {
		f := &e.plan[i]
		shared = min(shared, f.shared)
		if f.derive == nil && e.names[f.slot] == "" {
			continue
		}
		mark := len(dst)
		dst = closeObjects(dst, open-shared)
		for _, object := range f.objects[shared:] {
			dst = append(jsontext.Comma(dst), object...)
		}
		dst = append(jsontext.Comma(dst), f.key...)
		var ok bool
		if dst, ok = e.appendField(dst, f); !ok {
			dst = dst[:mark]
			continue
		}
		open, shared = len(f.objects), len(f.objects)
	}
	dst = closeObjects(dst, open)
	dst = e.appendLabels(dst)
	e.unload()
	return append(dst, '}')
}

// appendField reports false where the field is to be left out. What it appended is then undone.
func (e *Encoder) appendField(dst []byte, f *field) ([]byte, bool) {
	if f.derive != nil {
		return f.derive(e, dst)
	}
	dst, ok := appendTyped(dst, e.values[f.slot], f.typ, f.ip)
	if !ok {
		e.addLabel(e.names[f.slot], e.values[f.slot])
	}
	return dst, ok
}

// load sorts the attributes into their slots; those without one become labels.
func (e *Encoder) load(resource pcommon.Resource, record plog.LogRecord) {
	e.record = record
	e.place(record.Attributes())
	e.place(resource.Attributes())
	e.alert = record.EventName() == event.KindSecurityAlert || e.text(event.AttrEventKind) == "alert"
	e.about = record.EventName()
	if e.alert {
		if name := e.text(event.AttrVedetteEventName); name != "" {
			e.about = name
		}
	}
	var known bool
	e.kind, known = event.KindByName(e.about)
	switch {
	case e.alert:
		e.class = classOfAlerts
	case known:
		e.class = e.kind.Class
	default:
		e.class = Generic
	}
}

func (e *Encoder) place(attributes pcommon.Map) {
	for name, value := range attributes.All() {
		slot, ok := e.slots[name]
		if !ok || e.names[slot] != "" {
			e.addLabel(name, value)
			continue
		}
		e.names[slot], e.values[slot] = name, value
	}
}

// unload lets go of the record, so that the encoder does not keep it alive.
func (e *Encoder) unload() {
	clear(e.names)
	clear(e.values)
	clear(e.labels)
	e.labels = e.labels[:0]
	e.record = plog.LogRecord{}
}

// value returns the value of an attribute of the plan.
func (e *Encoder) value(attribute string) (pcommon.Value, bool) {
	slot, ok := e.slots[attribute]
	if !ok || e.names[slot] == "" {
		return pcommon.Value{}, false
	}
	return e.values[slot], true
}

// text returns the value of a text attribute of the plan, or nothing.
func (e *Encoder) text(attribute string) string {
	v, ok := e.value(attribute)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}

func closeObjects(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '}')
	}
	return dst
}
