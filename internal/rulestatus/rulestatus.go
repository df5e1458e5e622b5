// SPDX-License-Identifier: Apache-2.0

// Package rulestatus is the file by which a running agent tells the command line which rules are in force
// and what they have matched.
package rulestatus

import (
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/internal/statusfile"
)

// Status is what is in force.
type Status struct {
	Processor  string                `json:"processor"` // the component's id
	PID        int                   `json:"pid"`       // of the agent
	Written    time.Time             `json:"written"`
	Generation int64                 `json:"generation"` // 1 is the set of rules of the start
	Since      time.Time             `json:"since"`
	Counts     map[ruleset.State]int `json:"counts"`
	Failure    *Failure              `json:"failure,omitempty"`
	Matches    []Matches             `json:"matches"` // the most first; rules that matched nothing are left out
	// Correlations tells what each remembers and what it had to leave out.
	Correlations []Correlation `json:"correlations,omitempty"`
}

// Correlation is what a correlation remembers. Incomplete counts, by cause, what it could not take into account.
type Correlation struct {
	ID         string            `json:"id,omitempty"`
	Title      string            `json:"title"`
	Groups     int               `json:"groups"`
	Bytes      int               `json:"bytes"`
	Observed   uint64            `json:"observed"`
	Fired      uint64            `json:"fired"`
	Folded     uint64            `json:"folded"`
	Incomplete map[string]uint64 `json:"incomplete,omitempty"`
}

// Failure is an attempt to read the rules anew after which the ones from before stayed in force.
type Failure struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error"`
}

// Matches is how often a rule has matched since it came into force.
type Matches struct {
	ID    string `json:"id,omitempty"`
	Title string `json:"title"`
	Level string `json:"level"`
	Count uint64 `json:"count"`
}

// Add notes what a rule has matched.
func (s *Status) Add(id, title, level string, count uint64) {
	if count > 0 {
		s.Matches = append(s.Matches, Matches{id, title, level, count})
	}
}

// Write replaces the file in one step. Its directory is made when it does not exist.
func (s *Status) Write(file string) error {
	slices.SortStableFunc(s.Matches, func(a, b Matches) int {
		if a.Count != b.Count {
			return int(min(max(int64(b.Count)-int64(a.Count), -1), 1))
		}
		return strings.Compare(a.Title, b.Title)
	})
	if s.Matches == nil {
		s.Matches = []Matches{}
	}
	return statusfile.Write(file, s)
}

// Read reads the file.
func Read(file string) (*Status, error) {
	var s Status
	err := statusfile.Read(file, &s, "status of rules", "no agent with a detection processor is running, or its status_file is another")
	if err != nil {
		return nil, err
	}
	return &s, nil
}
