// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma/engine"
)

// truncationMark stands before a path of which only the end is known, so that no rule takes it for a whole
// path.
const truncationMark = "…"

// reader knows which attributes rules read.
type reader struct {
	slots    map[string]engine.Slot
	resource bool // some rule reads what the resource of an event has
}

// resourceAttributes are on the resource of the vocabulary's events and nowhere else.
var resourceAttributes = []string{
	event.AttrHostName, event.AttrHostID, event.AttrHostBootID, event.AttrOSType, event.AttrOSVersion, event.AttrServiceName,
}

func newReader(slots map[string]engine.Slot) *reader {
	r := &reader{slots: slots}
	for _, name := range resourceAttributes {
		if _, ok := r.slots[name]; ok {
			r.resource = true
		}
	}
	return r
}

// noSlot stands for an attribute that no rule reads.
const noSlot = ^engine.Slot(0)

// knownNames remembers the slots of attribute names. Receivers write the same few names, so most look-ups
// end at the first comparison, which is that of two pointers.
type knownNames [1 << knownBits]knownName

type knownName struct {
	name string
	slot engine.Slot
	part part
}

const knownBits = 8

// place is where a name is remembered. Names begin alike and end alike, and differ in their lengths and middles.
func place(name string) uint64 {
	n := len(name)
	h := uint64(n)<<32 | uint64(name[n/3])<<24 | uint64(name[n/2])<<16 | uint64(name[n*3/4])<<8 | uint64(name[n-1])
	return h * 0x9e3779b97f4a7c15 >> (64 - knownBits)
}

// nobodys is what is known of an attribute without a name.
var nobodys = knownName{slot: noSlot}

// known gives the slot of an attribute, or noSlot, and which part it is.
func (r *Record) known(name string) *knownName {
	if name == "" {
		return &nobodys
	}
	k := &r.names[place(name)]
	if k.name == name {
		return k
	}
	slot, ok := r.judge.reader.slots[name]
	if !ok {
		slot = noSlot
	}
	*k = knownName{name, slot, partOf[name]}
	return k
}

// inOrder finds what is known of the attributes of one event after the other. Receivers write the attributes of a kind in one
// order and leave out what an event does not have, so that the next one is mostly one of the few that come next.
type inOrder struct {
	of   *Record
	view *view
	next int
}

// What is remembered of an order, and how many attributes that are left out are passed over at once.
const (
	longestOrder = 128
	mostLeftOut  = 8
)

func (o *inOrder) known(name string) *knownName {
	order := o.of.orders[o.view.number]
	for i := o.next; i < min(len(order), o.next+mostLeftOut); i++ {
		if order[i].name == name {
			o.next = i + 1
			return &order[i]
		}
	}
	k := o.of.known(name)
	if k != &nobodys && len(order) < longestOrder {
		o.of.orders[o.view.number] = slices.Insert(order, o.next, *k)
		o.next++
	}
	return k
}

// slot gives the slot of an attribute, or noSlot.
func (r *Record) slot(name string) engine.Slot { return r.known(name).slot }

// readEvent reads an event of the vocabulary.
func (r *Record) readEvent(log plog.LogRecord, resource pcommon.Map, v *view) {
	s := r.scanner
	s.Reset()
	cut := false
	clear(r.parts[:])
	order := inOrder{of: r, view: v}
	for name, value := range log.Attributes().All() {
		k := order.known(name)
		if k.slot != noSlot {
			addValue(s, k.slot, value)
		}
		if k.part != noPart {
			r.parts[k.part] = value
		}
		if name == event.AttrFilePathTruncated && value.Bool() {
			cut = true
		}
	}
	if cut {
		r.readTruncated(log)
	}
	if r.judge.reader.resource {
		r.readAll(resource)
	}
	if v.audit != nil {
		v.audit.read(s, &r.parts)
	}
	if v.keywords {
		eventKeywords(s, &r.parts, log.Body())
	}
}

// readTruncated reads an event again whose path is only the end of a longer one.
func (r *Record) readTruncated(log plog.LogRecord) {
	r.scanner.Reset()
	for name, value := range log.Attributes().All() {
		slot := r.slot(name)
		switch {
		case slot == noSlot:
		case name == event.AttrFilePath:
			r.scanner.AddString(slot, truncationMark+value.AsString())
		default:
			addValue(r.scanner, slot, value)
		}
	}
}

func (r *Record) readAll(attributes pcommon.Map) {
	for name, value := range attributes.All() {
		if slot := r.slot(name); slot != noSlot {
			addValue(r.scanner, slot, value)
		}
	}
}

func addValue(s *engine.Scanner, slot engine.Slot, value pcommon.Value) {
	switch value.Type() {
	case pcommon.ValueTypeStr:
		s.AddString(slot, value.Str())
	case pcommon.ValueTypeInt:
		s.AddInt(slot, value.Int())
	case pcommon.ValueTypeDouble:
		s.AddFloat(slot, value.Double())
	case pcommon.ValueTypeBool:
		s.AddBool(slot, value.Bool())
	case pcommon.ValueTypeSlice:
		list := value.Slice()
		for i := range list.Len() {
			addValue(s, slot, list.At(i))
		}
	case pcommon.ValueTypeEmpty:
		s.AddNil(slot)
	default:
		s.AddString(slot, value.AsString())
	}
}

// keywordParts hold the text that keywords of rules about events are looked for in: each argument for itself, as a keyword
// may be one.
var keywordParts = []part{partArguments, partCommandLine, partExecutablePath, partPath}

func eventKeywords(s *engine.Scanner, has *parts, body pcommon.Value) {
	for _, p := range keywordParts {
		if has.has(p) {
			addKeywords(s, has[p])
		}
	}
	if body.Type() != pcommon.ValueTypeEmpty {
		addKeywords(s, body)
	}
}

func addKeywords(s *engine.Scanner, value pcommon.Value) {
	if value.Type() != pcommon.ValueTypeSlice {
		s.AddKeyword(value.AsString())
		return
	}
	list := value.Slice()
	for i := range list.Len() {
		addKeywords(s, list.At(i))
	}
}
