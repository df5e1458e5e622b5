// SPDX-License-Identifier: Apache-2.0

package engine

// Fixed are values that many events have alike, scanned once and for all. They do not change and may be added to events of
// every scanner of their engine.
type Fixed struct {
	values []value // linked by their places here, from 1; number 0 is not used
	slots  []fixedSlot
	found  []predicateID // that hold because of them
}

type fixedSlot struct {
	slot Slot
	slotValues
}

// Fix gives the values that the event has so far.
func (s *Scanner) Fix() *Fixed {
	for _, slot := range s.used {
		s.scanSlot(slot)
	}
	f := &Fixed{values: append([]value(nil), s.values...), found: append([]predicateID(nil), s.hits...)}
	for i := range f.values {
		v := &f.values[i]
		v.scanned, v.folded, v.plain = true, span{}, span{} // the texts are in this scanner's arena
	}
	for _, slot := range s.used {
		f.slots = append(f.slots, fixedSlot{slot, s.slots[slot]})
	}
	return f
}

// AddFixed adds values to those of their slots.
func (s *Scanner) AddFixed(f *Fixed) {
	if s.judging {
		s.forgetAnswers()
	}
	moved := int32(len(s.values) - 1)
	s.values = append(s.values, f.values[1:]...)
	for i := int(moved) + 1; i < len(s.values); i++ {
		if v := &s.values[i]; v.next != 0 {
			v.next += moved
		}
	}
	for _, fixed := range f.slots {
		list := &s.slots[fixed.slot]
		if list.first == 0 {
			list.first = fixed.first + moved
			s.used = append(s.used, fixed.slot)
		} else {
			s.values[list.last].next = fixed.first + moved
		}
		list.last = fixed.last + moved
	}
	s.hitAll(f.found)
}
