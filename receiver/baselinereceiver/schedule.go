// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"
)

// trigger is why a scan was begun, as records tell it.
type trigger string

const (
	bySchedule trigger = "schedule"
	byFiles    trigger = "files"  // a sensor told of changes; only what they are about is looked at
	byLoss     trigger = "losses" // a sensor began to serve or lost something, so that everything is looked at
)

// lossSpacing is the least time between scans because of losses: a host that floods the sensor is not to be looked at all the time.
const lossSpacing = time.Minute

// schedule says when the next scan is due and why. It is used by one goroutine.
type schedule struct {
	config *Config
	full   *time.Timer // the next scan of everything
	files  *time.Timer // the next one of what was told of; nil where nothing was
	losses *time.Timer // one of everything before its time; nil where there is no need
	lost   time.Time   // when the last one because of losses was
}

func newSchedule(config *Config) *schedule {
	s := &schedule{config: config}
	s.full = time.NewTimer(s.after(config.InitialDelay))
	return s
}

// after adds the jitter.
func (s *schedule) after(d time.Duration) time.Duration {
	if s.config.Jitter <= 0 {
		return d
	}
	return d + rand.N(s.config.Jitter)
}

// soon has a scan happen before the next one that is due.
func (s *schedule) soon(why trigger) {
	switch delay := s.config.ChangeDelay; {
	case delay == 0:
	case why == byFiles && s.files == nil:
		s.files = time.NewTimer(delay)
	case why == byLoss && s.losses == nil:
		s.losses = time.NewTimer(max(delay, lossSpacing-time.Since(s.lost)))
	}
}

// begun takes note of a scan. One of everything makes all that are due before its time needless.
func (s *schedule) begun(why trigger) {
	s.files = ended(s.files)
	if why == byFiles {
		return
	}
	s.losses = ended(s.losses)
	if why == byLoss {
		s.lost = time.Now()
	}
	s.full.Reset(s.after(s.config.Interval))
}

func (s *schedule) stop() {
	ended(s.files)
	ended(s.losses)
	s.full.Stop()
}

func ended(t *time.Timer) *time.Timer {
	if t != nil {
		t.Stop()
	}
	return nil
}

// due is the channel of a timer, nil where there is none.
func due(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

func (r *baselineReceiver) run(ctx context.Context) {
	yield()
	s := newSchedule(r.config)
	defer s.stop()
	for {
		why := bySchedule
		select {
		case <-ctx.Done():
			return
		case <-r.news.Wake():
			r.hear(s)
			continue
		case <-r.reread:
			r.readAgain(ctx)
		case <-s.full.C:
		case <-due(s.files):
			why = byFiles
		case <-due(s.losses):
			why = byLoss
		}
		if why != byFiles && r.judge.stale() {
			r.readAgain(ctx)
		}
		s.begun(why)
		r.scan(ctx, why)
	}
}

// hear decides what follows from a sensor's news. Before the first scan nothing does.
func (r *baselineReceiver) hear(s *schedule) {
	if r.judge.snapshot.IsZero() {
		return
	}
	if r.noteSource() == fromSensor {
		s.soon(byLoss) // what was before is not known
	}
	switch _, pending, lost := r.news.State(); {
	case lost:
		r.logger.Warn("A sensor lost events of files; everything is looked at")
		s.soon(byLoss)
	case pending:
		s.soon(byFiles)
	}
}

// noteSource tells by what changes of files are found. It gives that where it is another than was told before.
func (r *baselineReceiver) noteSource() string {
	now := r.judge.source()
	if now == r.source {
		return ""
	}
	r.source = now
	if now == fromSensor {
		r.logger.Info("A sensor of this agent tells of changes of files; what they are about is judged at once", zap.Duration("change_delay", r.config.ChangeDelay))
	} else {
		r.logger.Info("No sensor tells of changes of files between scans; each scan finds them by itself", zap.Duration("interval", r.config.Interval))
	}
	return now
}
