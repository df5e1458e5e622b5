// SPDX-License-Identifier: Apache-2.0

// Package keeper keeps the policies of directories in force: it reads and checks them, reads them anew when they change, ends the
// trial of those that nobody confirmed, takes the operator's commands and tells what is in force.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/policystatus"
	"github.com/vedette-sec/vedette/internal/reload"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Config says which policies are kept in force.
type Config struct {
	Extension      string                 // the component's id
	Directories    []string               // of policies, or single files; what is not there has none
	Modes          map[string]policy.Mode // of policies by their names, in place of their own
	AuditOnly      bool                   // every rule only reports
	ReloadInterval time.Duration          // how often files are looked at; 0 for never
	StatusFile     string                 // "" for none
	Socket         string                 // where commands are taken; "" for none
	StateFile      string                 // what must survive a restart

	// Open gives the enforcer, when the first policy is to be put in force, and says what it is. Release takes down what an
	// earlier agent left in force, when there is none. ReleaseOnStop does the same with what is in force at the end.
	Open          func() (enforce.Enforcer, string, error)
	Release       func() error
	ReleaseOnStop bool
	Protection    *Protection // of the agent itself, while anything is enforced; nil for none

	Told   func(Verdict)           // takes each verdict; it must not wait
	Loaded func(Loaded)            // takes what became of the policies whenever they were read
	Counts func([]Counted, uint64) // takes what was counted about rules, and how many verdicts were lost, now and then
	Logger *zap.Logger
}

// Verdict is one with what its policy says about it.
type Verdict struct {
	enforce.Verdict
	Severity    policy.Severity
	Attack      []string
	Description string
	RuleMode    policy.Mode // what the rule is meant to do: where that is to enforce and nothing was refused, it could not be
	Generation  uint64
}

// Loaded is what became of an attempt to read the policies.
type Loaded struct {
	Generation uint64
	At         time.Time // since when what is in force is
	InForce    int
	Refused    int
	Failed     bool // those from before stay in force
}

// Counted is what was counted about a rule since the agent started.
type Counted struct {
	Policy, Rule    string
	Denied, Audited uint64
	Folded, Lost    uint64 // verdicts that are told with a later one, and those that were not
}

// Keeper keeps policies in force.
type Keeper struct {
	cfg  Config
	host policy.Host
	stop context.CancelFunc
	work sync.WaitGroup

	patience time.Duration // with who gives a command

	mu       sync.Mutex
	enforcer enforce.Enforcer // nil until there is a policy
	how      string
	current  *generation
	state    state
	found    string // the state of the files that were read, and of the programs that policies name
	programs string
	failure  *policystatus.Failure
	unheard  bool // that the status could not be written was said
	blocked  []Blocked
	unlocked time.Time // until when the agent does not protect itself
	told     uint64    // what the last status counted

	protection *policy.Policy // of the agent itself, as it is in force; nil for none

	closed bool // or not yet started
}

// generation is a set of policies in force.
type generation struct {
	number   uint64
	since    time.Time
	written  *policy.Set // as the files say
	byName   map[string]*policy.Policy
	reverted map[string]bool
	deadline map[string]time.Time
	refused  []string
}

// New makes a keeper. Nothing happens until Start.
func New(cfg Config) *Keeper {
	return &Keeper{cfg: cfg, host: policy.NewHost("/"), current: &generation{written: &policy.Set{}}, patience: commandTime, closed: true}
}

// tick is how often it is looked at what is due.
const tick = time.Second

// statusEvery is how often the status is written at least.
const statusEvery = 30 * time.Second

// Start puts the policies in force. It fails where that is not possible; policies that are wrong are left out and told about.
func (k *Keeper) Start(ctx context.Context) error {
	hub := reload.FromContext(ctx)
	ctx, k.stop = context.WithCancel(context.WithoutCancel(ctx))
	err := k.start(ctx)
	if err != nil {
		return errors.Join(err, k.Close())
	}
	leave := hub.Subscribe(func(_ context.Context, asked bool) { k.reload(asked) })
	k.work.Go(func() {
		defer leave()
		k.run(ctx)
	})
	return nil
}

func (k *Keeper) start(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = false
	if err := k.state.read(k.cfg.StateFile); err != nil {
		return err
	}
	if err := k.takeCommands(ctx); err != nil {
		return err
	}
	return k.load(time.Now())
}

// Close lets go of everything. What outlives the agent stays in force, unless the configuration says otherwise.
func (k *Keeper) Close() error {
	if k.stop == nil {
		return nil
	}
	k.stop()
	k.mu.Lock()
	opened := k.enforcer
	k.enforcer, k.closed = nil, true
	release := k.cfg.ReleaseOnStop || k.nothing(k.current)
	k.mu.Unlock()
	var err error
	switch {
	case opened == nil:
	case release:
		err = opened.Release()
	default:
		err = opened.Close()
	}
	k.work.Wait()
	return err
}

// nothing tells whether there is nothing to be kept in force.
func (k *Keeper) nothing(g *generation) bool {
	return len(g.written.Policies)+len(k.blocked) == 0
}

func (k *Keeper) run(ctx context.Context) {
	every := time.NewTicker(tick)
	defer every.Stop()
	status := time.NewTicker(statusEvery)
	defer status.Stop()
	var changed <-chan time.Time
	if k.cfg.ReloadInterval > 0 {
		ticker := time.NewTicker(k.cfg.ReloadInterval)
		defer ticker.Stop()
		changed = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-every.C:
			k.endTrials(now)
			k.endUnlocking(now)
			k.tellChanges()
		case <-changed:
			k.reload(false)
		case <-status.C:
			k.tell()
		}
	}
}

// reload reads the policies anew, where asked to or where a file has changed.
func (k *Keeper) reload(asked bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || !asked && !k.changed() {
		return
	}
	if err := k.load(time.Now()); err != nil {
		k.cfg.Logger.Error("Policies were not read anew; those from before stay in force", zap.Error(err))
		k.failure = &policystatus.Failure{Time: time.Now().UTC(), Error: err.Error()}
		k.cfg.Loaded(Loaded{Generation: k.current.number, At: k.current.since, InForce: len(k.current.byName), Refused: len(k.current.refused), Failed: true})
		k.writeStatus()
	}
}

// programsOf stands for the state of the programs that policies name: one that is replaced, as by an update, is another file.
func (k *Keeper) programsOf(set *policy.Set) string {
	var places []string
	for _, p := range set.Policies {
		for _, r := range p.Rules {
			for _, s := range slices.Concat(r.Allow, r.Who) {
				if s.Executable.Kind != 0 {
					places = append(places, k.host.Glob(s.Executable)...)
				}
			}
			if r.Processes != nil {
				for _, e := range r.Processes.Executables {
					places = append(places, k.host.Glob(e)...)
				}
			}
		}
	}
	return reload.Fingerprint(places)
}

func (k *Keeper) changed() bool {
	return reload.Fingerprint(k.cfg.Directories) != k.found || k.programsOf(k.current.written) != k.programs
}

// load reads the policies and puts them in force. On an error those that are in force stay.
func (k *Keeper) load(at time.Time) error {
	k.found = reload.Fingerprint(k.cfg.Directories) // what changes meanwhile is seen the next time
	set, problems := k.read()
	if broken := newProblems(k.current.refused, problems); k.current.number > 0 && len(broken) > 0 {
		return fmt.Errorf("these policies are refused now:\n%w", errors.Join(broken...))
	}
	next := &generation{since: at, written: set, byName: map[string]*policy.Policy{}, refused: texts(problems)}
	for _, p := range set.Policies {
		next.byName[p.Name] = p
	}
	programs := k.programsOf(set)
	if err := k.enforce(next, at); err != nil {
		return err
	}
	k.programs = programs
	k.announce(problems)
	return nil
}

// read gives the policies that are good, and what is wrong with the others.
func (k *Keeper) read() (*policy.Set, []error) {
	var places []string
	for _, place := range k.cfg.Directories {
		if _, err := os.Stat(place); !errors.Is(err, fs.ErrNotExist) {
			places = append(places, place)
		}
	}
	set, err := policy.Load(places...)
	var problems []error
	var errs policy.Errors
	if errors.As(err, &errs) {
		problems = append(problems, errs.Unwrap()...)
	}
	for _, p := range set.Policies {
		if mode, ok := k.cfg.Modes[p.Name]; ok {
			override(p, mode)
		}
	}
	refused := map[string]bool{}
	for _, f := range policy.Check(set, k.host) {
		if f.Refused {
			refused[f.Policy] = true
			problems = append(problems, &policy.Error{Position: f.Position, Msg: f.Message})
		}
	}
	set.Policies = slices.DeleteFunc(set.Policies, func(p *policy.Policy) bool { return refused[p.Name] })
	return set, problems
}

func override(p *policy.Policy, mode policy.Mode) {
	p.Mode = mode
	for _, r := range p.Rules {
		r.Mode = ""
	}
}

// newProblems are those that the policies in force do not have. A policy that was good and is broken by a change must not go away
// unnoticed; one that has been broken all along keeps nobody from changing the others.
func newProblems(before []string, now []error) []error {
	return slices.DeleteFunc(slices.Clone(now), func(err error) bool { return slices.Contains(before, err.Error()) })
}

func texts(problems []error) []string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Error())
	}
	return all
}

// enforce puts a generation in force, with the modes that trials and the operator leave it.
func (k *Keeper) enforce(next *generation, at time.Time) error {
	if k.closed {
		return enforce.ErrClosed
	}
	if k.enforcer == nil {
		if k.nothing(next) {
			k.current = next // nothing is to be kept in force, so nothing is touched
			return k.cfg.Release()
		}
		if err := k.open(); err != nil {
			return err
		}
	}
	trials := k.state.trials(next.written, at)
	next.reverted, next.deadline = trials.reverted, trials.deadline
	set := effective(next.written, next.reverted)
	for _, p := range set.Policies {
		if !next.deadline[p.Name].IsZero() && !next.reverted[p.Name] {
			endTrialAlone(p)
		}
	}
	if len(k.blocked) > 0 {
		set.Policies = append(set.Policies, blocking(k.blocked))
	}
	if err := k.protect(set, at); err != nil {
		return err
	}
	if err := k.enforcer.Load(set); err != nil {
		return err
	}
	next.number = k.enforcer.Status().Generation
	k.current, k.failure = next, nil
	return k.state.write(k.cfg.StateFile)
}

func (k *Keeper) open() error {
	opened, how, err := k.cfg.Open()
	if err != nil {
		return fmt.Errorf("policies cannot be kept in force on this host: %w", err)
	}
	if err := opened.AuditOnly(k.cfg.AuditOnly || k.state.Panic); err != nil {
		return errors.Join(err, opened.Close())
	}
	k.enforcer, k.how = opened, how
	if err := k.passLock(); err != nil {
		k.enforcer, k.how = nil, ""
		return errors.Join(err, opened.Close())
	}
	k.work.Go(func() { k.hand(opened) })
	return nil
}

// hand hands on verdicts until the enforcer is closed.
func (k *Keeper) hand(from enforce.Enforcer) {
	for {
		v, err := from.Next(context.Background())
		if err != nil {
			if !errors.Is(err, enforce.ErrClosed) {
				k.cfg.Logger.Error("What policies forbid is not told of any more", zap.Error(err))
			}
			return
		}
		k.mu.Lock()
		out := k.explain(v)
		k.mu.Unlock()
		k.cfg.Told(out)
	}
}

// explain adds what the policy says. One that is just gone says no more.
func (k *Keeper) explain(v enforce.Verdict) Verdict {
	out := Verdict{Verdict: v, Severity: policy.High, RuleMode: v.Mode, Generation: k.current.number}
	p := k.current.byName[v.Policy]
	if v.Policy == BlockedPolicy {
		p = blocking(k.blocked)
	}
	if v.Policy == ProtectionPolicy {
		p = k.protection
	}
	if p == nil {
		return out
	}
	out.Severity, out.Attack, out.Description = p.Severity, p.Attack, p.Description
	if k.cfg.AuditOnly || k.state.Panic || k.current.reverted[p.Name] {
		return out
	}
	for _, r := range p.Rules {
		if r.Name == v.Rule {
			out.RuleMode = p.ModeOf(r)
		}
	}
	return out
}

// endTrialAlone lets the kernel end the trial of a policy, which effective made, where no agent is there to do so.
func endTrialAlone(p *policy.Policy) {
	if p.OnAgentLoss == policy.KeepOnLoss || p.LossAfter > p.Confirm {
		p.OnAgentLoss, p.LossAfter = policy.AuditOnLoss, p.Confirm
	}
}

// effective gives the set with the policies whose trial nobody confirmed in audit.
func effective(set *policy.Set, reverted map[string]bool) *policy.Set {
	out := &policy.Set{}
	for _, p := range set.Policies {
		q := *p
		if reverted[p.Name] {
			q.Rules = nil
			for _, r := range p.Rules {
				rule := *r
				q.Rules = append(q.Rules, &rule)
			}
			override(&q, policy.Audit)
		}
		out.Policies = append(out.Policies, &q)
	}
	return out
}

// endTrials takes the policies whose time is up back to audit.
func (k *Keeper) endTrials(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, deadline := range k.current.deadline {
		if now.Before(deadline) || k.current.reverted[name] {
			continue
		}
		k.cfg.Logger.Warn("Nobody confirmed the policy: it only reports from now on", zap.String("policy", name),
			zap.String("remedy", "vedette policy confirm "+name))
		if err := k.again(now); err != nil {
			k.cfg.Logger.Error("The policy could not be taken back to audit", zap.String("policy", name), zap.Error(err))
		}
		return
	}
}

// again puts the policies in force as they were read, with the modes of now.
func (k *Keeper) again(now time.Time) error {
	next := *k.current
	next.since = now
	if err := k.enforce(&next, now); err != nil {
		return err
	}
	k.writeStatus()
	return nil
}
