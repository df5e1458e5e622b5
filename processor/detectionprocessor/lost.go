// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// mostSources bounds the hosts and scopes whose loss totals are remembered.
const mostSources = 1024

// lossCounter turns the running totals of lost events that receivers report into the number
// lost since the alert before.
type lossCounter struct {
	mu   sync.Mutex
	last *simplelru.LRU[string, int64]
}

func newLossCounter() *lossCounter {
	last, err := simplelru.NewLRU[string, int64](mostSources, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &lossCounter{last: last}
}

// since returns how many events a source lost since the call before with that source. A total
// that fell began anew with its receiver.
func (c *lossCounter) since(source string, total int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, _ := c.last.Get(source)
	c.last.Add(source, total)
	if total < before {
		return total
	}
	return total - before
}

// giveBack makes the next alert of a source report again what an alert that was not delivered said.
func (c *lossCounter) giveBack(source string, lost int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, ok := c.last.Get(source); ok {
		c.last.Add(source, before-lost)
	}
}
