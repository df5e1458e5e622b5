// SPDX-License-Identifier: Apache-2.0

package correlation

// reading is what a correlation needs to know of an event. It is read before the correlator is locked.
type reading struct {
	plan       *plan
	input      input
	key, value []byte // kept from one reading to the next, so that they are not allocated each time
	missing    missing
}

// missing says what an event lacks.
type missing int

const (
	nothing missing = iota
	groupField
	valueField
)

// read takes the fields that a place in a correlation's list of rules needs.
func (r *reading) read(l listener, ev Event) {
	f := &l.plan.rules[l.rule]
	r.plan, r.missing, r.input = l.plan, nothing, input{rule: l.rule}
	var ok bool
	if r.key, ok = appendKey(r.key[:0], ev, f.group); !ok {
		r.missing = groupField
		return
	}
	if !r.readValue(ev, f.values) {
		r.missing = valueField
		return
	}
	if len(f.carry) > 0 {
		r.input.carried = make([]carried, len(f.carry))
	}
	for i, field := range f.carry {
		if v := first(ev, field); v != nil {
			r.value = appendText(r.value[:0], v)
			r.input.carried[i] = carried{string(r.value), true}
		}
	}
}

func (r *reading) readValue(ev Event, fields []string) (ok bool) {
	switch {
	case len(fields) == 0:
		return true
	case r.plan.Type.Numeric():
		var f float64
		f, ok = number(first(ev, fields[0]))
		r.input.setNumber(f)
		return ok
	case len(fields) == 1:
		v := first(ev, fields[0])
		if v == nil {
			return false
		}
		r.value = appendText(r.value[:0], v)
	default:
		if r.value, ok = appendKey(r.value[:0], ev, fields); !ok {
			return false
		}
	}
	r.input.value = identify(r.value)
	return true
}

// complete counts the match and reports whether it has all that is needed. The correlator must be locked.
func (r *reading) complete() bool {
	counts := &r.plan.counts
	counts.Observed++
	switch r.missing {
	case groupField:
		counts.Ungrouped++
	case valueField:
		counts.Valueless++
	}
	return r.missing == nothing
}

// entry is the match without its time and place. The correlator must be locked.
func (r *reading) entry() entry {
	e := entry{plan: r.plan, input: r.input}
	if g, ok := r.plan.groups[string(r.key)]; ok {
		e.group, e.key = g, g.key
	} else {
		e.key = string(r.key)
	}
	return e
}
