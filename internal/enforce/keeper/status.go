// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/policystatus"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// announce logs and hands on what became of the policies.
func (k *Keeper) announce(problems []error) {
	for _, err := range problems {
		k.cfg.Logger.Error("Policy refused", zap.Error(err))
	}
	enforcing := 0
	for name, p := range k.current.byName {
		if enforces(p) && !k.current.reverted[name] {
			enforcing++
		}
	}
	if k.current.number > 0 || len(problems) > 0 {
		k.cfg.Logger.Info("Policies loaded", zap.Uint64("generation", k.current.number), zap.Int("policies", len(k.current.byName)),
			zap.Int("enforcing", enforcing), zap.Int("refused", len(k.current.refused)), zap.String("mechanism", k.how))
	}
	k.cfg.Loaded(Loaded{Generation: k.current.number, At: k.current.since, InForce: len(k.current.byName), Refused: len(k.current.refused)})
	k.writeStatus()
}

// tell writes the status and hands on what was counted.
func (k *Keeper) tell() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed {
		k.writeStatus()
	}
}

// tellChanges writes the status where something was forbidden since it was written.
func (k *Keeper) tellChanges() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.enforcer == nil {
		return
	}
	var sum uint64
	for _, r := range k.enforcer.Status().Rules {
		sum += r.Denied + r.Audited + r.Lost
	}
	if sum != k.told {
		k.told = sum
		k.writeStatus()
	}
}

// writeStatus tells `vedette policy status` what is in force.
func (k *Keeper) writeStatus() {
	status := k.status(time.Now())
	var counted []Counted
	for _, p := range status.Policies {
		for _, r := range p.Rules {
			counted = append(counted, Counted{p.Name, r.Name, r.Denied, r.Audited, r.Folded, r.Lost})
		}
	}
	k.cfg.Counts(counted, status.Lost)
	if k.cfg.StatusFile == "" {
		return
	}
	if err := status.Write(k.cfg.StatusFile); err != nil && !k.unheard {
		k.unheard = true
		k.cfg.Logger.Warn("The status of the policies cannot be written", zap.Error(err))
	}
}

func (k *Keeper) status(now time.Time) *policystatus.Status {
	s := &policystatus.Status{
		Extension: k.cfg.Extension, PID: os.Getpid(), Socket: k.cfg.Socket, Written: now.UTC(), Mechanism: k.how,
		Generation: k.current.number, Since: k.current.since.UTC(), Panic: k.cfg.AuditOnly || k.state.Panic,
		Failure: k.failure, Refused: k.current.refused, Policies: []policystatus.Policy{},
	}
	if k.enforcer == nil {
		return s
	}
	inForce := k.enforcer.Status()
	s.Lost, s.Missing = inForce.Lost, inForce.Missing
	s.Protected, s.Locked, s.Unlocked = k.protection != nil, k.state.Lock != "", k.unlocked.UTC()
	if k.unlocked.IsZero() {
		s.Unlocked = time.Time{}
	}
	rules := map[[2]string]enforce.RuleStatus{}
	for _, r := range inForce.Rules {
		rules[[2]string{r.Policy, r.Rule}] = r
	}
	for _, p := range effective(k.current.written, k.current.reverted).Policies {
		s.Policies = append(s.Policies, k.policyStatus(p, rules))
	}
	return s
}

func (k *Keeper) policyStatus(p *policy.Policy, rules map[[2]string]enforce.RuleStatus) policystatus.Policy {
	out := policystatus.Policy{
		Name: p.Name, File: p.Position.File, Line: p.Position.Line, Severity: p.Severity,
		Confirm: k.current.deadline[p.Name].UTC(), Reverted: k.current.reverted[p.Name],
	}
	if out.Reverted || k.current.deadline[p.Name].IsZero() {
		out.Confirm = time.Time{}
	}
	for _, r := range p.Rules {
		s := rules[[2]string{p.Name, r.Name}]
		rule := policystatus.Rule{
			Name: r.Name, Mode: p.ModeOf(r), Operations: r.Operations().String(), Strength: s.Strength,
			Denied: s.Denied, Audited: s.Audited, Folded: s.Folded, Lost: s.Lost,
		}
		for _, weak := range s.Weaker {
			rule.Weaker = append(rule.Weaker, policystatus.Weak{Operations: weak.Operation.String(), Strength: weak.Strength, Reason: weak.Reason})
		}
		out.Rules = append(out.Rules, rule)
	}
	return out
}
