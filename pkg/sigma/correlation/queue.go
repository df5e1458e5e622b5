// SPDX-License-Identifier: Apache-2.0

package correlation

import "slices"

// entry is a match that waits until no earlier one can come.
type entry struct {
	time  int64  // nanoseconds since 1970
	seq   uint64 // of entries with the same time, the order in which they came
	plan  *plan
	rule  int // position in the correlation's list
	key   string
	input input
}

// input is what a window takes from an event.
type input struct {
	rule    int
	value   valueID // what is counted, for the types that count values
	number  float64 // for the types that compute with numbers
	event   EventID
	carried []carried
}

// carried is the text of a field that the firing will show.
type carried struct {
	text  string
	known bool
}

func (e *entry) before(other *entry) bool {
	return e.time < other.time || e.time == other.time && e.seq < other.seq
}

const entryBytes = 144

func (e *entry) bytes() int {
	n := entryBytes + len(e.key)
	for _, c := range e.input.carried {
		n += 24 + len(c.text)
	}
	return n
}

// queue gives entries in the order of their times. Nearly all events come in order: those are in a ring, at no cost beyond
// that of copying them, and only the others in a heap.
type queue struct {
	ring  []entry // a power of two of them
	head  int
	count int
	heap  []entry
	bytes int
}

func (q *queue) len() int { return q.count + len(q.heap) }

func (q *queue) at(i int) *entry { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *queue) push(e entry) {
	q.bytes += e.bytes()
	if q.count > 0 && e.before(q.at(q.count-1)) {
		q.heap = append(q.heap, e)
		q.up(len(q.heap) - 1)
		return
	}
	if q.count == len(q.ring) {
		q.grow()
	}
	q.count++
	*q.at(q.count - 1) = e
}

func (q *queue) grow() {
	larger := make([]entry, max(16, 2*len(q.ring)))
	for i := range q.count {
		larger[i] = *q.at(i)
	}
	q.ring, q.head = larger, 0
}

// first gives the earliest entry, nil if there is none.
func (q *queue) first() *entry {
	if q.count > 0 && (len(q.heap) == 0 || q.at(0).before(&q.heap[0])) {
		return q.at(0)
	}
	if len(q.heap) > 0 {
		return &q.heap[0]
	}
	return nil
}

// pop takes the earliest entry, of which there must be one.
func (q *queue) pop() entry {
	var e entry
	if q.count > 0 && (len(q.heap) == 0 || q.at(0).before(&q.heap[0])) {
		e = *q.at(0)
		*q.at(0) = entry{}
		q.head = (q.head + 1) & (len(q.ring) - 1)
		q.count--
	} else {
		e = q.heap[0]
		last := len(q.heap) - 1
		q.heap[0] = q.heap[last]
		q.heap[last] = entry{}
		q.heap = q.heap[:last]
		q.down(0)
	}
	q.bytes -= e.bytes()
	return e
}

func (q *queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.heap[i].before(&q.heap[parent]) {
			return
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

func (q *queue) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q.heap); child++ {
			if q.heap[child].before(&q.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}

// entries gives what waits, in order.
func (q *queue) entries() []*entry {
	all := make([]*entry, 0, q.len())
	for i := range q.count {
		all = append(all, q.at(i))
	}
	for i := range q.heap {
		all = append(all, &q.heap[i])
	}
	slices.SortFunc(all, func(a, b *entry) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	return all
}
