// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/vedette-sec/vedette/internal/statusfile"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// state is what must survive a restart: a trial would else begin anew with each.
type state struct {
	Panic  bool             `json:"panic"`
	Trials map[string]trial `json:"trials,omitempty"` // by policy
	Lock   string           `json:"lock,omitempty"`   // the SHA-256 of the token that unlocks the agent
}

// trial is the time for which a policy enforces unless it is confirmed.
type trial struct {
	Policy    string    `json:"policy"` // stands for what the policy says
	Since     time.Time `json:"since"`
	Confirmed bool      `json:"confirmed,omitempty"`
}

func (s *state) read(file string) error {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what is known of policies: %w", err)
	}
	if err := json.Unmarshal(content, s); err != nil {
		return fmt.Errorf("%s: found %w, expected what an agent wrote; without the file, trials of policies begin anew", file, err)
	}
	return nil
}

// write leaves no trace on a host where nothing is to be remembered.
func (s *state) write(file string) error {
	if !s.Panic && len(s.Trials) == 0 && s.Lock == "" {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return statusfile.WriteForGood(file, s)
}

// outcome is which policies are under trial until when, and which were taken back to audit.
type outcome struct {
	deadline map[string]time.Time
	reverted map[string]bool
}

// trials begins the trial of policies that are new or say something else than before, and forgets those that are gone.
func (s *state) trials(set *policy.Set, now time.Time) outcome {
	out := outcome{map[string]time.Time{}, map[string]bool{}}
	kept := map[string]trial{}
	for _, p := range set.Policies {
		if p.Confirm == 0 || !enforces(p) {
			continue
		}
		t := s.Trials[p.Name]
		if said := digest(p); t.Policy != said {
			t = trial{Policy: said, Since: now.UTC()}
		}
		kept[p.Name] = t
		if t.Confirmed {
			continue
		}
		out.deadline[p.Name] = t.Since.Add(p.Confirm)
		out.reverted[p.Name] = !now.Before(out.deadline[p.Name])
	}
	s.Trials = kept
	return out
}

// confirm ends the trials of policies for good; without names those of all. It gives the names of those that were under trial.
func (s *state) confirm(names ...string) ([]string, error) {
	if len(names) == 0 {
		for name := range maps.Keys(s.Trials) {
			names = append(names, name)
		}
	}
	var confirmed []string
	for _, name := range names {
		t, ok := s.Trials[name]
		if !ok {
			return nil, fmt.Errorf("found no policy %q that is to be confirmed, expected one in mode enforce with commit_confirm", name)
		}
		if !t.Confirmed {
			t.Confirmed = true
			s.Trials[name] = t
			confirmed = append(confirmed, name)
		}
	}
	return confirmed, nil
}

func enforces(p *policy.Policy) bool {
	for _, r := range p.Rules {
		if p.ModeOf(r) == policy.Enforce {
			return true
		}
	}
	return false
}

// digest stands for what a policy says, wherever it is written.
func digest(p *policy.Policy) string {
	content, err := json.Marshal(p)
	if err != nil {
		panic(err) // only for values that JSON does not have
	}
	var tree any
	if err := json.Unmarshal(content, &tree); err != nil {
		panic(err) // it was just written
	}
	content, err = json.Marshal(withoutPlaces(tree))
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func withoutPlaces(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		delete(v, "Position")
		for key, value := range v {
			v[key] = withoutPlaces(value)
		}
	case []any:
		for i, value := range v {
			v[i] = withoutPlaces(value)
		}
	}
	return tree
}
