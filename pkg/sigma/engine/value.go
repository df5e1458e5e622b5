// SPDX-License-Identifier: Apache-2.0

package engine

import "math"

type kind uint8

const (
	kindNil kind = iota
	kindString
	kindInt
	kindFloat
	kindBool
)

// value is one value of an event.
type value struct {
	str     string
	bits    uint64 // of a number or boolean
	folded  span   // of Scanner.arena
	plain   span   // the same without folding, for questions that need bytes
	next    int32  // the slot's next value in Scanner.values, 0 for none
	kind    kind
	scanned bool
}

// span is a part of the arena once it is made. An empty text at the arena's beginning is made again each time.
type span struct{ lo, hi uint32 }

func (s span) made() bool { return s.hi != 0 }

func (v *value) int() int64     { return int64(v.bits) }
func (v *value) float() float64 { return math.Float64frombits(v.bits) }
func (v *value) bool() bool     { return v.bits != 0 }

// any gives the value as sigma takes it.
func (v *value) any() any {
	switch v.kind {
	case kindString:
		return v.str
	case kindInt:
		return v.int()
	case kindFloat:
		return v.float()
	case kindBool:
		return v.bool()
	}
	return nil
}

// folded gives the folded text of a value, nothing for nil. It is good until the next text is asked for.
func (s *Scanner) folded(v *value) []byte {
	if !v.folded.made() {
		lo := len(s.arena)
		if v.kind == kindString {
			s.arena = appendFolded(s.arena, v.str)
		} else {
			s.arena = appendScalar(s.arena, v.any())
			foldASCII(s.arena[lo:])
		}
		v.folded = span{uint32(lo), uint32(len(s.arena))}
	}
	return s.arena[v.folded.lo:v.folded.hi]
}

// text gives the text of a value as it is, nothing for nil. It is good until the next text is asked for.
func (s *Scanner) text(v *value) []byte {
	if !v.plain.made() {
		lo := len(s.arena)
		if v.kind == kindString {
			s.arena = append(s.arena, v.str...)
		} else {
			s.arena = appendScalar(s.arena, v.any())
		}
		v.plain = span{uint32(lo), uint32(len(s.arena))}
	}
	return s.arena[v.plain.lo:v.plain.hi]
}
