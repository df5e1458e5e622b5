// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vedette-sec/vedette/internal/statusfile"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// ApprovedFile is where the approved state is unless somebody says otherwise.
const ApprovedFile = "/var/lib/vedette/baseline/approved.json"

// approvedVersion is of the file's shape.
const approvedVersion = 1

// Approved is the state of a host that somebody has looked at and found to be as it should be.
type Approved struct {
	Version   int        `json:"version"`
	Approvals []Approval `json:"approvals"`
}

// Approval is the approved state by one template and profile.
type Approval struct {
	Template string                      `json:"template"`
	Profile  string                      `json:"profile,omitempty"`
	Time     time.Time                   `json:"time"`
	By       string                      `json:"by"`
	Verdicts map[string]baseline.Verdict `json:"verdicts"` // by rule
}

// ReadApproved reads the file; there being none means that nothing was approved.
func ReadApproved(file string) (*Approved, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &Approved{Version: approvedVersion}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the approved state: %w", err)
	}
	a := &Approved{}
	if err := json.Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("reading the approved state: %s: %w", file, err)
	}
	if a.Version != approvedVersion {
		return nil, fmt.Errorf("reading the approved state: %s: found version %d, expected %d", file, a.Version, approvedVersion)
	}
	return a, nil
}

// Of gives the approval by a template and profile, nil where there is none.
func (a *Approved) Of(template, profile string) *Approval {
	for i := range a.Approvals {
		if a.Approvals[i].Template == template && a.Approvals[i].Profile == profile {
			return &a.Approvals[i]
		}
	}
	return nil
}

// Approve puts what a scan found in the place of what was approved before.
func (a *Approved) Approve(report *baseline.Report, profile, by string, at time.Time) *Approval {
	approval := Approval{report.Baseline.ID, profile, at.UTC().Truncate(time.Second), by, map[string]baseline.Verdict{}}
	for _, r := range report.Results {
		approval.Verdicts[r.Rule.ID] = r.Verdict
	}
	a.Approvals = slices.DeleteFunc(a.Approvals, func(o Approval) bool { return o.Template == approval.Template && o.Profile == profile })
	a.Approvals = append(a.Approvals, approval)
	slices.SortFunc(a.Approvals, func(x, y Approval) int {
		return cmp.Or(cmp.Compare(x.Template, y.Template), cmp.Compare(x.Profile, y.Profile))
	})
	return &a.Approvals[slices.IndexFunc(a.Approvals, func(o Approval) bool { return o.Template == approval.Template && o.Profile == profile })]
}

// Write replaces the file, which only its owner can read.
func (a *Approved) Write(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("writing the approved state: %w", err)
	}
	if err := statusfile.Write(file, a); err != nil {
		return fmt.Errorf("writing the approved state: %w", err)
	}
	return nil
}

// Drift is a rule with another verdict than the approved one.
type Drift struct {
	Rule     string           `json:"rule"`
	Approved baseline.Verdict `json:"approved,omitempty"` // "" for a rule that was not there
	Now      baseline.Verdict `json:"now,omitempty"`      // "" for a rule that is not there any more
}

// Drifted compares a scan with the approval, in the order of the rules' ids.
func (a *Approval) Drifted(report *baseline.Report) []Drift {
	now := map[string]baseline.Verdict{}
	for _, r := range report.Results {
		now[r.Rule.ID] = r.Verdict
	}
	rules := maps.Clone(now)
	maps.Copy(rules, a.Verdicts)
	drifted := []Drift{}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		if a.Verdicts[rule] != now[rule] {
			drifted = append(drifted, Drift{rule, a.Verdicts[rule], now[rule]})
		}
	}
	return drifted
}

// Approving is what `vedette baseline approve` tells.
type Approving struct {
	Template string    `json:"template"`
	Profile  string    `json:"profile,omitempty"`
	File     string    `json:"file"`
	By       string    `json:"by"`
	Rules    int       `json:"rules"`
	Failing  int       `json:"failing"` // that were approved as they are
	Before   time.Time `json:"before,omitzero"`
	Changes  []Drift   `json:"changes,omitempty"` // against what was approved before
}

// WriteText says what was approved.
func (a *Approving) WriteText(w io.Writer) error {
	for _, c := range a.Changes {
		fmt.Fprintf(w, "%s: %s was approved, now it is %s\n", c.Rule, orNone(c.Approved), orNone(c.Now))
	}
	_, err := fmt.Fprintf(w, "%s: %d rules approved by %s as they are, %d of them failing, in %s\n", a.Template, a.Rules, a.By, a.Failing, a.File)
	return err
}

func orNone(v baseline.Verdict) string { return cmp.Or(string(v), "nothing") }
