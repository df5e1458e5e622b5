// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"runtime"
	"sync"
)

// Effort is how hard reading may work. The zero value works on all processors at once.
type Effort struct {
	Workers int          // how many work at a time; 0 for as many as there are processors
	Begin   func()       // called by each at its start, on a goroutine of its own; nil for nothing
	Pause   func() error // called between directories; it may take its time, and its error ends the reading. nil for nothing
}

// Start lets workers do the same thing and gives what ends with the last of them.
func (e Effort) Start(work func()) *sync.WaitGroup {
	count := e.Workers
	if count == 0 {
		count = runtime.GOMAXPROCS(0)
	}
	all := &sync.WaitGroup{}
	for range count {
		all.Go(func() {
			if e.Begin != nil {
				e.Begin()
			}
			work()
		})
	}
	return all
}

func (e Effort) pause() error {
	if e.Pause == nil {
		return nil
	}
	return e.Pause()
}
