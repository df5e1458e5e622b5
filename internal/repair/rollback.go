// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Back says what is taken back.
type Back struct {
	Transaction string // "" for the last one that has the rule
	Rule        string // "" for all rules of the transaction
	Merge       bool   // where a file was changed since, take back only our lines
	DryRun      bool
}

// Rollback is what was taken back.
type Rollback struct {
	Transaction string   `json:"transaction,omitempty"` // of the rollback, which can be taken back itself
	Of          string   `json:"of"`
	Rules       []string `json:"rules"`
	Diff        string   `json:"diff"`
}

// Conflict says that something was changed since it was repaired.
type Conflict struct {
	What string // what was changed
	Diff string // where it stands, "" for what is no text
}

// Error says what can be done.
func (c *Conflict) Error() string {
	text := fmt.Sprintf("%s was changed since it was repaired, so it is left as it is", c.What)
	if c.Diff != "" {
		text += "; --merge takes back only what the repair changed, where the changes do not meet\n" + strings.TrimSuffix(c.Diff, "\n")
	}
	return text
}

// Rollback takes a transaction back, or a rule of it: all of it, or with an error nothing.
func (r *Repairer) Rollback(b Back) (*Rollback, error) {
	t, rules, err := r.find(b)
	if err != nil {
		return nil, err
	}
	return r.rollback(t, rules, b)
}

// find gives a transaction and what of it is in force and to be taken back, the last rule first.
func (r *Repairer) find(b Back) (*Transaction, []*Done, error) {
	all, err := r.journal.transactions()
	if err != nil {
		return nil, nil, err
	}
	for _, t := range slices.Backward(all) {
		if b.Transaction != "" && t.ID != b.Transaction || b.Transaction == "" && t.Kind != KindFix {
			continue
		}
		var rules []*Done
		for _, d := range slices.Backward(t.Rules) {
			if d.Outcome == OutcomeKept && (b.Rule == "" || d.Rule == b.Rule) {
				rules = append(rules, d)
			}
		}
		if len(rules) > 0 {
			return t, rules, nil
		}
		if b.Transaction != "" {
			return nil, nil, fmt.Errorf("found nothing of %s that is still in force, expected a transaction of `vedette baseline transactions`", b.Transaction)
		}
	}
	if b.Transaction != "" {
		return nil, nil, fmt.Errorf("found no transaction %s, expected one of `vedette baseline transactions`", b.Transaction)
	}
	return nil, nil, fmt.Errorf("found no transaction in which the rule %s was repaired and that is still in force", b.Rule)
}

// backward is a rollback that is being planned.
type backward struct {
	*Repairer
	merge bool
	ahead map[string]planned // what paths will be like when what was planned so far is done
	later map[string]bool    // what own repairs left, by path and hash
	made  map[string]bool    // paths at which there was nothing before own repairs
	diff  strings.Builder
}

// part is what is taken back for one rule.
type part struct {
	rule    string
	guarded bool
	changes []Change
	images  [][]byte
}

func (r *Repairer) rollback(t *Transaction, rules []*Done, b Back) (*Rollback, error) {
	w := &backward{Repairer: r, merge: b.Merge, ahead: map[string]planned{}}
	if err := w.findLater(); err != nil {
		return nil, err
	}
	result := &Rollback{Of: t.ID}
	var parts []part
	var conflicts []error
	for _, d := range rules {
		p, err := w.part(d)
		if err != nil {
			conflicts = append(conflicts, err)
			continue
		}
		parts = append(parts, p)
		result.Rules = append(result.Rules, d.Rule)
	}
	result.Diff = w.diff.String()
	if len(conflicts) > 0 {
		return nil, errors.Join(conflicts...)
	}
	if b.DryRun {
		return result, nil
	}
	id, err := r.journal.newID(time.Now())
	if err != nil {
		return nil, err
	}
	result.Transaction = id
	return result, r.runBack(t, result.Transaction, parts)
}

// runBack makes the changes of a rollback, which is a transaction itself. What fails is undone, with all that the rollback did before.
func (r *Repairer) runBack(t *Transaction, id string, parts []part) error {
	if err := r.journal.append(id, record{Event: eventBegin, Time: time.Now(), Kind: KindRollback, Template: t.Template, Of: t.ID}); err != nil {
		return err
	}
	r.step("begun")
	for i, p := range parts {
		if err := r.intend(id, record{Rule: p.rule, Guarded: p.guarded, Changes: p.changes}, p.images); err != nil {
			return r.abandon(id, parts[:i], err)
		}
		err := r.makeAll(p.changes)
		if err != nil {
			return r.abandon(id, parts[:i+1], fmt.Errorf("%s: %w", p.rule, err))
		}
	}
	for _, p := range parts {
		if err := r.journal.append(id, record{Event: eventKept, Time: time.Now(), Rule: p.rule}); err != nil {
			return err
		}
		r.step("kept")
	}
	return r.journal.append(id, record{Event: eventEnd, Time: time.Now()})
}

// abandon undoes what a rollback has done, because it is all or nothing.
func (r *Repairer) abandon(id string, parts []part, cause error) error {
	errs := []error{cause}
	for _, p := range slices.Backward(parts) {
		left, err := r.undo(id, p.rule, p.changes, cause.Error())
		if len(left) > 0 {
			errs = append(errs, fmt.Errorf("left, as somebody else changed it: %s", strings.Join(left, ", ")))
		}
		errs = append(errs, err)
	}
	errs = append(errs, r.journal.append(id, record{Event: eventEnd, Time: time.Now()}))
	return errors.Join(errs...)
}

// findLater gathers what own repairs left in files.
func (w *backward) findLater() error {
	all, err := w.journal.transactions()
	if err != nil {
		return err
	}
	w.later, w.made = map[string]bool{}, map[string]bool{}
	for _, t := range all {
		for _, d := range t.Rules {
			for _, c := range d.Changes {
				if c.About == ofPath && d.Outcome != OutcomeUndone {
					w.later[c.Path+" "+c.After.Hash] = true
					w.made[c.Path] = w.made[c.Path] || c.Before.Type == absent && t.Kind == KindFix
				}
			}
		}
	}
	return nil
}

// part plans how the changes of a rule are taken back.
func (w *backward) part(d *Done) (part, error) {
	p := part{rule: d.Rule, guarded: d.Guarded}
	var conflicts []error
	for _, c := range slices.Backward(d.Changes) {
		back := c.inverse()
		var err error
		if c.About == ofPath {
			err = w.path(&p, back)
		} else {
			err = w.other(&p, back)
		}
		if err != nil {
			conflicts = append(conflicts, err)
		}
	}
	return p, errors.Join(conflicts...)
}

func (w *backward) other(p *part, back Change) error {
	at, err := w.standing(back)
	switch {
	case err != nil:
		return err
	case at == foreign:
		return &Conflict{What: back.String()}
	case at == asBefore:
		p.changes = append(p.changes, back)
		w.diff.WriteString(back.summary())
	}
	return nil
}

// now gives what is, or will be, at a path. Of changes of attributes the content is not read; another change that comes after them may ask for it.
func (w *backward) now(back Change) (planned, error) {
	now, ok := w.ahead[back.Path]
	if !ok {
		state, err := w.root.look(back.Path)
		if err != nil {
			return now, err
		}
		now.state = state
	}
	if back.attributesOnly() || now.state.Type != file || now.state.Hash != "" {
		return now, nil
	}
	read, content, err := w.root.read(back.Path)
	now.state.Hash, now.content = read.Hash, content
	return now, err
}

// path plans how what is at a path is taken back: as it was, where it is as it was left, and else merged.
func (w *backward) path(p *part, back Change) error {
	now, err := w.now(back)
	if err != nil {
		return err
	}
	then := planned{state: *back.After}
	switch {
	case now.state.is(*back.After):
		return nil
	case now.state.is(*back.Before):
		if back.After.Hash != "" {
			then.content, err = w.journal.image(back.After.Hash)
		}
	default:
		then, err = w.merged(back, now)
	}
	if err != nil {
		return err
	}
	before, after := now.state, then.state
	if back.attributesOnly() {
		before.Hash, after.Hash = "", ""
		then.state.Hash, then.content = now.state.Hash, now.content
	}
	change := Change{About: ofPath, Path: back.Path, Found: back.Found, Before: &before, After: &after}
	p.changes = append(p.changes, change)
	for _, content := range []planned{now, then} {
		if !back.attributesOnly() && content.state.Hash != "" {
			p.images = append(p.images, content.content)
		}
	}
	writePathDiff(&w.diff, change, now.content, then.content)
	w.ahead[back.Path] = then
	if then.state.Type == absent {
		return w.emptied(p, filepath.Dir(back.Path))
	}
	return nil
}

// emptied takes back a directory that was made by a repair of another rule, when nothing is in it any more.
func (w *backward) emptied(p *part, dir string) error {
	if _, known := w.ahead[dir]; known || !w.made[dir] {
		return nil
	}
	entries, err := os.ReadDir(w.root.full(dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if below, ok := w.ahead[filepath.Join(dir, e.Name())]; !ok || below.state.Type != absent {
			return nil
		}
	}
	state, err := w.root.look(dir)
	if err != nil {
		return err
	}
	change := Change{About: ofPath, Path: dir, Before: &state, After: &State{Type: absent}}
	p.changes = append(p.changes, change)
	writePathDiff(&w.diff, change, nil, nil)
	w.ahead[dir] = planned{state: *change.After}
	return w.emptied(p, filepath.Dir(dir))
}

// merged takes back from a file only what the repair changed.
func (w *backward) merged(back Change, now planned) (planned, error) {
	if now.state.Type != file || back.Before.Type != file || back.Before.Hash == "" {
		return planned{}, &Conflict{What: back.Path}
	}
	ours, err := w.journal.image(back.Before.Hash)
	if err != nil {
		return planned{}, err
	}
	var before []byte
	if back.After.Type == file {
		if before, err = w.journal.image(back.After.Hash); err != nil {
			return planned{}, err
		}
	}
	conflict := &Conflict{What: back.Path, Diff: threeWay(back.Path, string(before), string(ours), string(now.content))}
	// What only own repairs have added to since is taken apart without being asked to.
	byRepair := now.state.Hash != back.Before.Hash && w.later[back.Path+" "+now.state.Hash]
	if !w.merge && !byRepair {
		return planned{}, conflict
	}
	text, ok := merge(string(before), string(ours), string(now.content))
	if !ok {
		return planned{}, conflict
	}
	if text == "" && (back.After.Type == absent || w.made[back.Path]) {
		return planned{state: State{Type: absent}}, nil
	}
	state := mergedAttributes(now.state, *back.Before, *back.After)
	state.Hash = hashOf([]byte(text))
	return planned{state: state, content: []byte(text)}, nil
}

// mergedAttributes takes back the attributes that are as the repair left them.
func mergedAttributes(now, ours, before State) State {
	if before.Type == absent {
		return now
	}
	if now.Mode == ours.Mode && sameXattrs(now.Xattrs, ours.Xattrs) {
		now.Mode, now.Xattrs = before.Mode, before.Xattrs
	}
	if now.UID == ours.UID {
		now.UID = before.UID
	}
	if now.GID == ours.GID {
		now.GID = before.GID
	}
	return now
}
