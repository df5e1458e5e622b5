// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"os"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// reportVersion is of the JSON's shape.
const reportVersion = 1

// Report is a scan as JSON has it.
type Report struct {
	Version  int                      `json:"version"`
	Template string                   `json:"template"`
	Profile  string                   `json:"profile,omitempty"`
	Title    baseline.Text            `json:"title"`
	Host     Host                     `json:"host"`
	Score    *int                     `json:"score,omitempty"` // see Score; nil where nothing passed or failed
	Started  time.Time                `json:"started"`
	Seconds  float64                  `json:"seconds"`
	Summary  map[baseline.Verdict]int `json:"summary"`
	Results  []Result                 `json:"results"`
	Stale    []*baseline.Waiver       `json:"stale_waivers,omitempty"`
}

// Host is the one that was judged.
type Host struct {
	Name   string `json:"name"`
	System string `json:"system,omitempty"` // id and version of the distribution
}

// HostBelow tells of the host whose root directory this is what can be told.
func HostBelow(root string) Host {
	below := hostconf.New(root)
	h := Host{Name: root}
	if name, err := os.Hostname(); root == "/" && err == nil {
		h.Name = name
	} else if data, err := below.Read("/etc/hostname"); err == nil {
		h.Name = strings.TrimSpace(string(data))
	}
	if release, err := below.Release(); err == nil {
		h.System = strings.TrimSpace(release.ID + " " + release.VersionID)
	}
	return h
}

// Result is a rule with what became of it.
type Result struct {
	Rule     string              `json:"rule"`
	Title    baseline.Text       `json:"title"`
	About    baseline.Text       `json:"rationale"`
	Severity baseline.Severity   `json:"severity"`
	Maps     map[string][]string `json:"maps,omitempty"`
	Verdict  baseline.Verdict    `json:"verdict"`
	Reason   string              `json:"reason,omitempty"`
	Evidence []baseline.Evidence `json:"evidence,omitempty"`
	Omitted  int                 `json:"evidence_omitted,omitempty"`
	Waiver   *baseline.Waiver    `json:"waiver,omitempty"`

	manual *baseline.Text // what a person has to judge; nil for rules that need none
}

// reason is why the verdict is what it is, in a language where there is more than one.
func (r Result) reason() baseline.Text {
	if r.Verdict == baseline.Manual && r.manual != nil {
		return *r.manual
	}
	return baseline.Text{EN: r.Reason}
}

// NewReport gives a scan's findings for people and programs.
func NewReport(scan *baseline.Report, profile string, host Host) *Report {
	r := &Report{Version: reportVersion, Template: scan.Baseline.ID, Profile: profile, Title: scan.Baseline.Title, Host: host, Started: scan.Started,
		Seconds: scan.Took.Seconds(), Summary: map[baseline.Verdict]int{}, Results: []Result{}, Stale: scan.Stale}
	if percent, ok := Score(scan.Results); ok {
		r.Score = &percent
	}
	for _, v := range baseline.Verdicts {
		r.Summary[v] = scan.Count(v)
	}
	for _, result := range scan.Results {
		rule := result.Rule
		r.Results = append(r.Results, Result{rule.ID, rule.Title, rule.Rationale, rule.Severity, rule.Maps, result.Verdict, result.Reason, result.Evidence, result.Omitted,
			result.Waiver, rule.Manual})
	}
	return r
}

// Failed reports whether something is not as it should be, or nobody knows.
func (r *Report) Failed() bool {
	return r.Summary[baseline.Fail] > 0 || r.Summary[baseline.Failure] > 0 || len(r.Stale) > 0
}

// weights are what rules count for in the score.
var weights = map[baseline.Severity]int{baseline.Low: 1, baseline.Medium: 2, baseline.High: 4, baseline.Critical: 8}

// Score gives the rules that passed in percent of those that passed or failed, by their weight; false where there are none.
func Score(results []*baseline.Result) (percent int, ok bool) {
	passed, all := 0, 0
	for _, r := range results {
		weight := weights[r.Rule.Severity]
		switch r.Verdict {
		case baseline.Pass:
			passed, all = passed+weight, all+weight
		case baseline.Fail:
			all += weight
		}
	}
	if all == 0 {
		return 0, false
	}
	return passed * 100 / all, true
}
