// SPDX-License-Identifier: Apache-2.0

// Package fileevent carries what a sensor sees of files to the parts of the same agent that keep facts about files. Both find the
// Hub in the context their Start is given, so that neither knows the other and nothing outlives a run of the Collector.
package fileevent

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// Act is what was done.
type Act uint8

// The acts.
const (
	Opened     Act = iota // for writing
	Made                  // a name came into being
	Renamed               // Path is the new name, From the old one
	Removed               // a name is gone
	Attributed            // mode, owner or an extended attribute
)

// Event is one act. Paths are absolute, as the process that acted has them.
type Event struct {
	Act        Act
	Path, From string
	Mode       uint32 // type and permissions after the act as stat(2) has them; 0 where they are not known
	Truncated  bool   // Path is longer than the sensor can tell
}

// Listener is told by the sensor's goroutine, so that it must not wait.
type Listener interface {
	// Serving says from when on and until when all acts are told.
	Serving(bool)
	// Tell is called for each act. What is told cannot be relied on unless Serving was.
	Tell(Event)
	// Lost says that acts were not told.
	Lost()
}

// Hub is where sensors and listeners meet. It is safe for concurrent use. A nil Hub has no listeners.
type Hub struct {
	guard     sync.Mutex
	sources   int
	listeners atomic.Pointer[[]Listener] // replaced as a whole
}

// Source is a sensor. A nil Source tells nobody.
type Source struct {
	hub  *Hub
	once sync.Once
}

// Open begins to serve: from now on every act is told, or that some were lost.
func (h *Hub) Open() *Source {
	if h == nil {
		return nil
	}
	h.guard.Lock()
	defer h.guard.Unlock()
	if h.sources++; h.sources == 1 {
		h.each(func(l Listener) { l.Serving(true) })
	}
	return &Source{hub: h}
}

// Close ends the service. Further calls do nothing.
func (s *Source) Close() {
	if s == nil {
		return
	}
	s.once.Do(func() {
		s.hub.guard.Lock()
		defer s.hub.guard.Unlock()
		if s.hub.sources--; s.hub.sources == 0 {
			s.hub.each(func(l Listener) { l.Serving(false) })
		}
	})
}

// Wanted reports whether there is anybody to tell.
func (s *Source) Wanted() bool { return s != nil && s.hub.listeners.Load() != nil }

// Tell passes on an act.
func (s *Source) Tell(e Event) {
	if s != nil {
		s.hub.each(func(l Listener) { l.Tell(e) })
	}
}

// Lost passes on that acts were not seen.
func (s *Source) Lost() {
	if s != nil {
		s.hub.each(Listener.Lost)
	}
}

func (h *Hub) each(tell func(Listener)) {
	if all := h.listeners.Load(); all != nil {
		for _, l := range *all {
			tell(l)
		}
	}
}

// Subscribe tells a listener of everything from now on, until leave is called. It is told at once where a sensor serves already.
// leave does not wait for a call that is under way.
func (h *Hub) Subscribe(l Listener) (leave func()) {
	if h == nil {
		return func() {}
	}
	h.guard.Lock()
	defer h.guard.Unlock()
	h.replace(func(all []Listener) []Listener { return append(all, l) })
	if h.sources > 0 {
		l.Serving(true)
	}
	return func() {
		h.guard.Lock()
		defer h.guard.Unlock()
		h.replace(func(all []Listener) []Listener {
			return slices.DeleteFunc(all, func(other Listener) bool { return other == l })
		})
	}
}

func (h *Hub) replace(change func([]Listener) []Listener) {
	var all []Listener
	if now := h.listeners.Load(); now != nil {
		all = slices.Clone(*now)
	}
	all = change(all)
	if len(all) == 0 {
		h.listeners.Store(nil)
		return
	}
	h.listeners.Store(&all)
}

type key struct{}

// NewContext returns a context that carries the hub.
func NewContext(ctx context.Context, h *Hub) context.Context {
	return context.WithValue(ctx, key{}, h)
}

// FromContext returns the hub of a context, nil where there is none.
func FromContext(ctx context.Context) *Hub {
	h, _ := ctx.Value(key{}).(*Hub)
	return h
}
