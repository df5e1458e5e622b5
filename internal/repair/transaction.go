// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
)

// The states of transactions.
const (
	Unended   = "unended"   // it was ended by a crash and waits for recovery
	Waiting   = "waiting"   // it is undone unless it is confirmed in time
	Committed = "committed" // what was kept stays
)

// The kinds of transactions.
const (
	KindFix      = "fix"
	KindRollback = "rollback"
)

// The outcomes of a rule in a transaction.
const (
	OutcomeOpen       = "open" // its changes may be made or not
	OutcomeKept       = "kept"
	OutcomeUndone     = "undone"
	OutcomeRolledBack = "rolled back"
)

// Transaction is what one command changed.
type Transaction struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Template string    `json:"template,omitempty"`
	Of       string    `json:"of,omitempty"` // the transaction that it takes back
	Started  time.Time `json:"started"`
	State    string    `json:"state"`
	Until    time.Time `json:"until,omitzero"` // when it is undone unless it is confirmed
	Rules    []*Done   `json:"rules"`
}

// Done is what was changed for one rule.
type Done struct {
	Rule    string   `json:"rule"`
	Outcome string   `json:"outcome"`
	Reason  string   `json:"reason,omitempty"` // why it was undone, and what was left
	By      string   `json:"by,omitempty"`     // the transaction that took it back
	Guarded bool     `json:"guarded,omitempty"`
	Left    []string `json:"left,omitempty"` // what was somebody else's and was not touched
	Changes []Change `json:"changes"`
}

// idTime is how the time is written in names of transactions.
const idTime = "20060102-150405.000000"

// newID gives a name that sorts by time, and after those that there are, also where the clock was set back.
func (j *journal) newID(now time.Time) (string, error) {
	ids, err := j.ids()
	if err != nil {
		return "", err
	}
	for _, id := range ids {
		if last, err := time.Parse(idTime, id[:min(len(idTime), len(id))]); err == nil && !now.Truncate(time.Microsecond).After(last) {
			now = last.Add(time.Microsecond)
		}
	}
	var salt [3]byte
	_, _ = rand.Read(salt[:]) // It never fails.
	return now.UTC().Format(idTime) + "-" + hex.EncodeToString(salt[:]), nil
}

// rule gives what was last done for a rule.
func (t *Transaction) rule(id string) *Done {
	for i := len(t.Rules) - 1; i >= 0; i-- {
		if t.Rules[i].Rule == id {
			return t.Rules[i]
		}
	}
	return nil
}

func (t *Transaction) add(r record) error {
	switch r.Event {
	case eventBegin:
		t.Kind, t.Template, t.Of, t.Started = r.Kind, r.Template, r.Of, r.Time
	case eventIntent:
		for _, c := range r.Changes {
			if c.About == ofPath && (c.Before == nil || c.After == nil) {
				return fmt.Errorf("found a change of %q without what was there before and after", c.Path)
			}
		}
		t.Rules = append(t.Rules, &Done{Rule: r.Rule, Outcome: OutcomeOpen, Guarded: r.Guarded, Changes: r.Changes})
	case eventKept, eventUndone:
		d := t.rule(r.Rule)
		if d == nil {
			return fmt.Errorf("found the end of the rule %q, expected what was intended for it before", r.Rule)
		}
		d.Outcome, d.Reason, d.Left = map[string]string{eventKept: OutcomeKept, eventUndone: OutcomeUndone}[r.Event], r.Reason, r.Left
	case eventWait:
		t.Until = r.Until
	case eventConfirm:
		t.Until = time.Time{}
		t.State = Committed
	case eventEnd:
		t.State = Committed
		if !t.Until.IsZero() && t.waits() {
			t.State = Waiting
		}
	default:
		return fmt.Errorf("found a record of %q, expected one that this version knows", r.Event)
	}
	return nil
}

// waits reports whether something was kept that has to be confirmed.
func (t *Transaction) waits() bool {
	for _, d := range t.Rules {
		if d.Guarded && d.Outcome == OutcomeKept {
			return true
		}
	}
	return false
}

// transactions gives all of them, the oldest first, with what later ones took back.
func (j *journal) transactions() ([]*Transaction, error) {
	ids, err := j.ids()
	if err != nil {
		return nil, err
	}
	var all []*Transaction
	byID := map[string]*Transaction{}
	for _, id := range ids {
		t, err := j.read(id)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
		byID[id] = t
		of := byID[t.Of]
		if of == nil {
			continue
		}
		for _, d := range t.Rules {
			if was := of.rule(d.Rule); d.Outcome == OutcomeKept && was != nil {
				was.Outcome, was.By = OutcomeRolledBack, t.ID
			}
		}
	}
	for _, t := range all {
		if t.State == Waiting && !t.waits() {
			t.State = Committed
		}
	}
	return all, nil
}
