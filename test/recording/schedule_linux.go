// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// lanes is how many pieces of work are done at a time.
const lanes = 2

// done is a piece of work that was done.
type done struct {
	work
	number int
	begin  time.Time
	took   time.Duration
	err    error
}

// schedule hands out work: rounds in which every piece comes as often as its weight says, each round
// in another order. The seed decides all of it, but not which lane is the faster one.
type schedule struct {
	mu     sync.Mutex
	random *rand.Rand
	work   []work
	round  []work
	number int
	locks  map[string]*sync.Mutex
	log    []done
}

func newSchedule(selected []work, seed uint64) *schedule {
	s := &schedule{random: rand.New(rand.NewPCG(seed, 0)), work: selected, locks: map[string]*sync.Mutex{}}
	for _, w := range selected {
		for _, name := range w.locks {
			s.locks[name] = new(sync.Mutex)
		}
	}
	return s
}

// next gives a piece of work, its number and the source of its variations.
func (s *schedule) next() (work, int, *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.round) == 0 {
		for _, w := range s.work {
			s.round = append(s.round, slices.Repeat([]work{w}, w.weight)...)
		}
		s.random.Shuffle(len(s.round), func(i, j int) { s.round[i], s.round[j] = s.round[j], s.round[i] })
	}
	w := s.round[0]
	s.round = s.round[1:]
	s.number++
	return w, s.number, rand.New(rand.NewPCG(s.random.Uint64(), s.random.Uint64()))
}

// follow does work in all lanes until the time is over, and waits for what has begun.
func (s *schedule) follow(ctx context.Context, duration, pause time.Duration, do func(context.Context, work, int, *rand.Rand) error) {
	over := time.Now().Add(duration)
	var running sync.WaitGroup
	for range lanes {
		running.Go(func() {
			for ctx.Err() == nil && time.Now().Before(over) {
				w, number, random := s.next()
				rest(ctx, pause, random)
				s.perform(ctx, w, number, random, do)
			}
		})
	}
	running.Wait()
}

// rest waits from a fifth of the pause to almost twice of it.
func rest(ctx context.Context, pause time.Duration, random *rand.Rand) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration((0.2 + 1.6*random.Float64()) * float64(pause))):
	}
}

func (s *schedule) perform(ctx context.Context, w work, number int, random *rand.Rand, do func(context.Context, work, int, *rand.Rand) error) {
	// All take their locks in the same order, so that none waits for another one forever.
	for _, name := range slices.Sorted(slices.Values(w.locks)) {
		s.locks[name].Lock()
		defer s.locks[name].Unlock()
	}
	if ctx.Err() != nil {
		return
	}
	begin := time.Now()
	err := do(ctx, w, number, random)
	d := done{work: w, number: number, begin: begin, took: time.Since(begin), err: err}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, d)
	d.print()
}

func (d done) print() {
	verdict := "done"
	if d.err != nil {
		verdict = "FAILED"
	}
	fmt.Printf("%s %-16s %4d %-6s %6.1f s\n", d.begin.Format("15:04:05"), d.name, d.number, verdict, d.took.Seconds())
	if d.err != nil {
		fmt.Printf("\t%s\n", strings.ReplaceAll(d.err.Error(), "\n", "\n\t"))
	}
}
