// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"
)

// entry is a match that waits until no earlier one can come.
type entry struct {
	time  int64  // nanoseconds since 1970
	seq   uint64 // of entries with the same time, the order in which they came
	plan  *plan
	group *group // nil where it was not there when the match came; it may be gone meanwhile
	key   string
	input input
}

// input is what a window takes from an event.
type input struct {
	event   EventID
	value   valueID // what is counted, or the bits of a number
	carried []carried
	rule    int // position in the correlation's list
}

func (in *input) number() float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(in.value[:8]))
}

func (in *input) setNumber(f float64) {
	binary.LittleEndian.PutUint64(in.value[:8], math.Float64bits(f))
}

// carried is the text of a field that the firing will show.
type carried struct {
	text  string
	known bool
}

func (e *entry) before(other *entry) bool {
	return e.time < other.time || e.time == other.time && e.seq < other.seq
}

func (e *entry) bytes() int {
	n := int(unsafe.Sizeof(*e))
	if e.group == nil {
		n += len(e.key)
	}
	for _, c := range e.input.carried {
		n += int(unsafe.Sizeof(c)) + len(c.text)
	}
	return n
}

// queue gives entries in the order of their times. Nearly all events come in order: those are in a list of blocks, at no cost
// beyond that of copying them, and only the others in a heap.
type queue struct {
	blocks []*block
	head   int // in the first block
	tail   int // in the last one
	spare  *block
	heap   []entry
	count  int
	bytes  int
}

const blockSize = 64

type block [blockSize]entry

// front and back are the first and the last entry that came in order, nil if there is none.
func (q *queue) front() *entry {
	if len(q.blocks) == 0 {
		return nil
	}
	return &q.blocks[0][q.head]
}

func (q *queue) back() *entry {
	if len(q.blocks) == 0 {
		return nil
	}
	return &q.blocks[len(q.blocks)-1][q.tail]
}

func (q *queue) push(e *entry) {
	q.count++
	q.bytes += e.bytes()
	back := q.back()
	switch {
	case back != nil && e.before(back):
		q.heap = append(q.heap, *e)
		q.up(len(q.heap) - 1)
		return
	case back != nil && q.tail < blockSize-1:
		q.tail++
	default:
		q.extend()
	}
	*q.back() = *e
}

func (q *queue) extend() {
	b := q.spare
	if b == nil {
		b = new(block)
	}
	q.spare = nil
	if len(q.blocks) == 0 {
		q.head = 0
	}
	q.blocks = append(q.blocks, b)
	q.tail = 0
}

// first gives the earliest entry, nil if there is none.
func (q *queue) first() *entry {
	front := q.front()
	if len(q.heap) > 0 && (front == nil || q.heap[0].before(front)) {
		return &q.heap[0]
	}
	return front
}

// pop takes the earliest entry, of which there must be one.
func (q *queue) pop(to *entry) {
	e := q.first()
	*to = *e
	q.count--
	q.bytes -= e.bytes()
	if e != q.front() {
		q.popHeap()
		return
	}
	*e = entry{} // what it refers to must not be kept
	switch {
	case len(q.blocks) == 1 && q.head == q.tail || q.head == blockSize-1:
		q.spare, q.blocks[0] = q.blocks[0], nil
		q.blocks = q.blocks[1:]
		q.head = 0
	default:
		q.head++
	}
}

func (q *queue) popHeap() {
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap[last] = entry{}
	q.heap = q.heap[:last]
	q.down(0)
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
	all := make([]*entry, 0, q.count)
	for i, b := range q.blocks {
		from, to := 0, blockSize
		if i == 0 {
			from = q.head
		}
		if i == len(q.blocks)-1 {
			to = q.tail + 1
		}
		for at := from; at < to; at++ {
			all = append(all, &b[at])
		}
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
