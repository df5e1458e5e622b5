// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/binary"
	"math/bits"
)

// What a memo keeps at most: entries, the length of a remembered string, and what was found in it.
const (
	memoEntries = 256
	memoLength  = 256
	memoFound   = 64
)

// memo remembers what was found in strings of a slot. Every string has one place; the latest takes it. A memo that is of no
// use rests for a while.
type memo struct {
	entries     []memoEntry
	asked, hits uint32 // since the last judgement
	rest        uint32 // strings to let pass
}

type memoEntry struct {
	full  bool
	mix   uint64 // of the text; most other texts of the same place have another one
	text  []byte
	found []predicateID
}

// A memo is judged after some strings; with less than one hit in eight it rests.
const (
	memoTrial = 1024
	memoRest  = 16 * 1024
)

// lookup gives the place of a string, nil where none is to be used, and whether it holds what was found in this string.
func (m *memo) lookup(text string) (entry *memoEntry, holds bool) {
	if len(text) > memoLength {
		return nil, false
	}
	if m.rest > 0 {
		m.rest--
		return nil, false
	}
	if m.entries == nil {
		m.entries = make([]memoEntry, memoEntries)
	}
	mix := memoMix(text)
	entry = &m.entries[uint8(mix>>56)]
	if holds = entry.full && entry.mix == mix && string(entry.text) == text; holds {
		m.hits++
	} else {
		entry.full, entry.mix = false, mix
	}
	if m.asked++; m.asked == memoTrial {
		if m.hits < memoTrial/8 {
			m.rest = memoRest
		}
		m.asked, m.hits = 0, 0
	}
	return entry, holds
}

// memoMix is made of the length and of a few bytes only. Who sends texts that share one gains nothing but that they are
// scanned.
func memoMix(text string) uint64 {
	n := len(text)
	h := uint64(n)
	if n >= 8 {
		h ^= eight(text, 0) ^ bits.RotateLeft64(eight(text, n/2-4), 21) ^ bits.RotateLeft64(eight(text, n-8), 43)
	} else {
		for i := range n {
			h = h<<8 ^ uint64(text[i])
		}
	}
	return h * 0x9e3779b97f4a7c15
}

func eight(text string, at int) uint64 { return binary.LittleEndian.Uint64([]byte(text[at : at+8])) }

func (e *memoEntry) keep(text string, found []predicateID) {
	if e == nil || len(found) > memoFound {
		return
	}
	e.full = true
	e.text = append(e.text[:0], text...)
	e.found = append(e.found[:0], found...)
}
