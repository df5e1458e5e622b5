// SPDX-License-Identifier: Apache-2.0

// Package rulestatus is the file by which a running agent tells the command line which rules are in force
// and what they have matched.
package rulestatus

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/ruleset"
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
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(append(content, '\n'))
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}

// Read reads the file.
func Read(file string) (*Status, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: no agent with a detection processor is running, or its status_file is another", file)
	}
	if err != nil {
		return nil, err
	}
	var s Status
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, fmt.Errorf("%s: not a status of rules: %w", file, err)
	}
	return &s, nil
}
