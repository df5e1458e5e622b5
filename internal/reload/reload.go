// SPDX-License-Identifier: Apache-2.0

// Package reload carries the operator's wish to read files anew (SIGHUP) to the components that read
// them: rules, lists, policies. A component finds the Hub in the context its Start is given, so it
// needs to know neither the signal nor the command line.
package reload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Func reads what a component read from files anew. An error leaves in force what was in force.
type Func func(context.Context) error

// Hub passes on the wish to those who subscribed. It is safe for concurrent use. A nil Hub never asks.
type Hub struct {
	mu          sync.Mutex
	subscribers []*subscriber
}

type subscriber struct {
	name   string
	reload Func
}

// Subscribe makes Reload call f until cancel is called. The name is put before f's errors. cancel does
// not wait for a call that is under way.
func (h *Hub) Subscribe(name string, f Func) (cancel func()) {
	if h == nil {
		return func() {}
	}
	s := &subscriber{name, f}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscribers = append(h.subscribers, s)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.subscribers = slices.DeleteFunc(h.subscribers, func(other *subscriber) bool { return other == s })
	}
}

// Reload asks every subscriber in the order in which they came. One that fails does not keep the
// others from it; the errors are joined.
func (h *Hub) Reload(ctx context.Context) error {
	h.mu.Lock()
	subscribers := slices.Clone(h.subscribers)
	h.mu.Unlock()
	var errs error
	for _, s := range subscribers {
		if err := s.reload(ctx); err != nil {
			errs = errors.Join(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errs
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
