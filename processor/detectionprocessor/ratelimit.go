// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"sync"
	"time"
)

// rateLimiter lets a number of alerts of each rule pass in an interval and counts the rest.
type rateLimiter struct {
	most     int // 0: no limit
	interval time.Duration

	mu    sync.Mutex
	rules map[string]*rate
}

// rate is what is known of a rule's current interval.
type rate struct {
	begun  time.Time
	passed int
	folded int64 // since the last alert that passed
}

func newRateLimiter(cfg RateLimitConfig) *rateLimiter {
	return &rateLimiter{most: cfg.Alerts, interval: cfg.Interval, rules: map[string]*rate{}}
}

// judge says whether an alert passes, and how many were held back since the last one that did. The first of
// an interval always passes.
func (l *rateLimiter) judge(rule string, at time.Time) (passes bool, folded int64) {
	if l.most == 0 {
		return true, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rules[rule]
	if r == nil {
		r = &rate{begun: at}
		l.rules[rule] = r
	}
	if at.Sub(r.begun) >= l.interval {
		r.begun, r.passed = at, 0
	}
	if r.passed >= l.most {
		r.folded++
		return false, 0
	}
	r.passed++
	folded, r.folded = r.folded, 0
	return true, folded
}

// takeBack undoes a verdict on an alert that could not be delivered.
func (l *rateLimiter) takeBack(rule string, v verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rules[rule]
	switch {
	case r == nil:
	case v.limited:
		r.folded--
	case v.Passes:
		r.passed--
		r.folded += v.foldedByRate
	}
}
