// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package enforcementextension

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/extension/enforcementextension/internal/metadata"
	"github.com/vedette-sec/vedette/internal/response"
	"github.com/vedette-sec/vedette/internal/response/firewall"
	"github.com/vedette-sec/vedette/internal/response/journal"
	"github.com/vedette-sec/vedette/internal/response/target"
	"github.com/vedette-sec/vedette/internal/users"
)

// tick is how often actions that are due are ended, and how soon it is told what operators ended.
const tick = time.Second

// enforcer answers requests. Files have a queue of their own: to move a large one takes long, and what
// ends a process cannot wait.
type enforcer struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder

	results  subscribers[enforcement.Result]
	work     sync.WaitGroup
	stop     chan struct{}
	policies *policies

	telling, tellingFiles sync.Mutex // see tellingOf

	mu     sync.Mutex // guards the queues against being closed
	queue  chan enforcement.Request
	files  chan enforcement.Request
	engine *response.Engine // nil while stopped, and where there is nothing to do
}

var (
	_ enforcement.Responder = (*enforcer)(nil)
	_ enforcement.Teller    = (*enforcer)(nil)
)

func newEnforcer(cfg *Config, set extension.Settings) (*enforcer, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	e := &enforcer{cfg: cfg, logger: set.Logger, telemetry: telemetry}
	e.policies = newPolicies(cfg, set, telemetry)
	return e, nil
}

// Start takes over what an earlier agent left in force. Where nothing is enabled and nothing in force,
// it leaves no trace on the host. Responses come first, as they may block programs by a policy.
func (e *enforcer) Start(ctx context.Context, _ component.Host) error {
	e.policies.ctx = ctx
	if err := e.startResponses(); err != nil {
		return err
	}
	return e.policies.start()
}

func (e *enforcer) startResponses() error {
	directory := journalDirectory(e.cfg)
	exists, err := journal.Exists(directory)
	if err != nil {
		return fmt.Errorf("look for the journal of responses: %w", err)
	}
	if !e.cfg.Response.Enabled && !exists {
		return nil
	}
	config, err := engineConfig(e.cfg)
	if err != nil {
		return err
	}
	config.Executables = e.policies
	engine, err := response.Open(config, response.Create, true)
	if err != nil {
		return err
	}
	if err := engine.Recover(); err != nil {
		e.logger.Error("Not everything that was in force is again", zap.Error(err))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.engine, e.stop = engine, make(chan struct{})
	stop := e.stop
	e.work.Go(func() { e.endWhatIsDue(engine, stop) })
	if !e.cfg.Response.Enabled {
		return nil
	}
	e.queue = make(chan enforcement.Request, e.cfg.Response.QueueSize)
	e.files = make(chan enforcement.Request, e.cfg.Response.QueueSize)
	for _, queue := range []chan enforcement.Request{e.queue, e.files} {
		e.work.Go(func() { e.answer(engine, queue) })
	}
	e.logger.Info("Responses to alerts are enabled", zap.Strings("allow", e.cfg.Response.Allow), zap.Bool("dry_run", e.cfg.Response.DryRun))
	return nil
}

func journalDirectory(cfg *Config) string {
	return filepath.Join(cfg.StateDirectory, response.Directory)
}

func engineConfig(cfg *Config) (response.Config, error) {
	r := cfg.Response
	peers, err := prefixes("allow", r.Isolate.Allow)
	if err != nil {
		return response.Config{}, err
	}
	protected, err := prefixes("addresses", r.Protected.Addresses)
	if err != nil {
		return response.Config{}, err
	}
	config := response.Config{
		StateDirectory: journalDirectory(cfg), Vault: r.QuarantineDirectory, DryRun: r.DryRun, Peers: peers,
		Rates: map[enforcement.Action]response.Rate{
			enforcement.KillProcess: response.Rate(r.RateLimit.KillProcess), enforcement.KillTree: response.Rate(r.RateLimit.KillTree),
			enforcement.Suspend: response.Rate(r.RateLimit.Suspend), enforcement.BlockAddress: response.Rate(r.RateLimit.BlockAddress),
			enforcement.QuarantineFile: response.Rate(r.RateLimit.QuarantineFile), enforcement.BlockExecutable: response.Rate(r.RateLimit.BlockExecutable),
			enforcement.IsolateHost: response.Rate(r.RateLimit.IsolateHost),
		},
		Expiry: map[enforcement.Action]time.Duration{
			enforcement.Suspend: r.Expiry.Suspend, enforcement.BlockAddress: r.Expiry.BlockAddress,
			enforcement.BlockExecutable: r.Expiry.BlockExecutable, enforcement.IsolateHost: r.Expiry.IsolateHost,
		},
		Protection: target.Protection{
			Users: r.Protected.Users, Executables: r.Protected.Executables, PIDs: r.Protected.PIDs, Addresses: protected,
			Directories: []string{cfg.StateDirectory, r.QuarantineDirectory}, Names: users.New("/etc/passwd", time.Now),
		},
	}
	if r.Enabled {
		for _, name := range r.Allow {
			config.Allow = append(config.Allow, enforcement.Action(name))
		}
	}
	// Without a cgroup to attach to, the other actions still work; to block an address then fails.
	cgroup, _ := firewall.RootCgroup()
	config.Firewall = firewall.Firewall{Directory: firewall.DefaultDirectory, Cgroup: cgroup}
	return config, nil
}

// Shutdown answers what waits as far as the context permits. What is in force stays in force.
func (e *enforcer) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	engine := e.engine
	for _, queue := range []*chan enforcement.Request{&e.queue, &e.files} {
		if *queue != nil {
			close(*queue)
			*queue = nil
		}
	}
	if engine != nil {
		close(e.stop)
	}
	e.engine = nil
	e.mu.Unlock()

	defer e.results.close()
	err := e.finish(ctx, engine)
	return errors.Join(err, e.policies.close())
}

// finish waits for what is being answered.
func (e *enforcer) finish(ctx context.Context, engine *response.Engine) error {
	if engine == nil {
		return nil
	}
	done := make(chan struct{})
	go func() {
		e.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return engine.Close()
	case <-ctx.Done():
		// The request that is being answered ends with the process.
		return fmt.Errorf("requests to respond were not all answered: %w", ctx.Err())
	}
}

// Submit implements enforcement.Responder.
func (e *enforcer) Submit(request enforcement.Request) {
	e.mu.Lock()
	queue := e.queue
	if request.Action == enforcement.QuarantineFile {
		queue = e.files
	}
	accepted := false
	if queue != nil {
		select {
		case queue <- request:
			accepted = true
		default:
		}
	}
	e.mu.Unlock()
	switch {
	case accepted:
	case queue == nil:
		e.publish(unanswered(request, enforcement.NotAllowed, "responses are not enabled"))
	default:
		e.publish(unanswered(request, enforcement.RateLimited, fmt.Sprintf("%d requests wait already", cap(queue))))
	}
}

func unanswered(request enforcement.Request, outcome enforcement.Outcome, reason string) enforcement.Result {
	return enforcement.Result{Request: request, Step: enforcement.Apply, Outcome: outcome, Reason: reason, Time: time.Now()}
}

// Subscribe implements enforcement.Responder.
func (e *enforcer) Subscribe(buffer int) (<-chan enforcement.Result, func()) {
	return e.results.add(buffer)
}

func (e *enforcer) answer(engine *response.Engine, queue <-chan enforcement.Request) {
	for request := range queue {
		telling := e.tellingOf(request.Action)
		telling.Lock()
		e.publish(engine.Apply(request))
		telling.Unlock()
	}
}

// tellingOf is held while a request is answered and until that is told, so that what ends an action is told after it. Files have one of
// their own, as they have a queue.
func (e *enforcer) tellingOf(action enforcement.Action) *sync.Mutex {
	if action == enforcement.QuarantineFile {
		return &e.tellingFiles
	}
	return &e.telling
}

func (e *enforcer) endWhatIsDue(engine *response.Engine, stop <-chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var last string
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		results, err := engine.Tick()
		for _, result := range results {
			telling := e.tellingOf(result.Request.Action)
			telling.Lock()
			e.publish(result)
			telling.Unlock()
		}
		// What fails is tried again every time, and told once.
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != "" && text != last {
			e.logger.Error("Actions that are due were not ended", zap.Error(err))
		}
		last = text
	}
}

func (e *enforcer) publish(result enforcement.Result) {
	e.telemetry.ExtensionEnforcementResponses.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String("action", string(result.Request.Action)),
		attribute.String("step", string(result.Step)),
		attribute.String("outcome", string(result.Outcome))))
	fields := []zap.Field{
		zap.String("action", string(result.Request.Action)), zap.String("step", string(result.Step)),
		zap.String("outcome", string(result.Outcome)), zap.String("reason", result.Reason),
		zap.String("rule", result.Request.Rule.Title), zap.String("undo_id", result.UndoID),
	}
	if result.Outcome == enforcement.Failed {
		e.logger.Error("Response", fields...)
	} else {
		e.logger.Info("Response", fields...)
	}
	if lost := e.results.publish(result); lost > 0 {
		e.telemetry.ExtensionEnforcementResultsLost.Add(context.Background(), lost)
		e.logger.Warn("A subscriber did not take a result in time", zap.Int64("lost", lost))
	}
}
