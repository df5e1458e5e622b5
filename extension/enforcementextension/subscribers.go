// SPDX-License-Identifier: Apache-2.0

package enforcementextension

import (
	"sync"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
)

// subscribers hands results on without ever waiting for one who takes them.
type subscribers struct {
	mu     sync.Mutex
	all    map[chan enforcement.Result]struct{}
	closed bool
}

func (s *subscribers) add(buffer int) (<-chan enforcement.Result, func()) {
	results := make(chan enforcement.Result, max(buffer, 1))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(results)
		return results, func() {}
	}
	if s.all == nil {
		s.all = map[chan enforcement.Result]struct{}{}
	}
	s.all[results] = struct{}{}
	return results, func() { s.remove(results) }
}

func (s *subscribers) remove(results chan enforcement.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.all[results]; there {
		delete(s.all, results)
		close(results)
	}
}

// publish returns how many subscribers lost the result.
func (s *subscribers) publish(result enforcement.Result) (lost int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for results := range s.all {
		select {
		case results <- result:
		default:
			lost++
		}
	}
	return lost
}

func (s *subscribers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for results := range s.all {
		delete(s.all, results)
		close(results)
	}
	s.closed = true
}
