// SPDX-License-Identifier: Apache-2.0

// Package reload carries the operator's wish to read files anew (SIGHUP) to the components that read
// them: rules, lists, policies. A component finds the Hub in the context its Start is given, so it
// needs to know neither the signal nor the command line.
package reload

import (
	"context"
	"slices"
	"sync"
)

// Func reads what a component read from files anew; where nobody asked for it, only if they have changed since. Where it
// cannot, what was in force stays in force, and the component tells why, as it does when it starts.
type Func func(ctx context.Context, asked bool)

// Hub passes on the wish to those who subscribed. It is safe for concurrent use. A nil Hub never asks.
type Hub struct {
	mu          sync.Mutex
	subscribers []*subscriber
}

type subscriber struct{ reload Func }

// Subscribe makes Reload call f until cancel is called. cancel does not wait for a call that is under way.
func (h *Hub) Subscribe(f Func) (cancel func()) {
	if h == nil {
		return func() {}
	}
	s := &subscriber{f}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscribers = append(h.subscribers, s)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.subscribers = slices.DeleteFunc(h.subscribers, func(other *subscriber) bool { return other == s })
	}
}

// Reload asks every subscriber in the order in which they came.
func (h *Hub) Reload(ctx context.Context) { h.tell(ctx, true) }

// ReloadChanged has every subscriber look whether there is something new to be read.
func (h *Hub) ReloadChanged(ctx context.Context) { h.tell(ctx, false) }

func (h *Hub) tell(ctx context.Context, asked bool) {
	h.mu.Lock()
	subscribers := slices.Clone(h.subscribers)
	h.mu.Unlock()
	for _, s := range subscribers {
		s.reload(ctx, asked)
	}
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
