// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/alertmessage"
	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/eventlog"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Forbidden is what a rule would have forbidden.
type Forbidden struct {
	Policy  string         `json:"policy"`
	Rule    string         `json:"rule"`
	Verdict policy.Verdict `json:"verdict"` // denied or audited
	Count   int            `json:"count"`
	First   time.Time      `json:"first"`
	Last    time.Time      `json:"last"`
	Samples []string       `json:"samples"` // different ones, the first
}

// ReplayReport is what recorded events come to.
type ReplayReport struct {
	Records   int          `json:"records"`   // read
	Judged    int          `json:"judged"`    // that policies can have something to say about
	Forbidden []*Forbidden `json:"forbidden"` // what is denied first, and of that the most frequent
	First     time.Time    `json:"first,omitzero"`
	Last      time.Time    `json:"last,omitzero"`
	Broken    []string     `json:"broken,omitempty"` // lines that could not be read, the first ones
	Unread    int          `json:"unread"`           // how many lines could not be read
	Notes     []string     `json:"notes,omitempty"`  // what had to be guessed
}

// Bounds of what is shown one by one.
const (
	mostBroken  = 10
	mostSamples = 3
)

// Replay judges recorded events by policies.
type Replay struct {
	set    *policy.Set
	host   policy.Host
	trusts map[string]bool
	report ReplayReport
}

// NewReplay prepares policies, for the files of this host.
func NewReplay(set *policy.Set) *Replay {
	host := policy.NewHost("/")
	p := &Replay{set: set.Resolve(host), host: host, trusts: map[string]bool{}}
	p.report.Notes = []string{"Whether programs are trusted is asked of this host as it is now."}
	if usesUnits(set) {
		p.report.Notes = append(p.report.Notes, "Events do not tell units: subjects with a unit hold for nobody.")
	}
	return p
}

func usesUnits(set *policy.Set) bool {
	inUnit := func(s policy.Subject) bool { return s.Unit != "" }
	for _, p := range set.Policies {
		for _, r := range p.Rules {
			if slices.ContainsFunc(r.Allow, inUnit) || slices.ContainsFunc(r.Who, inUnit) {
				return true
			}
		}
	}
	return false
}

// Broken notes a line that could not be read.
func (p *Replay) Broken(fault *eventlog.Fault) {
	p.report.Unread++
	if len(p.report.Broken) < mostBroken {
		p.report.Broken = append(p.report.Broken, fault.Error())
	}
}

// Take judges a record; an alert by the event it is about.
func (p *Replay) Take(record eventlog.Record) {
	p.report.Records++
	if !ecs.Event(record.Log) {
		return
	}
	a, ok := actsOf(record.Log, p.trusted)
	if !ok {
		return
	}
	p.report.Judged++
	at := record.Log.Timestamp().AsTime()
	if p.report.First.IsZero() || at.Before(p.report.First) {
		p.report.First = at
	}
	if at.After(p.report.Last) {
		p.report.Last = at
	}
	for _, r := range a.requests {
		for _, reason := range p.set.Evaluate(r).Reasons {
			if reason.Verdict != policy.Allowed && !reason.Overruled {
				p.add(reason, a, r.Operation, at)
			}
		}
	}
}

// trusted asks the host who may have written a program; one that is gone is believed.
func (p *Replay) trusted(executable string) bool {
	known, ok := p.trusts[executable]
	if !ok {
		known = !p.host.Exists(executable) || ownedByRoot(executable)
		p.trusts[executable] = known
	}
	return known
}

func (p *Replay) add(reason policy.Reason, a act, o policy.Operation, at time.Time) {
	f := p.forbidden(reason)
	f.Count++
	if f.First.IsZero() || at.Before(f.First) {
		f.First = at
	}
	if at.After(f.Last) {
		f.Last = at
	}
	by := path.Base(a.program)
	if a.user != "" {
		by += " run by " + a.user
	}
	sample := alertmessage.Plain(fmt.Sprintf("%s: %s %s", by, o, a.object))
	if len(f.Samples) < mostSamples && !slices.Contains(f.Samples, sample) {
		f.Samples = append(f.Samples, sample)
	}
}

func (p *Replay) forbidden(reason policy.Reason) *Forbidden {
	for _, f := range p.report.Forbidden {
		if f.Policy == reason.Policy && f.Rule == reason.Rule && f.Verdict == reason.Verdict {
			return f
		}
	}
	f := &Forbidden{Policy: reason.Policy, Rule: reason.Rule, Verdict: reason.Verdict, Samples: []string{}}
	p.report.Forbidden = append(p.report.Forbidden, f)
	return f
}

// Report sums up.
func (p *Replay) Report() *ReplayReport {
	out := p.report
	out.Forbidden = slices.Clone(p.report.Forbidden)
	slices.SortStableFunc(out.Forbidden, func(a, b *Forbidden) int {
		return cmp.Or(strings.Compare(string(b.Verdict), string(a.Verdict)), b.Count-a.Count, strings.Compare(a.Policy, b.Policy), strings.Compare(a.Rule, b.Rule))
	})
	return &out
}

// WriteText writes a line for each rule with samples below it, and the sums.
func (r *ReplayReport) WriteText(w io.Writer) error {
	var b strings.Builder
	total := 0
	for _, f := range r.Forbidden {
		total += f.Count
		fmt.Fprintf(&b, "%s %d: policy %s, rule %s, %s\n", f.Verdict, f.Count, f.Policy, f.Rule, between(f.First, f.Last))
		for _, sample := range f.Samples {
			fmt.Fprintf(&b, "    %s\n", sample)
		}
	}
	for _, fault := range r.Broken {
		fmt.Fprintf(&b, "not read: %s\n", fault)
	}
	if more := r.Unread - len(r.Broken); more > 0 {
		fmt.Fprintf(&b, "not read: %s more\n", count(more, "line", "lines"))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	fmt.Fprintf(&b, "%s judged", count(r.Judged, "event", "events"))
	if !r.First.IsZero() {
		fmt.Fprintf(&b, " of %s", between(r.First, r.Last))
	}
	fmt.Fprintf(&b, ": %s forbidden by %s\n", count(total, "act", "acts"), count(len(r.Forbidden), "rule", "rules"))
	_, err := io.WriteString(w, b.String())
	return err
}

func between(first, last time.Time) string {
	const form = "2006-01-02 15:04:05"
	begin, end := first.UTC().Format(form), last.UTC().Format(form)
	if begin == end {
		return begin
	}
	return begin + " – " + end
}
