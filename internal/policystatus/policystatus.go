// SPDX-License-Identifier: Apache-2.0

// Package policystatus is the file by which a running agent tells the command line which policies are in force, how strongly, and
// what they have forbidden.
package policystatus

import (
	"time"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/statusfile"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Status is what is in force.
type Status struct {
	Extension  string    `json:"extension"` // the component's id
	PID        int       `json:"pid"`       // of the agent
	Socket     string    `json:"socket"`    // where it takes commands
	Written    time.Time `json:"written"`
	Generation uint64    `json:"generation"` // counts the sets that were loaded; 0 for none
	Since      time.Time `json:"since,omitzero"`
	Mechanism  string    `json:"mechanism,omitempty"` // how they are kept in force; "" while nothing is
	Panic      bool      `json:"panic"`               // every rule only reports
	Failure    *Failure  `json:"failure,omitempty"`
	Refused    []string  `json:"refused,omitempty"` // what is wrong with policies that are not in force, with file and line
	Policies   []Policy  `json:"policies"`
	Lost       uint64    `json:"lost"` // verdicts that took effect but could not be told
	Missing    []string  `json:"missing,omitempty"`

	// Protected says that the agent protects itself, Locked that nobody ends that without the token, Unlocked until when an operator
	// has ended it.
	Protected bool      `json:"protected"`
	Locked    bool      `json:"locked"`
	Unlocked  time.Time `json:"unlocked,omitzero"`
}

// Failure is an attempt to put policies in force after which the ones from before stayed.
type Failure struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error"`
}

// Policy is one policy in force.
type Policy struct {
	Name     string          `json:"name"`
	File     string          `json:"file"`
	Line     int             `json:"line"`
	Severity policy.Severity `json:"severity"`
	// Confirm is when enforcing ends unless it is confirmed; Reverted, that it has ended so.
	Confirm  time.Time `json:"confirm,omitzero"`
	Reverted bool      `json:"reverted,omitempty"`
	Rules    []Rule    `json:"rules"`
}

// Rule is one of its rules.
type Rule struct {
	Name       string           `json:"name"`
	Mode       policy.Mode      `json:"mode"` // the one that counts now
	Operations string           `json:"operations"`
	Strength   enforce.Strength `json:"strength"`
	Weaker     []Weak           `json:"weaker,omitempty"`
	Denied     uint64           `json:"denied"`
	Audited    uint64           `json:"audited"`
	Folded     uint64           `json:"folded,omitempty"` // verdicts that are told as a sum with a later one
	Lost       uint64           `json:"lost,omitempty"`   // verdicts that could not be told
}

// Weak is a part of a rule that does not reach the best strength.
type Weak struct {
	Operations string           `json:"operations"`
	Strength   enforce.Strength `json:"strength"`
	Reason     string           `json:"reason"`
}

// Write replaces the file in one step.
func (s *Status) Write(file string) error { return statusfile.Write(file, s) }

// Read reads the file.
func Read(file string) (*Status, error) {
	var s Status
	err := statusfile.Read(file, &s, "status of policies", "no agent with policies is running, or its policies::status_file is another")
	if err != nil {
		return nil, err
	}
	return &s, nil
}
