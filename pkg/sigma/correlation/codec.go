// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"encoding/binary"
	"math"
)

// mostCounted bounds counts that are read, so that they can go on to grow.
const mostCounted = 1 << 60

func appendID(b []byte, id [16]byte) []byte { return append(b, id[:]...) }

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(b, math.Float64bits(f))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendTimes(b []byte, times []int64) []byte {
	for _, t := range times {
		b = binary.AppendVarint(b, t)
	}
	return b
}

// reader takes apart what the functions above append. After the first fault it gives zeros.
type reader struct {
	rest   []byte
	broken bool
	// horizon is a time after which nothing of what is read can have happened.
	horizon int64
}

func (r *reader) fail() { r.broken, r.rest = true, nil }

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads how many elements follow, of which each takes at least the given number of bytes.
func (r *reader) count(least int) int {
	n := r.uint()
	if n > uint64(len(r.rest)/least) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail()
		return make([]byte, n)
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) string() string   { return string(r.take(r.count(1))) }
func (r *reader) id() [16]byte     { return [16]byte(r.take(16)) }
func (r *reader) bool() bool       { return r.take(1)[0] == 1 }
func (r *reader) float() float64   { return math.Float64frombits(binary.BigEndian.Uint64(r.take(8))) }
func (r *reader) sum() float64     { return r.float64In(-greatestSum, greatestSum) }
func (r *reader) times(to []int64) { r.each(len(to), func(i int) { to[i] = r.past() }) }

func (r *reader) float64In(least, most float64) float64 {
	f := r.float()
	if !(least <= f && f <= most) {
		r.fail()
		return 0
	}
	return f
}

func (r *reader) each(n int, f func(i int)) {
	for i := 0; i < n && !r.broken; i++ {
		f(i)
	}
}

// past reads a time that must not be after the horizon.
func (r *reader) past() int64 {
	t := r.int()
	if t > r.horizon {
		r.fail()
	}
	return t
}

// rising reads a time of the past that must not be before another.
func (r *reader) rising(before int64) int64 {
	t := r.past()
	if t < before {
		r.fail()
	}
	return t
}

func (w *counter) save(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(w.count))
	for i := range w.count {
		b = binary.AppendVarint(b, *w.at(i))
	}
	return b
}

func (w *counter) restore(r *reader) {
	t := int64(never)
	r.each(r.count(1), func(int) {
		t = r.rising(t)
		w.add(t, nil)
	})
}

func (w *sums) save(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(w.count))
	for i := range w.count {
		b = appendFloat(binary.AppendVarint(b, w.at(i).time), w.at(i).number)
	}
	return b
}

func (w *sums) restore(r *reader) {
	t := int64(never)
	r.each(r.count(9), func(int) {
		t = r.rising(t)
		var in input
		in.setNumber(r.sum())
		w.add(t, &in)
	})
}

func (w *tally) save(b []byte) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b, w.count), w.begun)
	return appendFloat(b, w.sum)
}

func (w *tally) restore(r *reader) {
	w.count, w.begun, w.sum = r.int(), r.past(), r.sum()
	if w.count < 1 || w.count > mostCounted {
		r.fail()
	}
}

func (w *numbers) save(b []byte) []byte {
	b = binary.AppendVarint(binary.AppendUvarint(binary.AppendUvarint(b, w.seen), w.stride), w.begun)
	b = binary.AppendUvarint(b, uint64(len(w.kept)))
	for _, f := range w.kept {
		b = appendFloat(b, f)
	}
	return b
}

func (w *numbers) restore(r *reader) {
	w.seen, w.stride, w.begun = r.uint(), r.uint(), r.past()
	n := r.count(8)
	if w.seen == 0 || w.seen > mostCounted || w.stride == 0 || w.stride > mostCounted || n == 0 {
		r.fail()
		return
	}
	r.each(n, func(int) { w.kept = append(w.kept, r.sum()) })
}

func (w *distinct) save(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(w.count))
	for at := w.oldest; at != none; at = w.slots[at].next {
		b = binary.AppendVarint(appendID(b, w.slots[at].id), w.slots[at].last)
	}
	return b
}

func (w *distinct) restore(r *reader) {
	t := int64(never)
	r.each(r.count(17), func(int) {
		id := r.id()
		t = r.rising(t)
		w.add(t, &input{value: id})
	})
}

func (w *recent) save(b []byte) []byte   { return appendTimes(b, w.last) }
func (w *recent) restore(r *reader)      { r.times(w.last) }
func (w *sequence) save(b []byte) []byte { return appendTimes(b, w.begun) }
func (w *sequence) restore(r *reader)    { r.times(w.begun) }

func (w *chains) save(b []byte) []byte {
	for _, begun := range w.begun {
		b = appendTimes(b, begun)
	}
	return b
}

func (w *chains) restore(r *reader) {
	for _, begun := range w.begun {
		r.times(begun)
	}
}

// appendCarried appends what a firing will show, by name: which fields that are may have changed when it is read.
func (p *plan) appendCarried(b []byte, fields []carried) []byte {
	known := 0
	for _, c := range fields {
		if c.known {
			known++
		}
	}
	b = binary.AppendUvarint(b, uint64(known))
	for i, c := range fields {
		if c.known {
			b = appendString(appendString(b, p.carry[i]), c.text)
		}
	}
	return b
}

func (p *plan) readCarried(r *reader) []carried {
	n := r.count(2)
	if n == 0 && len(p.carry) == 0 {
		return nil
	}
	fields := make([]carried, len(p.carry))
	r.each(n, func(int) {
		name, text := r.string(), r.string()
		for i := range p.carry {
			if p.carry[i] == name {
				fields[i] = carried{text, true}
			}
		}
	})
	return fields
}

// keyFits reports whether a key has a value for each field of group-by.
func (p *plan) keyFits(key string) bool {
	size := 0
	values := splitKey(key)
	for _, v := range values {
		size += 4 + len(v)
	}
	return size == len(key) && len(values) == len(p.GroupBy)
}
