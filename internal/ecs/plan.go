// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/jsontext"
)

// plan says where everything of a record goes. It does not change.
type plan struct {
	fields     []field // in the order of the document
	always     set     // the fields that every document may have
	attributes []attribute
	slots      map[string]int // name of an attribute to its place among the attributes
	kinds      map[string]*kind
	foreign    *kind // of every event outside the vocabulary
	at         places
}

// field is one member of the document. It comes from an attribute, or is derived from the record.
type field struct {
	path   []string // segments of the ECS name
	object int      // the number of the object that it is in; 0 for the document
	key    string   // the JSON text of the last segment: `"pid":`
	next   string   // the same behind another member of its object
	slot   int      // of the attribute, for a field from an attribute
	typ    event.Type
	ip     bool // ECS takes nothing but an IP address
	derive func(*Encoder, []byte) ([]byte, bool)
}

// depth is how many objects of the document the field is in.
func (f *field) depth() int { return len(f.path) - 1 }

// attribute is one of the vocabulary. They are in the order of the keys of their labels.
type attribute struct {
	name  string
	label string // the JSON text of the key of its label
	// fields are those that a document may have when the record has the attribute.
	fields []int
	// labelled attributes have no field of their own.
	labelled bool
}

// places are the slots of the attributes that fields are derived from.
type places struct {
	kind, about, args, parent, userID, userName, host, source, destination int
	peers                                                                  []int
}

// kind is what follows from the kind of an event alone, as JSON.
type kind struct {
	number        int
	name          string
	class         string
	action        string // empty where the event's name serves
	dataset       string
	category, typ string // empty where there is none
	alertCategory string // of an alert about such an event
	alertType     string
}

func newPlan() *plan {
	p := &plan{slots: map[string]int{}, kinds: map[string]*kind{}}
	p.addAttributes()
	p.addFields()
	p.addKinds()
	p.at = places{
		kind: p.slots[event.AttrEventKind], about: p.slots[event.AttrVedetteEventName],
		args: p.slots[event.AttrProcessCommandArgs], parent: p.slots[event.AttrProcessParentExecutablePath],
		userID: p.slots[event.AttrProcessUserID], userName: p.slots[event.AttrProcessUserName],
		host: p.slots[event.AttrHostName], source: p.slots[event.AttrSourceAddress], destination: p.slots[event.AttrDestinationAddress],
	}
	for _, name := range peers {
		p.at.peers = append(p.at.peers, p.slots[name])
	}
	return p
}

func (p *plan) addAttributes() {
	names := map[string]bool{}
	for _, k := range event.Kinds() {
		for _, name := range k.Attributes {
			names[name] = true
		}
	}
	for _, name := range event.ResourceAttributes() {
		names[name] = true
	}
	for _, f := range event.ECSPlan() {
		names[f.Attribute] = true
	}
	for name := range names {
		p.attributes = append(p.attributes, attribute{name: name, label: `"` + labelKey(name) + `":`, labelled: true})
	}
	slices.SortFunc(p.attributes, func(a, b attribute) int { return strings.Compare(a.label, b.label) })
	for slot, a := range p.attributes {
		p.slots[a.name] = slot
	}
}

func (p *plan) addFields() {
	for _, from := range event.ECSPlan() {
		slot := p.slots[from.Attribute]
		p.attributes[slot].labelled = false
		if _, ok := derived[from.Path]; ok {
			continue
		}
		p.fields = append(p.fields, field{
			path: strings.Split(from.Path, "."), slot: slot, typ: from.Type,
			ip: from.Type == event.String && strings.HasSuffix(from.Path, ".ip"),
		})
	}
	for path, d := range derived {
		p.fields = append(p.fields, field{path: strings.Split(path, "."), derive: d.append})
	}
	slices.SortFunc(p.fields, func(a, b field) int { return slices.Compare(a.path, b.path) })
	p.always = newSet(len(p.fields))
	objects := map[string]int{"": 0}
	for i := range p.fields {
		f := &p.fields[i]
		f.prepare(objects)
		p.tie(i, f)
	}
}

// tie says which attributes a field needs: its own, or any of those it is derived from.
func (p *plan) tie(i int, f *field) {
	if f.derive == nil {
		p.attributes[f.slot].fields = append(p.attributes[f.slot].fields, i)
		return
	}
	from := derived[strings.Join(f.path, ".")].from
	if len(from) == 0 {
		p.always.add(i)
	}
	for _, name := range from {
		slot := p.slots[name]
		p.attributes[slot].fields = append(p.attributes[slot].fields, i)
	}
}

// prepare writes the parts of JSON, and numbers an object that was not met before.
func (f *field) prepare(objects map[string]int) {
	name := strings.Join(f.path[:f.depth()], ".")
	if _, met := objects[name]; !met {
		objects[name] = len(objects)
	}
	f.object = objects[name]
	f.key = string(jsontext.AppendString(nil, f.path[f.depth()])) + ":"
	f.next = "," + f.key
}

func (p *plan) addKinds() {
	alert, _ := event.KindByName(event.KindSecurityAlert)
	p.foreign = newKind(0, event.Kind{Class: Generic}, alert)
	for i, k := range event.Kinds() {
		p.kinds[k.Name] = newKind(i+1, k, alert)
	}
}

func newKind(number int, k, alert event.Kind) *kind {
	prepared := &kind{
		number: number, name: k.Name, class: k.Class, dataset: `"vedette.` + k.Class + `"`,
		category: list(k.ECS.Category), typ: list(k.ECS.Type),
		alertCategory: list(union(alert.ECS.Category, k.ECS.Category)), alertType: list(union(alert.ECS.Type, k.ECS.Type)),
	}
	if k.ECS.Action != "" {
		prepared.action = string(jsontext.AppendString(nil, k.ECS.Action))
	}
	return prepared
}

// union is what holds for the event, after what holds for every alert.
func union(ofAlert, ofEvent []string) []string {
	all := slices.Clone(ofAlert)
	for _, s := range ofEvent {
		if !slices.Contains(ofAlert, s) {
			all = append(all, s)
		}
	}
	return all
}

func list(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	dst := []byte{'['}
	for _, s := range texts {
		dst = jsontext.AppendString(jsontext.Comma(dst), s)
	}
	return string(append(dst, ']'))
}

// set is a set of small numbers. To walk it in their order, take the lowest bit of each word until none is left.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

func (s set) empty() bool {
	for _, word := range s {
		if word != 0 {
			return false
		}
	}
	return true
}

// numberOf is the number that the lowest bit of a set's word stands for.
func numberOf(w int, word uint64) int { return w*64 + bits.TrailingZeros64(word) }
