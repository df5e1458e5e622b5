// SPDX-License-Identifier: Apache-2.0

// Package ecs writes OTel log records as documents of the Elastic Common Schema.
package ecs

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

// classOfAlerts is the class of every alert, whatever it is about.
const classOfAlerts = "alert"

// Version is the version of the Elastic Common Schema that documents follow.
const Version = "8.17.0"

// Encoder turns log records into ECS documents. It keeps its working memory from one document to
// the next, so it must not be used by two goroutines at once.
type Encoder struct {
	*plan
	// follows guesses the next attribute of a record: by kind and slot, which slot came after it in the
	// record of that kind before. Records of a kind have their attributes in the same order.
	follows []uint16
	bridges []bridge // by field
	clock   jsontext.Clock

	kind    *kind // of the event, or of the event an alert is about
	alert   bool
	about   string // name of the event, or of the event an alert is about
	record  plog.LogRecord
	stream  Stream
	values  []pcommon.Value // by slot
	taken   set             // the slots that have a value
	due     set             // the fields to be written
	named   set             // the slots whose value becomes a label
	labels  []label         // of attributes without a slot, or whose slot was taken
	scratch []byte
}

// Stream is the data stream of logs that a document goes to. The zero value is none.
type Stream struct {
	Dataset, Namespace string
}

// NewEncoder plans the documents once.
func NewEncoder() *Encoder {
	p := newPlan()
	return &Encoder{
		plan: p, kind: p.foreign,
		follows: make([]uint16, (len(p.kinds)+1)*(len(p.attributes)+1)),
		bridges: make([]bridge, len(p.fields)),
		values:  make([]pcommon.Value, len(p.attributes)),
		taken:   newSet(len(p.attributes)), named: newSet(len(p.attributes)), due: newSet(len(p.fields)),
	}
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
	open := &outside
	for w, word := range e.due {
		for ; word != 0; word &= word - 1 {
			i := numberOf(w, word)
			f := &e.fields[i]
			mark := len(dst)
			if f.object == open.object {
				dst = append(dst, f.next...)
			} else {
				dst = append(dst, e.between(open, i)...)
			}
			var written bool
			if dst, written = e.appendField(dst, f); !written {
				dst = dst[:mark]
				continue
			}
			open = f
		}
	}
	dst = closeObjects(dst, open.depth())
	dst = e.appendLabels(dst)
	e.unload()
	return append(dst, '}')
}

// outside is before the first field of a document.
var outside = field{path: []string{""}, object: -1}

// bridge is the text before the first field of an object, or before one that follows an object inside its own.
type bridge struct {
	from int // the object
	text string
}

// between gives the text between a field and one of another object. It is the same as in the document before most of the time.
func (e *Encoder) between(last *field, next int) string {
	b := &e.bridges[next]
	if b.from != last.object || b.text == "" {
		*b = bridge{from: last.object, text: textBetween(last, &e.fields[next])}
	}
	return b.text
}

// textBetween closes the objects that the last field is in and the next is not, and opens those that only the next
// is in. Fields of one object are neighbours.
func textBetween(last, next *field) string {
	shared := 0
	for shared < min(len(next.path), len(last.path))-1 && next.path[shared] == last.path[shared] {
		shared++
	}
	dst := closeObjects(nil, last.depth()-shared)
	if last.object != outside.object {
		dst = append(dst, ',')
	}
	for _, segment := range next.path[shared:next.depth()] {
		dst = append(jsontext.AppendString(dst, segment), ':', '{')
	}
	return string(append(dst, next.key...))
}

// appendField reports false where the field is to be left out. What it appended is then undone.
func (e *Encoder) appendField(dst []byte, f *field) ([]byte, bool) {
	if f.derive != nil {
		return f.derive(e, dst)
	}
	dst, ok := appendTyped(dst, e.values[f.slot], f.typ, f.ip)
	if !ok {
		e.named.add(f.slot)
	}
	return dst, ok
}

// load sorts the attributes into their slots; those without one become labels.
func (e *Encoder) load(resource pcommon.Resource, record plog.LogRecord) {
	e.record = record
	copy(e.due, e.always)
	e.about = record.EventName()
	e.kind = e.kindOf(e.about)
	e.place(record.Attributes(), e.kind.number)
	e.place(resource.Attributes(), e.foreign.number)
	e.alert = record.EventName() == event.KindSecurityAlert || e.text(e.at.kind) == "alert"
	if !e.alert {
		return
	}
	if name := e.text(e.at.about); name != "" {
		e.about = name
		e.kind = e.kindOf(name)
	}
}

// kindOf is asked for the same kind most of the time.
func (e *Encoder) kindOf(name string) *kind {
	if name == e.kind.name && name != "" {
		return e.kind
	}
	if k, ok := e.kinds[name]; ok {
		return k
	}
	return e.foreign
}

// place takes the attributes of a record, or of a resource, which follow each other as those of a kind of record do.
func (e *Encoder) place(attributes pcommon.Map, kind int) {
	follows := e.follows[kind*(len(e.attributes)+1):][:len(e.attributes)+1]
	last := len(e.attributes)
	for name, value := range attributes.All() {
		slot := int(follows[last])
		if e.attributes[slot].name != name {
			var known bool
			if slot, known = e.slots[name]; !known {
				e.addLabel(name, value)
				continue
			}
			follows[last] = uint16(slot)
		}
		last = slot
		if e.taken.has(slot) {
			e.addLabel(name, value)
			continue
		}
		e.take(slot, value)
	}
}

func (e *Encoder) take(slot int, value pcommon.Value) {
	e.taken.add(slot)
	e.values[slot] = value
	a := &e.attributes[slot]
	if a.labelled {
		e.named.add(slot)
	}
	for _, i := range a.fields {
		e.due.add(i)
	}
}

// unload lets go of the record, so that the encoder does not keep it alive.
func (e *Encoder) unload() {
	clear(e.values)
	clear(e.taken)
	clear(e.named)
	clear(e.labels)
	e.labels = e.labels[:0]
	e.record = plog.LogRecord{}
}

// text returns the value of a text attribute, or nothing.
func (e *Encoder) text(slot int) string {
	if !e.taken.has(slot) || e.values[slot].Type() != pcommon.ValueTypeStr {
		return ""
	}
	return e.values[slot].Str()
}

func closeObjects(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '}')
	}
	return dst
}
