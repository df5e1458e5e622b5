// SPDX-License-Identifier: Apache-2.0

package correlation

// distinct keeps the latest of the different values of a group and when each was last seen. To tell whether n different values are
// in a window, the n latest suffice: what is not among them cannot come among them without being seen again.
type distinct struct {
	slots          []slot
	oldest, newest int32 // a list through the slots, -1 where it ends
	free           int32
	count          int32
	most           int32
	index          map[valueID]int32 // nil while there are few values
	degrades       bool              // forgetting a value for lack of room makes a difference
}

type slot struct {
	id         valueID
	last       int64
	prev, next int32
}

const (
	none         = -1
	fewValues    = 16
	slotBytes    = 32
	indexedBytes = 40
)

func newDistinct(most int, degrades bool) *distinct {
	return &distinct{oldest: none, newest: none, free: none, most: int32(most), degrades: degrades}
}

func (w *distinct) find(id valueID) int32 {
	if w.index != nil {
		if at, ok := w.index[id]; ok {
			return at
		}
		return none
	}
	for at := w.newest; at != none; at = w.slots[at].prev {
		if w.slots[at].id == id {
			return at
		}
	}
	return none
}

func (w *distinct) add(t int64, in *input) (fresh, degraded bool) {
	at := w.find(in.value)
	if at == none {
		fresh = true
		if w.count == w.most {
			w.remove(w.oldest)
			degraded = w.degrades
		}
		at = w.take(in.value)
	} else {
		w.unlink(at)
	}
	w.slots[at].last = t
	w.link(at)
	return fresh, degraded
}

// take gives a slot to a value.
func (w *distinct) take(id valueID) int32 {
	at := w.free
	if at == none {
		at = int32(len(w.slots))
		w.slots = append(roomier(w.slots, int(w.most)), slot{})
	} else {
		w.free = w.slots[at].next
	}
	w.slots[at].id = id
	w.count++
	if w.index == nil && w.count > fewValues {
		w.index = make(map[valueID]int32, 2*fewValues)
		for other := w.newest; other != none; other = w.slots[other].prev {
			w.index[w.slots[other].id] = other
		}
	}
	if w.index != nil {
		w.index[id] = at
	}
	return at
}

// remove forgets the value in a slot.
func (w *distinct) remove(at int32) {
	w.unlink(at)
	if w.index != nil {
		delete(w.index, w.slots[at].id)
	}
	w.slots[at].next = w.free
	w.free = at
	w.count--
}

// link puts a slot at the new end of the list.
func (w *distinct) link(at int32) {
	w.slots[at].prev, w.slots[at].next = w.newest, none
	if w.newest != none {
		w.slots[w.newest].next = at
	} else {
		w.oldest = at
	}
	w.newest = at
}

func (w *distinct) unlink(at int32) {
	s := &w.slots[at]
	if s.prev != none {
		w.slots[s.prev].next = s.next
	} else {
		w.oldest = s.next
	}
	if s.next != none {
		w.slots[s.next].prev = s.prev
	} else {
		w.newest = s.prev
	}
}

func (w *distinct) expire(cutoff int64) {
	for w.oldest != none && w.slots[w.oldest].last <= cutoff {
		w.remove(w.oldest)
	}
}

func (w *distinct) value() (v float64, first int64) {
	if w.oldest == none {
		return 0, never
	}
	return float64(w.count), w.slots[w.oldest].last
}

func (w *distinct) bytes() int {
	n := 80 + slotBytes*cap(w.slots)
	if w.index != nil {
		n += indexedBytes * len(w.slots)
	}
	return n
}
