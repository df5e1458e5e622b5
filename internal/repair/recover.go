// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Transactions gives all transactions, the oldest first.
func (r *Repairer) Transactions() ([]*Transaction, error) { return r.journal.transactions() }

// recover ends the transactions that a crash has left open: what was being done for a rule is undone, unless it is somebody else's.
func (r *Repairer) recover() ([]string, error) {
	if err := r.tidy(); err != nil {
		return nil, err
	}
	all, err := r.journal.transactions()
	if err != nil {
		return nil, err
	}
	var notes []string
	for _, t := range all {
		if t.State != Unended {
			continue
		}
		said, err := r.recoverOne(t)
		notes = append(notes, said...)
		if err != nil {
			return notes, fmt.Errorf("recovering the transaction %s: %w", t.ID, err)
		}
	}
	return notes, nil
}

// tidy removes what a crash left of checks, images and records that were not complete.
func (r *Repairer) tidy() error {
	if err := os.RemoveAll(filepath.Join(r.journal.dir, "stage")); err != nil {
		return err
	}
	halves, err := filepath.Glob(filepath.Join(r.journal.dir, "images", "*.new"))
	if err != nil {
		return err
	}
	for _, name := range halves {
		if err := removeIfThere(name); err != nil {
			return err
		}
	}
	ids, err := r.journal.ids()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.journal.trim(id); err != nil {
			return err
		}
	}
	return nil
}

// trim cuts off a last line without an end, of which nothing was done, and removes a transaction that did not begin.
func (j *journal) trim(id string) error {
	data, err := os.ReadFile(j.path(id))
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	switch whole := strings.LastIndexByte(string(data), '\n') + 1; whole {
	case 0:
		return errors.Join(os.Remove(j.path(id)), syncDir(filepath.Dir(j.path(id))))
	case len(data):
		return nil
	default:
		return os.Truncate(j.path(id), int64(whole))
	}
}

func (r *Repairer) recoverOne(t *Transaction) ([]string, error) {
	notes := []string{fmt.Sprintf("the %s %s was ended in the middle", t.Kind, t.ID)}
	// A rollback is all or nothing, so what it did for rules before is undone too, unless all was done.
	all := t.Kind == KindRollback && t.waitsForRules()
	for i := len(t.Rules) - 1; i >= 0; i-- {
		d := t.Rules[i]
		if d.Outcome != OutcomeOpen && (!all || d.Outcome != OutcomeKept) {
			continue
		}
		left, err := r.undo(t.ID, d.Rule, d.Changes, "the program was ended in the middle")
		if err != nil {
			return notes, err
		}
		notes = append(notes, fmt.Sprintf("%s: what was done for %s is undone", t.ID, d.Rule))
		for _, what := range left {
			notes = append(notes, fmt.Sprintf("%s: %s is neither as it was nor as it was to be, so it is left as it is", t.ID, what))
		}
	}
	return notes, r.journal.append(t.ID, record{Event: eventEnd, Time: time.Now()})
}

// waitsForRules reports whether a rule is neither kept nor undone.
func (t *Transaction) waitsForRules() bool {
	for _, d := range t.Rules {
		if d.Outcome == OutcomeOpen {
			return true
		}
	}
	return false
}

// Confirm lets stay what a transaction changed: of the one that is named, or of all that wait.
func (r *Repairer) Confirm(id string) ([]string, error) {
	all, err := r.journal.transactions()
	if err != nil {
		return nil, err
	}
	var confirmed []string
	for _, t := range all {
		if t.State != Waiting || id != "" && t.ID != id {
			continue
		}
		if err := r.journal.append(t.ID, record{Event: eventConfirm, Time: time.Now()}); err != nil {
			return confirmed, err
		}
		r.step("confirmed")
		confirmed = append(confirmed, t.ID)
	}
	if len(confirmed) == 0 {
		return nil, errors.New("found no transaction that waits to be confirmed, expected one of `vedette baseline transactions`")
	}
	return confirmed, nil
}

// undoOverdue takes back what could lock people out and was not confirmed in time.
func (r *Repairer) undoOverdue(now time.Time) ([]string, error) {
	all, err := r.journal.transactions()
	if err != nil {
		return nil, err
	}
	var notes []string
	for _, t := range all {
		if t.State != Waiting || now.Before(t.Until) {
			continue
		}
		var rules []*Done
		for i := len(t.Rules) - 1; i >= 0; i-- {
			if d := t.Rules[i]; d.Guarded && d.Outcome == OutcomeKept {
				rules = append(rules, d)
			}
		}
		back, err := r.rollback(t, rules, Back{Merge: true})
		if err != nil {
			notes = append(notes, fmt.Sprintf("the transaction %s was not confirmed in time and cannot be taken back: %v", t.ID, err))
			continue
		}
		notes = append(notes, fmt.Sprintf("the transaction %s was not confirmed until %s; %s is undone by %s",
			t.ID, t.Until.Local().Format(time.DateTime), strings.Join(back.Rules, ", "), back.Transaction))
	}
	return notes, nil
}

// Await waits until a transaction was confirmed or taken back, or takes it back itself when its time is over. Other commands can run
// meanwhile. What keeps it from looking or from taking back may pass, as a full disk does, so that it gives up only after longestTrouble.
func Await(ctx context.Context, rootDir, id string) ([]string, error) {
	pauses := awaitPauses{look: time.Second, trouble: time.Minute, longestTrouble: time.Hour}
	return pauses.await(ctx, rootDir, id)
}

// awaitPauses are how often it is looked whether a transaction was confirmed, how often where something is wrong, and for how long then.
type awaitPauses struct{ look, trouble, longestTrouble time.Duration }

func (p awaitPauses) await(ctx context.Context, rootDir, id string) ([]string, error) {
	var since time.Time // there is trouble
	for {
		look, notes, err := lookAt(rootDir, id)
		pause := p.look
		switch look {
		case endsWait:
			return notes, nil
		case goesOn:
			since = time.Time{}
		case hasTrouble:
			pause = p.trouble
			if since.IsZero() {
				since = time.Now()
			}
			if time.Since(since) > p.longestTrouble {
				return notes, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// awaited is what somebody who waits for a transaction finds.
type awaited int

const (
	endsWait awaited = iota
	goesOn
	hasTrouble // it cannot be read, or it is overdue and could not be taken back
)

// lookAt looks whether there is more to wait for. Where another command is at work there is.
func lookAt(rootDir, id string) (awaited, []string, error) {
	r, notes, err := Open(rootDir)
	if errors.Is(err, errBusy) {
		return goesOn, nil, nil
	}
	if err != nil {
		return hasTrouble, notes, err
	}
	t, err := r.journal.find(id)
	err = errors.Join(err, r.Close())
	switch {
	case err != nil:
		return hasTrouble, notes, err
	case t.State != Waiting:
		return endsWait, notes, nil
	case time.Now().After(t.Until):
		return hasTrouble, notes, nil
	}
	return goesOn, notes, nil
}

// find gives a transaction with what others took back.
func (j *journal) find(id string) (*Transaction, error) {
	all, err := j.transactions()
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if t.ID == id {
			return t, nil
		}
	}
	return nil, fmt.Errorf("found no transaction %s", id)
}
