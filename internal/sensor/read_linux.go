// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

// Settle is how old a record has to be before it is handed out: by then all that happened before it is in its ring, unless
// another processor stopped for longer between taking a record's time and writing it, as a virtual one may. Records of which
// one led to the other are in order in any case.
const Settle = time.Millisecond

// maxBatch bounds how many records of a ring one Read takes.
const maxBatch = 16384

// Read hands out what the kernel has reported since the last call, in the order it happened, and
// the number of records that were malformed. It does not wait. The records are valid until the next
// call that is given the same batch.
//
// The activity ring is read before the process ring. So whatever a process did, the record of how
// it came to be is in the same batch or an earlier one.
func (s *Sensor) Read(batch *Batch) (malformed int, err error) {
	now, err := bootClock()
	if err != nil {
		return 0, err
	}
	return s.readUntil(batch, now-uint64(Settle))
}

// Drain is Read for the end: it waits until what has happened when it is called is settled, and hands that out. What
// happens meanwhile is left to the next call: it may be in the ring that is read last and what led to it may not be in the other.
func (s *Sensor) Drain(batch *Batch) (malformed int, err error) {
	now, err := bootClock()
	if err != nil {
		return 0, err
	}
	time.Sleep(Settle)
	return s.readUntil(batch, now+1)
}

func bootClock() (uint64, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, fmt.Errorf("read the boot clock: %w", err)
	}
	return uint64(now.Nano()), nil
}

func (s *Sensor) readUntil(batch *Batch, until uint64) (malformed int, err error) {
	batch.reset()
	batch.Until = until
	for _, r := range s.carried {
		batch.add(r.raw)
	}
	for _, ring := range []*ringbuf.Reader{s.other, s.process} {
		emptied, err := batch.take(ring)
		if err != nil {
			return 0, err
		}
		if !emptied {
			batch.Until = min(batch.Until, batch.lastTaken()-uint64(Settle))
		}
	}
	malformed = batch.parse()
	slices.SortStableFunc(batch.Records, func(a, b Record) int { return cmp.Compare(a.Head().Time, b.Head().Time) })
	settled, _ := slices.BinarySearchFunc(batch.Records, until, func(r Record, t uint64) int {
		return cmp.Compare(r.Head().Time, t)
	})
	s.carried = s.carried[:0]
	for _, r := range batch.Records[settled:] {
		s.carried = append(s.carried, Record{slices.Clone(r.raw)})
	}
	batch.Records = batch.Records[:settled]
	return malformed, nil
}

// Batch is reusable memory for records.
type Batch struct {
	Records []Record
	// Until is a time since boot in nanoseconds: all that the kernel reported of before it is in this batch or in one before.
	Until uint64

	memory []byte
	spans  [][2]int
	sample ringbuf.Record
}

func (b *Batch) reset() {
	b.Records, b.memory, b.spans = b.Records[:0], b.memory[:0], b.spans[:0]
}

// add copies a record to the batch's memory, at a multiple of eight.
func (b *Batch) add(raw []byte) {
	at := len(b.memory)
	b.memory = append(b.memory, raw...)
	b.spans = append(b.spans, [2]int{at, len(b.memory)})
	for len(b.memory)%8 != 0 {
		b.memory = append(b.memory, 0)
	}
}

// take reads what a ring holds, and says whether that was all.
func (b *Batch) take(ring *ringbuf.Reader) (emptied bool, err error) {
	// A deadline in the past: read what is there and do not wait.
	ring.SetDeadline(time.Unix(0, 1))
	for range maxBatch {
		err := ring.ReadInto(&b.sample)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("read a ring buffer: %w", err)
		}
		b.add(b.sample.RawSample)
	}
	return false, nil
}

// lastTaken is the time of the last record. Where that is malformed it says nothing, and Until becomes 0.
func (b *Batch) lastTaken() uint64 {
	span := b.spans[len(b.spans)-1]
	r, err := Parse(b.memory[span[0]:span[1]:span[1]])
	if err != nil {
		return uint64(Settle)
	}
	return r.Head().Time
}

// parse runs when the memory has stopped growing, so that the records may point into it.
func (b *Batch) parse() (malformed int) {
	for _, span := range b.spans {
		r, err := Parse(b.memory[span[0]:span[1]:span[1]])
		if err != nil {
			malformed++
			continue
		}
		b.Records = append(b.Records, r)
	}
	return malformed
}
