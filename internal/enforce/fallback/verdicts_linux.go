// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

const (
	// mostWaiting is how many verdicts wait to be taken.
	mostWaiting = 4096
	// mostTold is how many verdicts of one rule are told in tellEvery; the others are counted.
	mostTold  = 20
	tellEvery = time.Second
)

// ruleState is what is counted about a rule, from one set of policies to the next.
type ruleState struct {
	policy, rule    string
	denied, audited atomic.Uint64
	summed, lost    atomic.Uint64 // verdicts that are told with a later one, and those that were not

	mu     sync.Mutex
	begun  time.Time
	told   int
	folded uint64
}

// fold says whether a verdict is told, and how many were not since the last that was.
func (r *ruleState) fold(now time.Time) (tell bool, folded uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.begun) >= tellEvery {
		r.begun, r.told = now, 0
	}
	if r.told == mostTold {
		r.folded++
		r.summed.Add(1)
		return false, 0
	}
	r.told++
	folded, r.folded = r.folded, 0
	return true, folded
}

// outbox is where verdicts wait.
type outbox struct {
	waiting chan enforce.Verdict
	closed  chan struct{}
	lost    atomic.Uint64
}

func newOutbox() *outbox {
	return &outbox{waiting: make(chan enforce.Verdict, mostWaiting), closed: make(chan struct{})}
}

// count notes a verdict of a rule.
func (r *ruleState) count(mode policy.Mode) {
	if mode == policy.Enforce {
		r.denied.Add(1)
	} else {
		r.audited.Add(1)
	}
}

// put tells a verdict that was counted.
func (o *outbox) put(r *ruleState, v enforce.Verdict) {
	tell, folded := r.fold(v.Time)
	if !tell {
		return
	}
	v.Policy, v.Rule, v.Folded = r.policy, r.rule, folded
	select {
	case o.waiting <- v:
	default:
		o.lost.Add(1)
		r.lost.Add(1)
	}
}

// next gives what waits first, also once it is closed.
func (o *outbox) next(ctx context.Context) (enforce.Verdict, error) {
	select {
	case v := <-o.waiting:
		return v, nil
	default:
	}
	select {
	case v := <-o.waiting:
		return v, nil
	case <-o.closed:
		return enforce.Verdict{}, enforce.ErrClosed
	case <-ctx.Done():
		return enforce.Verdict{}, ctx.Err()
	}
}
