// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package enforcementextension

import (
	"context"
	"errors"
	"path/filepath"
	"sync"

	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/extension/enforcementextension/internal/metadata"
	"github.com/vedette-sec/vedette/internal/enforce"
	enforcers "github.com/vedette-sec/vedette/internal/enforce/host"
	"github.com/vedette-sec/vedette/internal/enforce/keeper"
	"github.com/vedette-sec/vedette/internal/response"
)

// mostEarly is how many verdicts are kept for the first who asks for them: the receiver starts after the extension.
const mostEarly = 1024

// policies keeps policies in force and tells of verdicts.
type policies struct {
	configured bool
	pins       string
	keeper     *keeper.Keeper
	telemetry  *metadata.TelemetryBuilder
	logger     *zap.Logger

	ctx      context.Context // of Start, which knows who tells of reloads
	starting sync.Mutex
	started  bool

	mu       sync.Mutex
	asked    bool // somebody has subscribed
	early    []enforcement.Verdict
	verdicts subscribers[enforcement.Verdict]
	counted  map[[2]string]keeper.Counted
	lost     uint64
}

func newPolicies(cfg *Config, set extension.Settings, telemetry *metadata.TelemetryBuilder) *policies {
	p := &policies{configured: len(cfg.Policies.Directories) > 0, pins: cfg.Policies.Pins, telemetry: telemetry, logger: set.Logger, counted: map[[2]string]keeper.Counted{}}
	p.keeper = keeper.New(keeper.Config{
		Extension: set.ID.String(), Directories: cfg.Policies.Directories, Modes: cfg.Policies.modes(), AuditOnly: cfg.Policies.Panic != "",
		ReloadInterval: cfg.Policies.ReloadInterval, StatusFile: cfg.Policies.StatusFile, Socket: cfg.Policies.Socket,
		StateFile: filepath.Join(cfg.StateDirectory, "policies.json"),
		Open: func() (enforce.Enforcer, string, error) {
			opened, how, err := enforcers.Open(enforcers.Options{Pins: cfg.Policies.Pins, Started: started(), Skipped: p.skipped})
			return opened, string(how), err
		},
		Release: p.release, ReleaseOnStop: cfg.Policies.OnStop == releaseOnStop, Protection: protection(cfg),
		Told: p.told, Loaded: p.loaded, Counts: p.counts, Logger: set.Logger,
	})
	return p
}

// skipped says why policies are not kept in a better way.
func (p *policies) skipped(mechanism enforcers.Mechanism, err error) {
	p.logger.Info("This way to keep policies in force does not work here", zap.String("mechanism", string(mechanism)), zap.Error(err))
}

// release takes down what an earlier agent left in force, where this one has nothing to keep. What another agent keeps is none of
// its business.
func (p *policies) release() error {
	err := enforcers.Release(p.pins, started(), "")
	switch {
	case errors.Is(err, enforcers.ErrInUse):
		return nil
	case errors.Is(err, enforcers.ErrLocked):
		p.logger.Error("What an earlier agent left in force stays, and nobody is told of it", zap.Error(err))
		return nil
	}
	return err
}

// start begins to keep policies in force, unless responses made it begin already.
func (p *policies) start() error {
	if p.configured {
		return p.begin()
	}
	p.starting.Lock()
	defer p.starting.Unlock()
	if p.started {
		return nil
	}
	return p.release()
}

// begin starts the keeper, unless it was.
func (p *policies) begin() error {
	p.starting.Lock()
	defer p.starting.Unlock()
	if p.started {
		return nil
	}
	p.started = true
	return p.keeper.Start(p.ctx)
}

// Block implements response.Executables. Where nothing else is to be kept, that is begun for it. What it blocks at the start is in
// force from then on, together with the policies: what an earlier agent blocked does not pass in between.
func (p *policies) Block(executables []response.Executable) error {
	var all []keeper.Blocked
	for _, e := range executables {
		all = append(all, keeper.Blocked{ID: e.ID, Path: e.Path, Cause: e.Cause})
	}
	if err := p.keeper.Block(all); err != nil {
		return err
	}
	return p.begin()
}

func (p *policies) close() error {
	p.starting.Lock()
	defer p.starting.Unlock()
	err := p.keeper.Close()
	p.started = false
	p.verdicts.close()
	return err
}

// Verdicts implements enforcement.Teller.
func (e *enforcer) Verdicts(buffer int) (<-chan enforcement.Verdict, func()) {
	p := e.policies
	p.mu.Lock()
	defer p.mu.Unlock()
	verdicts, cancel := p.verdicts.add(max(buffer, len(p.early)))
	p.asked = true
	for _, v := range p.early {
		p.verdicts.publish(v) // to the first there is
	}
	p.early = nil
	return verdicts, cancel
}

func (p *policies) told(v keeper.Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lost := int64(0)
	switch {
	case p.asked:
		lost = p.verdicts.publish(enforcement.Verdict(v))
	case len(p.early) < mostEarly:
		p.early = append(p.early, enforcement.Verdict(v))
	default:
		lost = 1
	}
	if lost > 0 {
		p.telemetry.ExtensionEnforcementVerdictsLost.Add(context.Background(), lost)
		p.untold(v.Policy, v.Rule, "lost", uint64(lost))
	}
}

func (p *policies) loaded(l keeper.Loaded) {
	ctx := context.Background()
	if l.Failed {
		p.telemetry.ExtensionEnforcementPoliciesReloadFailures.Add(ctx, 1)
		return
	}
	for _, state := range []struct {
		name  string
		count int
	}{{"loaded", l.InForce}, {"refused", l.Refused}} {
		p.telemetry.ExtensionEnforcementPolicies.Record(ctx, int64(state.count), metric.WithAttributes(attribute.String("state", state.name)))
	}
	p.telemetry.ExtensionEnforcementPoliciesGeneration.Record(ctx, int64(l.Generation))
	p.telemetry.ExtensionEnforcementPoliciesLoadTime.Record(ctx, l.At.Unix())
}

// counts brings the metrics up to what was counted.
func (p *policies) counts(all []keeper.Counted, lost uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, now := range all {
		key := [2]string{now.Policy, now.Rule}
		before := p.counted[key]
		if now.Denied < before.Denied || now.Audited < before.Audited {
			before = keeper.Counted{} // the rule was gone meanwhile
		}
		p.count(now, "denied", now.Denied-before.Denied)
		p.count(now, "audited", now.Audited-before.Audited)
		p.untold(now.Policy, now.Rule, "folded", since(now.Folded, before.Folded))
		p.untold(now.Policy, now.Rule, "lost", since(now.Lost, before.Lost))
		p.counted[key] = now
	}
	if lost > p.lost {
		p.telemetry.ExtensionEnforcementVerdictsLost.Add(context.Background(), int64(lost-p.lost))
		p.logger.Warn("Verdicts took effect but could not be told", zap.Uint64("verdicts", lost-p.lost))
		p.lost = lost
	}
}

func (p *policies) count(of keeper.Counted, verdict string, more uint64) {
	if more > 0 {
		p.telemetry.ExtensionEnforcementVerdicts.Add(context.Background(), int64(more), metric.WithAttributes(
			attribute.String("policy", of.Policy), attribute.String("rule", of.Rule), attribute.String("verdict", verdict)))
	}
}

// since is by how much a counter has grown. One that became smaller has sent some of what it counted elsewhere.
func since(now, before uint64) uint64 { return max(now, before) - before }

func (p *policies) untold(policy, rule, reason string, more uint64) {
	if more > 0 {
		p.telemetry.ExtensionEnforcementVerdictsUntold.Add(context.Background(), int64(more), metric.WithAttributes(
			attribute.String("policy", policy), attribute.String("rule", rule), attribute.String("reason", reason)))
	}
}
