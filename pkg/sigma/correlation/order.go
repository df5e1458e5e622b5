// SPDX-License-Identifier: Apache-2.0

package correlation

// recent knows when each rule last matched.
type recent struct {
	last   []int64
	cutoff int64
	holds  predicate // nil where the number of rules is what counts
}

// predicate judges by which rules matched.
type predicate func(matched func(rule int) bool) bool

func newRecent(rules int, holds predicate) *recent {
	return &recent{last: filled(rules), cutoff: never, holds: holds}
}

func filled(n int) []int64 {
	times := make([]int64, n)
	for i := range times {
		times[i] = never
	}
	return times
}

func (w *recent) add(t int64, in *input) (fresh, degraded bool) {
	w.last[in.rule] = t
	return false, false
}

func (w *recent) expire(cutoff int64) { w.cutoff = cutoff }

// value is the number of rules that matched; with an expression 1 where it holds and 0 where not.
func (w *recent) value() (v float64, first int64) {
	first = never
	count := 0
	for _, t := range w.last {
		if t <= w.cutoff {
			continue
		}
		count++
		if first == never || t < first {
			first = t
		}
	}
	switch {
	case w.holds == nil:
		return float64(count), first
	case w.holds(func(rule int) bool { return w.last[rule] > w.cutoff }):
		return 1, first
	default:
		return 0, first
	}
}

func (w *recent) bytes() int { return 64 + 8*len(w.last) }

// sequence finds the longest run of matches in the order of the rules. For each rule and each length it knows when the
// latest-beginning run of that length that ends with that rule began: whether a run fits a window depends on nothing else.
type sequence struct {
	rules  int
	begun  []int64 // by rule, then by length
	cutoff int64
}

func newSequence(rules int) *sequence {
	return &sequence{rules: rules, begun: filled(rules * rules), cutoff: never}
}

func (w *sequence) add(t int64, in *input) (fresh, degraded bool) {
	own := w.begun[in.rule*w.rules:]
	own[0] = t
	for length := 1; length <= in.rule; length++ {
		for earlier := range in.rule {
			own[length] = max(own[length], w.begun[earlier*w.rules+length-1])
		}
	}
	return false, false
}

func (w *sequence) expire(cutoff int64) { w.cutoff = cutoff }

func (w *sequence) value() (v float64, first int64) {
	for length := w.rules; length > 0; length-- {
		first = never
		for rule := range w.rules {
			first = max(first, w.begun[rule*w.rules+length-1])
		}
		if first > w.cutoff {
			return float64(length), first
		}
	}
	return 0, never
}

func (w *sequence) bytes() int { return 64 + 8*len(w.begun) }

// chains looks for any of several runs of rules, each given in order. For each step of each run it knows when the latest-beginning
// run up to that step began.
type chains struct {
	wanted [][]int
	begun  [][]int64
	cutoff int64
}

func newChains(wanted [][]int) *chains {
	w := &chains{wanted: wanted, cutoff: never}
	for _, chain := range wanted {
		w.begun = append(w.begun, filled(len(chain)))
	}
	return w
}

func (w *chains) add(t int64, in *input) (fresh, degraded bool) {
	for i, chain := range w.wanted {
		for step, rule := range chain {
			switch {
			case rule != in.rule:
			case step == 0:
				w.begun[i][0] = t
			default:
				w.begun[i][step] = w.begun[i][step-1]
			}
		}
	}
	return false, false
}

func (w *chains) expire(cutoff int64) { w.cutoff = cutoff }

// value is 1 where a run is complete, 0 where none is.
func (w *chains) value() (v float64, first int64) {
	first = never
	for i, chain := range w.wanted {
		first = max(first, w.begun[i][len(chain)-1])
	}
	if first > w.cutoff {
		return 1, first
	}
	return 0, never
}

func (w *chains) bytes() int {
	n := 64
	for _, begun := range w.begun {
		n += 24 + 8*len(begun)
	}
	return n
}
