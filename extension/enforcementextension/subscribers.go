// SPDX-License-Identifier: Apache-2.0

package enforcementextension

import "sync"

// subscribers hands results on without ever waiting for one who takes them.
type subscribers[T any] struct {
	mu     sync.Mutex
	all    map[chan T]struct{}
	closed bool
}

func (s *subscribers[T]) add(buffer int) (<-chan T, func()) {
	results := make(chan T, max(buffer, 1))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(results)
		return results, func() {}
	}
	if s.all == nil {
		s.all = map[chan T]struct{}{}
	}
	s.all[results] = struct{}{}
	return results, func() { s.remove(results) }
}

func (s *subscribers[T]) remove(results chan T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.all[results]; there {
		delete(s.all, results)
		close(results)
	}
}

// publish returns how many subscribers lost the result.
func (s *subscribers[T]) publish(result T) (lost int64) {
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

func (s *subscribers[T]) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for results := range s.all {
		delete(s.all, results)
		close(results)
	}
	s.closed = true
}
