// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

// lossCounter adds up the events that were lost, by kind and cause.
type lossCounter struct {
	counts map[loss]uint64
	told   map[loss]uint64
	total  uint64
}

type loss struct{ kind, cause string }

type lossChange struct {
	loss
	count uint64
}

// set takes over a counter that is kept elsewhere; add counts on.
func (c *lossCounter) set(kind, cause string, count uint64) {
	if c.counts == nil {
		c.counts, c.told = map[loss]uint64{}, map[loss]uint64{}
	}
	key := loss{kind, cause}
	c.total += count - c.counts[key]
	c.counts[key] = count
}

func (c *lossCounter) add(kind, cause string, n uint64) {
	if n > 0 {
		c.set(kind, cause, c.counts[loss{kind, cause}]+n)
	}
}

// changes gives what was lost since it was last asked.
func (c *lossCounter) changes() []lossChange {
	var out []lossChange
	for key, count := range c.counts {
		if n := count - c.told[key]; n > 0 {
			out = append(out, lossChange{key, n})
			c.told[key] = count
		}
	}
	return out
}
