// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"context"
	"fmt"
	"time"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// Scanner judges one host again and again. A rule is judged anew when something that it looked at has another answer, and what
// is there of files when the kernel told of changes. Its methods must not be called concurrently.
type Scanner struct {
	effort Effort
	walker *hostconf.Walker
	host   *hostconf.Host
	plans  []*plan
}

// plan is a baseline with what is known of it.
type plan struct {
	scanner
	known []*judgement
}

// NewScanner gives one for the host whose root directory this is. Whatever the kernel tells, all files are gone through at least
// as often as walk says. Close ends it.
func NewScanner(root string, effort Effort, walk time.Duration) *Scanner {
	walker := hostconf.NewWalker(walk)
	return &Scanner{effort: effort, walker: walker, host: hostconf.Kept(root, hostconf.Effort(effort), walker)}
}

// Add lets scans judge by a baseline too. Of the options Profile, Rules and Language count. The error says that the profile or a
// rule is not there.
func (s *Scanner) Add(b *Baseline, o Options) error {
	rules, err := b.selected(o)
	if err != nil {
		return err
	}
	s.plans = append(s.plans, &plan{scanner{options: o, baseline: b, rules: rules}, make([]*judgement, len(rules))})
	return nil
}

// Close ends the watch of files.
func (s *Scanner) Close() error { return s.walker.Close() }

// Unwatched says why changes of files anywhere are seen only when all are gone through; nil where the kernel tells of them.
func (s *Scanner) Unwatched() error { return s.walker.Unwatched() }

// Hear lets a sensor's news say between scans where to look.
func (s *Scanner) Hear(n *hostconf.News) { s.host.Hear(n) }

// Scan gives a report for each baseline, by what the host is now and with the waivers that hold. The error says that the context
// or the effort's Pause ended it; what was judged until then is kept.
func (s *Scanner) Scan(ctx context.Context, waivers []*Waiver, now time.Time) ([]*Report, error) {
	next, changed := s.host.Next()
	return s.scan(ctx, next, changed, waivers, now)
}

// ScanTold is Scan for what a sensor told of since the scan before: all else is taken to be as it was. It comes after Hear.
func (s *Scanner) ScanTold(ctx context.Context, waivers []*Waiver, now time.Time) ([]*Report, error) {
	next, changed := s.host.NextTold()
	return s.scan(ctx, next, changed, waivers, now)
}

func (s *Scanner) scan(ctx context.Context, next *hostconf.Host, changed func([]hostconf.Look) bool, waivers []*Waiver, now time.Time) ([]*Report, error) {
	s.host = next
	var reports []*Report
	var used [][]hostconf.Look
	for _, p := range s.plans {
		for i, j := range p.known {
			if j != nil && (j.result.Verdict == Failure || changed(j.looks)) {
				p.known[i] = nil
			}
		}
		p.host, p.options.Effort, p.options.Waivers, p.options.Now = next, s.effort, waivers, now
		report, err := p.scan(ctx, p.known)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.baseline.ID, err)
		}
		reports = append(reports, report)
	}
	for _, p := range s.plans {
		for _, j := range p.known {
			used = append(used, j.looks)
		}
	}
	s.host.Settle(used...)
	return reports, nil
}
