// SPDX-License-Identifier: Apache-2.0

package correlation

import (
	"math"
	"slices"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// window is what a group knows of the events in its time span.
type window interface {
	// add takes an event that is not before any it has. fresh says that the value was not there, degraded that a limit made
	// the window forget something.
	add(t int64, in *input) (fresh, degraded bool)
	// expire forgets what happened at or before a time.
	expire(cutoff int64)
	// value is what the condition is asked about, and the time of the first event that counts for it.
	value() (v float64, first int64)
	// bytes is about the memory it takes.
	bytes() int
	// save appends what restore, on a new window, makes the same of.
	save(b []byte) []byte
	restore(r *reader)
}

const never = math.MinInt64

// roomier gives a slice with room for one more element, of which there will be no more than most. Most groups stay small and there
// are many, so that doubling would waste much.
func roomier[T any](s []T, most int) []T {
	if len(s) < cap(s) {
		return s
	}
	return append(make([]T, 0, max(min(roomierSize(len(s)), most), len(s)+1)), s...)
}

func roomierSize(size int) int { return size + max(2, size/2) }

// counter counts up to a number of events, by remembering the times of that many.
type counter struct {
	times []int64 // a ring
	head  int32
	count int32
	need  int32
}

func (w *counter) at(i int32) *int64 { return &w.times[(int(w.head)+int(i))%len(w.times)] }

func (w *counter) add(t int64, _ *input) (fresh, degraded bool) {
	switch {
	case w.count == w.need:
		w.head = (w.head + 1) % int32(len(w.times))
		w.count--
	case int(w.count) == len(w.times):
		larger := make([]int64, min(roomierSize(len(w.times)), int(w.need)))
		for i := range w.count {
			larger[i] = *w.at(i)
		}
		w.times, w.head = larger, 0
	}
	w.count++
	*w.at(w.count - 1) = t
	return false, false
}

func (w *counter) expire(cutoff int64) {
	for w.count > 0 && *w.at(0) <= cutoff {
		w.head = (w.head + 1) % int32(len(w.times))
		w.count--
	}
}

func (w *counter) value() (v float64, first int64) {
	if w.count == 0 {
		return 0, never
	}
	return float64(w.count), *w.at(0)
}

func (w *counter) bytes() int { return 48 + 8*len(w.times) }

// sums adds up numbers. At its limit it takes the two oldest together, so that they leave late but are not lost.
type sums struct {
	samples []sample // a ring
	head    int
	count   int
	most    int
	sum     float64
	removed int
}

type sample struct {
	time   int64
	number float64
}

func (w *sums) at(i int) *sample { return &w.samples[(w.head+i)%len(w.samples)] }

func (w *sums) add(t int64, in *input) (fresh, degraded bool) {
	switch {
	case w.count == w.most && w.count > 1:
		w.at(1).number = min(max(w.at(1).number+w.at(0).number, -greatestSum), greatestSum)
		w.head = (w.head + 1) % len(w.samples)
		w.count--
		degraded = true
	case w.count == len(w.samples):
		larger := make([]sample, min(roomierSize(len(w.samples)), w.most))
		for i := range w.count {
			larger[i] = *w.at(i)
		}
		w.samples, w.head = larger, 0
	}
	w.count++
	*w.at(w.count - 1) = sample{t, in.number()}
	w.sum += in.number()
	return false, degraded
}

func (w *sums) expire(cutoff int64) {
	for w.count > 0 && w.at(0).time <= cutoff {
		w.sum -= w.at(0).number
		w.head = (w.head + 1) % len(w.samples)
		w.count--
		w.removed++
	}
	// Taking numbers off leaves rounding errors behind, which a fresh sum has not.
	if w.removed > w.count {
		w.sum, w.removed = 0, 0
		for i := range w.count {
			w.sum += w.at(i).number
		}
	}
}

func (w *sums) value() (v float64, first int64) {
	if w.count == 0 {
		return 0, never
	}
	return w.sum, w.at(0).time
}

func (w *sums) bytes() int { return 80 + 16*len(w.samples) }

// tally counts events and adds up their numbers, of a window that is judged once.
type tally struct {
	kind  sigma.CorrelationType
	count int64
	sum   float64
	begun int64
}

func (w *tally) add(t int64, in *input) (fresh, degraded bool) {
	if w.count == 0 {
		w.begun = t
	}
	w.count++
	if w.kind.Numeric() { // others have no number, and what stands in its place may be none
		w.sum += in.number()
	}
	return false, false
}

func (w *tally) expire(int64) {}

func (w *tally) value() (v float64, first int64) {
	switch w.kind {
	case sigma.EventCount:
		return float64(w.count), w.begun
	case sigma.ValueAvg:
		return w.sum / float64(w.count), w.begun
	default:
		return w.sum, w.begun
	}
}

func (w *tally) bytes() int { return 48 }

// numbers keeps the numbers of a window that is judged once. At its limit it drops every other number and from then on takes
// fewer, so that those it keeps stay spread over the whole window.
type numbers struct {
	kept       []float64
	most       int
	seen       uint64
	stride     uint64
	percentile float64
	begun      int64
}

func (w *numbers) add(t int64, in *input) (fresh, degraded bool) {
	if w.seen == 0 {
		w.begun, w.stride = t, 1
	}
	if w.seen%w.stride == 0 && len(w.kept) >= w.most {
		half := w.kept[:0]
		for i := 0; i < len(w.kept); i += 2 {
			half = append(half, w.kept[i])
		}
		w.kept = half
		w.stride *= 2
		degraded = true
	}
	if w.seen%w.stride == 0 {
		w.kept = append(w.kept, in.number())
	}
	w.seen++
	return false, degraded
}

func (w *numbers) expire(int64) {}

func (w *numbers) value() (v float64, first int64) {
	return percentile(w.kept, w.percentile), w.begun
}

func (w *numbers) bytes() int { return 80 + 8*cap(w.kept) }

// percentile interpolates between the two numbers nearest to the rank.
func percentile(of []float64, p float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	rank := p / 100 * float64(len(sorted)-1)
	below := int(rank)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (rank-float64(below))*(sorted[below+1]-sorted[below])
}
