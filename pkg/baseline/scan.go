// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// mostEvidence bounds what is kept of one rule.
const mostEvidence = 50

// Options say what is scanned.
type Options struct {
	Root     string   // the host's root directory, "/" for this host
	Profile  string   // only the rules of this profile; "" for all
	Rules    []string // only these; none for all
	Waivers  []*Waiver
	Now      time.Time // by which waivers expire
	Language string    // of what people read in evidence
	Programs []string  // that checks may run, by their paths; "all" for any. The rest of a scan starts none
	Effort   Effort
	Progress func(done, all int) // told after each rule, by several goroutines at a time; nil for nobody

	nextStart bool // the audit rules that the kernel has do not count
}

// Effort is how hard a scan may work. The zero value works on all processors at once.
type Effort struct {
	Workers int          // how many work at a time; 0 for as many as there are processors
	Begin   func()       // called by each at its start, on a goroutine of its own; nil for nothing
	Pause   func() error // called between rules and directories; it may take its time, and its error ends the scan. nil for nothing
}

// Evidence is what was found and what was expected at a place.
type Evidence struct {
	Subject  string `json:"subject"`
	Field    string `json:"field,omitempty"`
	Actual   string `json:"actual"`
	Expected string `json:"expected,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	OK       bool   `json:"ok"`

	expectedZH string
}

// What evidence says of rows and fields that are there, or not.
const (
	foundOne    = "found"
	foundNone   = "none"
	foundNotSet = "not set"
	foundAbsent = "not there"
)

// ActualIn gives what was found in a language. What the host itself says is in none.
func (e Evidence) ActualIn(language string) string {
	known := map[string]string{foundNotSet: "未设置", foundAbsent: "不存在"}
	if e.Field == "" {
		known = map[string]string{foundOne: "存在", foundNone: "无"}
	}
	return Text{e.Actual, known[e.Actual]}.In(language)
}

// ExpectedIn gives what was expected in a language.
func (e Evidence) ExpectedIn(language string) string {
	return Text{e.Expected, e.expectedZH}.In(language)
}

func (e Evidence) expecting(t Text) Evidence {
	e.Expected, e.expectedZH = t.EN, t.ZH
	return e
}

// Result is what became of one rule.
type Result struct {
	Rule     *Rule
	Verdict  Verdict
	Reason   string // why it is an error or not applicable
	Evidence []Evidence
	Omitted  int // pieces of evidence beyond those
	Waiver   *Waiver
}

// Report is what a scan found.
type Report struct {
	Baseline *Baseline
	Results  []*Result // in the order of the rules
	Stale    []*Waiver // waivers that have expired or are about no rule
	Judged   int       // results that are not those of the scan before
	Started  time.Time
	Took     time.Duration
}

// Count tells how many rules have a verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, result := range r.Results {
		if result.Verdict == v {
			n++
		}
	}
	return n
}

// Scan judges a host by a baseline. Whatever goes wrong with a rule is told by its result; the error says that the profile or a
// rule that was asked for is not there, or that the context ended.
func Scan(ctx context.Context, b *Baseline, o Options) (*Report, error) {
	rules, err := b.selected(o)
	if err != nil {
		return nil, err
	}
	s := &scanner{host: hostconf.With(o.Root, hostconf.Effort(o.Effort)), options: o, baseline: b, rules: rules}
	s.host.Allow(o.Programs)
	if o.nextStart {
		s.host.LeaveOutKernelAudit()
	}
	return s.scan(ctx, make([]*judgement, len(rules)))
}

// judgement is what a check came to before waivers, and what was looked at for it.
type judgement struct {
	result Result
	looks  []hostconf.Look
}

// scanner judges rules on one host.
type scanner struct {
	host     *hostconf.Host
	options  Options
	baseline *Baseline
	rules    []*Rule
}

// scan judges the rules whose judgements are missing, and puts them there.
func (s *scanner) scan(ctx context.Context, known []*judgement) (*Report, error) {
	report := &Report{Baseline: s.baseline, Started: time.Now()}
	missing := slices.DeleteFunc(slowFirst(s.rules), func(i int) bool { return known[i] != nil })
	if err := s.fill(ctx, known, missing); err != nil {
		return nil, fmt.Errorf("the scan was ended: %w", err)
	}
	for _, j := range known {
		report.Results = append(report.Results, s.settled(j))
	}
	report.Judged = len(missing)
	report.Stale = s.baseline.Stale(s.options.Waivers, s.options.Now)
	report.Took = time.Since(report.Started)
	return report, nil
}

// fill judges rules with several workers.
func (s *scanner) fill(ctx context.Context, known []*judgement, missing []int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var done atomic.Int64
	workers := hostconf.Effort(s.options.Effort).Start(func() {
		for i := range next {
			if pause := s.options.Effort.Pause; pause != nil {
				if err := pause(); err != nil {
					cancel(err)
					continue
				}
			}
			known[i] = s.judge(s.rules[i])
			if s.options.Progress != nil {
				s.options.Progress(int(done.Add(1)), len(missing))
			}
		}
	})
	for _, i := range missing {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

func (b *Baseline) selected(o Options) ([]*Rule, error) {
	if o.Profile != "" && !slices.ContainsFunc(b.Profiles, func(p *Profile) bool { return p.ID == o.Profile }) {
		ids := make([]string, len(b.Profiles))
		for i, p := range b.Profiles {
			ids[i] = p.ID
		}
		return nil, fmt.Errorf("found the profile %q, expected one of the template %s: %s", o.Profile, b.ID, strings.Join(ids, ", "))
	}
	for _, id := range o.Rules {
		if !slices.ContainsFunc(b.Rules, func(r *Rule) bool { return r.ID == id }) {
			return nil, fmt.Errorf("found the rule %q, expected one of the template %s", id, b.ID)
		}
	}
	var rules []*Rule
	for _, r := range b.Rules {
		inProfile := o.Profile == "" || len(r.Profiles) == 0 || slices.Contains(r.Profiles, o.Profile)
		if inProfile && (len(o.Rules) == 0 || slices.Contains(o.Rules, r.ID)) {
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// slowFirst puts rules that walk the file systems first, so that the walk does not begin when all else is done.
func slowFirst(rules []*Rule) []int {
	var slow, fast []int
	for i, r := range rules {
		if r.Check.Uses("walk") {
			slow = append(slow, i)
		} else {
			fast = append(fast, i)
		}
	}
	return append(slow, fast...)
}

// Uses reports whether a part of the check asks a table.
func (c *Check) Uses(table string) bool {
	if c == nil {
		return false
	}
	in := func(part *Check) bool { return part.Uses(table) }
	return c.Leaf != nil && c.Leaf.Table == table || c.Not.Uses(table) || slices.ContainsFunc(c.All, in) || slices.ContainsFunc(c.Any, in)
}

func (s *scanner) judge(r *Rule) *judgement {
	watched := &scanner{host: s.host.Watched(), options: s.options, baseline: s.baseline}
	j := &judgement{result: watched.unwaived(r)}
	j.looks = watched.host.Looks()
	return j
}

func (s *scanner) unwaived(r *Rule) Result {
	result := Result{Rule: r}
	if applies, why, err := s.applies(r.Applies); err != nil {
		result.Verdict, result.Reason = Failure, err.Error()
		return result
	} else if !applies {
		result.Verdict, result.Reason = NotApplicable, why
		return result
	}
	if r.Check != nil {
		e := &evaluation{host: s.host}
		result.Verdict = e.check(r.Check)
		result.Reason = strings.Join(e.errors, "; ")
		result.keep(e.evidence)
	}
	if r.Manual != nil {
		result.Verdict = Manual
		result.Reason = r.Manual.In(s.options.Language)
	}
	return result
}

// settled gives what became of a rule with the waivers that hold now.
func (s *scanner) settled(j *judgement) *Result {
	result := j.result
	if result.Verdict == Fail {
		if w := s.waiver(result.Rule); w != nil {
			result.Verdict, result.Waiver = Waived, w
		}
	}
	return &result
}

// keep notes evidence, what is wrong first.
func (r *Result) keep(all []Evidence) {
	slices.SortStableFunc(all, func(a, b Evidence) int {
		switch {
		case a.OK == b.OK:
			return 0
		case b.OK:
			return -1
		}
		return 1
	})
	if len(all) > mostEvidence {
		r.Omitted = len(all) - mostEvidence
		all = all[:mostEvidence]
	}
	r.Evidence = all
}

func (s *scanner) waiver(r *Rule) *Waiver {
	for _, w := range s.options.Waivers {
		if w.Rule == r.ID && (w.Template == "" || w.Template == s.baseline.ID) && s.options.Now.Before(w.Expires) {
			return w
		}
	}
	return nil
}

// Stale gives those waivers that have expired, and those of this template for rules that are not there.
func (b *Baseline) Stale(waivers []*Waiver, now time.Time) []*Waiver {
	var all []*Waiver
	for _, w := range waivers {
		if w.Template != "" && w.Template != b.ID {
			continue
		}
		known := slices.ContainsFunc(b.Rules, func(r *Rule) bool { return r.ID == w.Rule })
		if known && !now.Before(w.Expires) || !known && w.Template != "" {
			all = append(all, w)
		}
	}
	return all
}

func (s *scanner) applies(a *Applies) (bool, string, error) {
	if a == nil {
		return true, "", nil
	}
	if len(a.OS) > 0 || len(a.Version) > 0 {
		release, err := s.host.Release()
		if err != nil {
			return false, "", err
		}
		if len(a.OS) > 0 && !slices.ContainsFunc(a.OS, release.Is) {
			return false, "it is about " + strings.Join(a.OS, ", ") + ", this host is " + release.ID, nil
		}
		if len(a.Version) > 0 && !slices.ContainsFunc(a.Version, release.HasVersion) {
			return false, "it is about version " + strings.Join(a.Version, ", ") + ", this host has " + release.VersionID, nil
		}
	}
	if a.Container != nil && *a.Container != s.host.IsContainer() {
		return false, map[bool]string{true: "it is about containers", false: "it is not about containers"}[*a.Container], nil
	}
	if len(a.Role) > 0 && !slices.ContainsFunc(a.Role, func(role string) bool { return slices.Contains(s.baseline.Roles, role) }) {
		return false, "it is about hosts of the role " + strings.Join(a.Role, ", ") + ", which this one was not said to have", nil
	}
	if a.Check == nil {
		return true, "", nil
	}
	e := &evaluation{host: s.host}
	switch e.check(a.Check) {
	case Failure:
		return false, "", fmt.Errorf("whether it applies is not known: %s", strings.Join(e.errors, "; "))
	case Pass:
		return true, "", nil
	}
	return false, "what it is about is not on this host", nil
}
