// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Prune says which transactions are forgotten.
type Prune struct {
	Before time.Time // only those of which nothing was done since
	All    bool      // also those that could still be rolled back, which they cannot afterwards
	DryRun bool
}

// Pruned is what was forgotten.
type Pruned struct {
	Transactions []string `json:"transactions"`
	Images       int      `json:"images"`
	Bytes        int64    `json:"bytes"`
	Kept         []string `json:"kept"` // old ones that could still be rolled back
}

// Prune forgets transactions that are over, with the images that only they need. What waits to be confirmed stays, and so does what could still
// be rolled back unless it is asked for.
func (r *Repairer) Prune(o Prune) (*Pruned, error) {
	all, err := r.journal.transactions()
	if err != nil {
		return nil, err
	}
	result := &Pruned{Transactions: []string{}, Kept: []string{}}
	gone := map[string]bool{}
	for _, family := range families(all) {
		switch {
		case slices.ContainsFunc(family, func(t *Transaction) bool { return t.State != Committed || !t.Started.Before(o.Before) }):
		case o.All || isOver(family):
			for _, t := range family {
				gone[t.ID] = true
				result.Transactions = append(result.Transactions, t.ID)
			}
		default:
			result.Kept = append(result.Kept, family[0].ID)
		}
	}
	if !o.DryRun {
		err = r.forget(result.Transactions)
	}
	if err == nil {
		err = r.forgetImages(all, gone, result, o.DryRun)
	}
	return result, err
}

// families puts each transaction together with those that took it back, the oldest first.
func families(all []*Transaction) [][]*Transaction {
	var families [][]*Transaction
	of := map[string]int{}
	for _, t := range all {
		i, known := of[t.Of]
		if !known {
			i = len(families)
			families = append(families, nil)
		}
		families[i] = append(families[i], t)
		of[t.ID] = i
	}
	return families
}

// isOver reports whether nothing of a transaction is in force: all of it was undone or rolled back, and no rollback was itself taken back.
// A rollback alone is what is left where the process that forgot its transaction was killed.
func isOver(family []*Transaction) bool {
	first := family[0]
	for _, t := range family[1:] {
		if t.Of != first.ID {
			return false
		}
	}
	return first.Kind == KindRollback || !slices.ContainsFunc(first.Rules, func(d *Done) bool { return d.Outcome == OutcomeKept || d.Outcome == OutcomeOpen })
}

// forget removes transactions in order: one that was taken back goes before what took it back, without which it would seem to be in force.
func (r *Repairer) forget(ids []string) error {
	for _, id := range ids {
		if err := os.Remove(r.journal.path(id)); err != nil {
			return fmt.Errorf("forgetting a transaction: %w", err)
		}
		if err := syncDir(filepath.Dir(r.journal.path(id))); err != nil {
			return fmt.Errorf("forgetting a transaction: %w", err)
		}
		r.step("forgotten " + id)
	}
	return nil
}

// forgetImages removes the images that no transaction needs which stays.
func (r *Repairer) forgetImages(all []*Transaction, gone map[string]bool, result *Pruned, dryRun bool) error {
	needed := map[string]bool{}
	for _, t := range all {
		for _, d := range t.Rules {
			for _, c := range d.Changes {
				if c.About == ofPath && !gone[t.ID] {
					needed[c.Before.Hash], needed[c.After.Hash] = true, true
				}
			}
		}
	}
	entries, err := os.ReadDir(filepath.Join(r.journal.dir, "images"))
	if err != nil {
		return fmt.Errorf("forgetting images: %w", err)
	}
	for _, e := range entries {
		if needed[e.Name()] || strings.HasSuffix(e.Name(), ".new") {
			continue
		}
		info, err := e.Info()
		if err == nil && !dryRun {
			err = os.Remove(r.journal.imagePath(e.Name()))
		}
		if err != nil {
			return fmt.Errorf("forgetting images: %w", err)
		}
		result.Images++
		result.Bytes += info.Size()
		r.step("forgotten image")
	}
	return nil
}
