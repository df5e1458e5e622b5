// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// Repairer changes one host. While it is open no other one can be.
type Repairer struct {
	root    root
	journal *journal
	step    func(what string) // is told of each step, for tests that end the process there
}

// Open opens the journal of the host with a root directory. What a crash left is recovered and what nobody confirmed in time is
// undone first, which is told.
func Open(rootDir string) (*Repairer, []string, error) { return open(rootDir, func(string) {}) }

func open(rootDir string, step func(string)) (*Repairer, []string, error) {
	full, err := filepath.Abs(rootDir)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("finding the host: %w", err)
	}
	r := &Repairer{root: root(full), step: step}
	dir, err := r.root.resolve(Directory)
	if err != nil {
		return nil, nil, err
	}
	if r.journal, err = openJournal(r.root.full(dir), longestBusy); err != nil {
		return nil, nil, err
	}
	notes, err := r.recover()
	if err == nil {
		var overdue []string
		overdue, err = r.undoOverdue(time.Now())
		notes = append(notes, overdue...)
	}
	if err != nil {
		return nil, notes, errors.Join(err, r.Close())
	}
	return r, notes, nil
}

// Close lets other processes in.
func (r *Repairer) Close() error { return r.journal.close() }

// Options say what is repaired.
type Options struct {
	Profile  string
	Rules    []string // only these; none for all
	Waivers  []*baseline.Waiver
	Now      time.Time
	Confirm  time.Duration // in which what could lock people out must be confirmed; 0 for no need to
	Language string
	DryRun   bool
	// DropForwarded lets a chain come into force that drops what the host forwards now, such as packets of its containers, and the kernel stop
	// forwarding them.
	DropForwarded bool
}

// What became of a rule.
const (
	Fixed   = "fixed"
	Restart = "restart"  // it is done, and the rule passes when the host has started again
	Planned = "planned"  // by a dry run
	Refused = "refused"  // nothing was changed
	Undone  = "undone"   // it did not help, or failed, and was taken back
	ByHand  = "by hand"  // the rule has no fix
	NotSafe = "not safe" // it cannot be taken back well enough to be done without being asked for
)

// Outcome is what became of one rule that failed.
type Outcome struct {
	Rule   string `json:"rule"`
	Result string `json:"result"`
	Reason string `json:"reason,omitempty"`
	Diff   string `json:"diff,omitempty"`
	Undo   string `json:"undo,omitempty"`
}

// Report is what a fix did.
type Report struct {
	Transaction string    `json:"transaction,omitempty"` // "" where nothing was changed
	Until       time.Time `json:"confirm_until,omitzero"`
	Rules       []Outcome `json:"rules"`
}

// Fix repairs what fails and can be repaired. The error says that nothing more could be done; what became of each rule is told by the
// report.
func (r *Repairer) Fix(ctx context.Context, b *baseline.Baseline, o Options) (*Report, error) {
	scanned, err := baseline.Scan(ctx, b, baseline.Options{Root: string(r.root), Profile: o.Profile, Rules: o.Rules, Waivers: o.Waivers, Now: o.Now, Language: o.Language})
	if err != nil {
		return nil, err
	}
	f := &fixing{Repairer: r, baseline: b, options: o, report: &Report{}}
	for _, result := range scanned.Results {
		if result.Verdict != baseline.Fail {
			continue
		}
		if err := ctx.Err(); err != nil {
			return f.report, errors.Join(err, f.end())
		}
		outcome, err := f.rule(ctx, result.Rule)
		outcome.Rule, outcome.Undo = result.Rule.ID, string(result.Rule.Undo)
		f.report.Rules = append(f.report.Rules, outcome)
		if err != nil {
			return f.report, err
		}
	}
	return f.report, f.end()
}

// fixing is one transaction that repairs.
type fixing struct {
	*Repairer
	baseline *baseline.Baseline
	options  Options
	report   *Report
	id       string             // "" until something is changed
	ahead    map[string]planned // what a dry run would have changed
}

// notSafe says why a fix is not done, "" where it is.
func (f *fixing) notSafe(rule *baseline.Rule) string {
	switch {
	case rule.Undo == baseline.UndoIrreversible:
		return "it cannot be taken back, so no program does it"
	case rule.Undo == baseline.UndoBestEffort && len(f.options.Rules) == 0:
		return "it can be taken back in part only, so it is done where the rule is named"
	}
	return ""
}

// rule repairs one rule. The error says that the state of the host is not what it should be.
func (f *fixing) rule(ctx context.Context, rule *baseline.Rule) (Outcome, error) {
	if len(rule.Fix) == 0 {
		return Outcome{Result: ByHand}, nil
	}
	if reason := f.notSafe(rule); reason != "" {
		return Outcome{Result: NotSafe, Reason: reason}, nil
	}
	p, err := f.plan(rule, f.ahead)
	if err != nil {
		return Outcome{Result: Refused, Reason: err.Error()}, nil
	}
	changes := p.changes()
	if len(changes) == 0 {
		if waits, err := f.waitsForStart(ctx, rule.ID); err == nil && waits {
			return Outcome{Result: Restart, Reason: waitsForStart}, nil
		}
		return Outcome{Result: Refused, Reason: "the fix finds nothing to change"}, nil
	}
	outcome := Outcome{Result: Planned, Diff: p.diff(changes)}
	err = f.preflight(p, changes)
	if err == nil && !f.options.DropForwarded {
		err = p.keepForwarded()
	}
	if err != nil {
		return Outcome{Result: Refused, Reason: err.Error(), Diff: outcome.Diff}, nil
	}
	if f.options.DryRun {
		f.ahead = p.after()
		return outcome, nil
	}
	result, reason, err := f.apply(ctx, p, changes)
	outcome.Result, outcome.Reason = result, reason
	return outcome, err
}

// begin begins the transaction where something is to be changed.
func (f *fixing) begin(guarded bool) error {
	now := time.Now()
	if f.id == "" {
		id, err := f.journal.newID(now)
		if err != nil {
			return err
		}
		f.id, f.report.Transaction = id, id
		if err := f.journal.append(f.id, record{Event: eventBegin, Time: now, Kind: KindFix, Template: f.baseline.ID}); err != nil {
			return err
		}
		f.step("begun")
	}
	// The end of the time is in the journal before anything is changed that could lock people out.
	if guarded && f.options.Confirm > 0 && f.report.Until.IsZero() {
		f.report.Until = now.Add(f.options.Confirm)
		if err := f.journal.append(f.id, record{Event: eventWait, Time: now, Until: f.report.Until}); err != nil {
			return err
		}
		f.step("waiting")
	}
	return nil
}

// apply makes the changes of a rule and keeps them where they help.
func (f *fixing) apply(ctx context.Context, p *plan, changes []Change) (result, reason string, err error) {
	guarded := len(areasOf(changes)) > 0
	if err := f.begin(guarded); err != nil {
		return Refused, err.Error(), nil
	}
	if err := f.intend(f.id, record{Rule: p.rule, Guarded: guarded, Changes: changes}, p.images()); err != nil {
		return Refused, err.Error(), nil
	}
	err = f.makeAll(changes)
	result = Fixed
	if err == nil {
		result, reason, err = f.helped(ctx, p.rule)
	}
	if err == nil {
		err = f.journal.append(f.id, record{Event: eventKept, Time: time.Now(), Rule: p.rule})
	}
	if err == nil {
		f.step("kept")
		return result, reason, nil
	}
	left, undoErr := f.undo(f.id, p.rule, changes, err.Error())
	if undoErr != nil {
		return Undone, err.Error(), fmt.Errorf("%s: it failed: %w; taking it back failed too and is tried again by the next command: %w", p.rule, err, undoErr)
	}
	if len(left) > 0 {
		return Undone, fmt.Sprintf("%v; left, as somebody else changed it: %v", err, left), nil
	}
	return Undone, err.Error(), nil
}

// helped gives what a fix came to, or says why the rule does not pass.
func (f *fixing) helped(ctx context.Context, rule string) (outcome, reason string, err error) {
	result, err := f.baseline.Judge(ctx, rule, string(f.root))
	if err != nil {
		return "", "", err
	}
	f.step("judged")
	if result.Verdict == baseline.Pass {
		return Fixed, "", nil
	}
	switch waits, err := f.waitsForStart(ctx, rule); {
	case err != nil:
		return "", "", err
	case waits:
		return Restart, waitsForStart, nil
	}
	for _, e := range result.Evidence {
		if !e.OK {
			return "", "", fmt.Errorf("the rule does not pass: %s", baselines.Describe(e, "en"))
		}
	}
	return "", "", fmt.Errorf("the rule does not pass: %s %s", result.Verdict, result.Reason)
}

const waitsForStart = "it is in files, and in force when the host has started again: until then the kernel takes no other audit rules, as they are locked (-e 2)"

// waitsForStart reports whether all that a rule lacks is that the kernel takes the audit rules of files, which it does at the next start alone.
func (f *fixing) waitsForStart(ctx context.Context, rule string) (bool, error) {
	i := slices.IndexFunc(f.baseline.Rules, func(r *baseline.Rule) bool { return r.ID == rule })
	if i < 0 || !f.baseline.Rules[i].Check.Uses("audit") || !f.auditLocked() {
		return false, nil
	}
	result, err := f.baseline.JudgeNextStart(ctx, rule, string(f.root))
	return err == nil && result.Verdict == baseline.Pass, err
}

// auditLocked reports whether the kernel takes no other audit rules. Where it cannot be asked, it is what loads them that fails.
func (r *Repairer) auditLocked() bool {
	locked, err := hostconf.New(string(r.root)).AuditLocked()
	return err == nil && locked
}

// end ends the transaction.
func (f *fixing) end() error {
	if f.id == "" {
		return nil
	}
	if err := f.journal.append(f.id, record{Event: eventEnd, Time: time.Now()}); err != nil {
		return err
	}
	f.step("ended")
	t, err := f.journal.read(f.id)
	if err != nil {
		return err
	}
	if t.State != Waiting {
		f.report.Until = time.Time{}
	}
	return nil
}

// intend writes what is intended, with the images that it takes. Nothing of it is done before it is on disk.
func (r *Repairer) intend(id string, intent record, images [][]byte) error {
	for _, content := range images {
		if err := r.journal.keep(content); err != nil {
			return err
		}
		r.step("image kept")
	}
	intent.Event, intent.Time = eventIntent, time.Now()
	// The names of the new files are known beforehand, so that those a crash leaves are found.
	for i := range intent.Changes {
		intent.Changes[i].Temp = fmt.Sprintf(".vedette-%s-%d", id[len(id)-6:], i)
	}
	if err := r.journal.append(id, intent); err != nil {
		return err
	}
	r.step("intended")
	return nil
}

// makeAll makes changes in order. Services start and stop when all else is done and read.
func (r *Repairer) makeAll(changes []Change) error {
	isUnit := func(c Change) bool { return c.About == ofUnit }
	if err := r.makeEach(slices.DeleteFunc(slices.Clone(changes), isUnit)); err != nil {
		return err
	}
	if err := r.activate(changes); err != nil {
		return err
	}
	units := slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return !isUnit(c) })
	// A socket would start a service that has just stopped, and systemd listens at none whose service runs already.
	slices.SortStableFunc(units, func(a, b Change) int { return cmp.Compare(rank(a), rank(b)) })
	return r.makeEach(units)
}

// rank puts sockets before services.
func rank(c Change) int {
	if isSocket(c.Unit) {
		return 0
	}
	return 1
}

func isSocket(unit string) bool { return strings.HasSuffix(unit, ".socket") }

func (r *Repairer) makeEach(changes []Change) error {
	for _, c := range changes {
		if err := r.make(c); err != nil {
			return err
		}
		r.step("made " + c.String())
	}
	return nil
}

// undo takes back what was made of changes, and tells what it left because it was somebody else's.
func (r *Repairer) undo(id, rule string, changes []Change, reason string) (left []string, err error) {
	var back []Change
	for i := len(changes) - 1; i >= 0; i-- {
		c := changes[i]
		if err := r.removeTemp(c); err != nil {
			return nil, err
		}
		at, err := r.standing(c)
		switch {
		case err != nil:
			return nil, err
		case at == foreign:
			left = append(left, c.String())
		case at != asBefore:
			back = append(back, c.inverse())
		}
	}
	if err := r.makeAll(back); err != nil {
		return left, err
	}
	if err := r.journal.append(id, record{Event: eventUndone, Time: time.Now(), Rule: rule, Reason: reason, Left: left}); err != nil {
		return left, err
	}
	r.step("undone")
	return left, nil
}

// removeTemp removes what a crash left beside a path.
func (r *Repairer) removeTemp(c Change) error {
	if c.Path == "" || c.Temp == "" {
		return nil
	}
	return removeIfThere(filepath.Join(filepath.Dir(r.root.full(c.Path)), c.Temp))
}
