// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/fileevent"
	"github.com/vedette-sec/vedette/internal/hostid"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/sensor"
	"github.com/vedette-sec/vedette/internal/users"
	"github.com/vedette-sec/vedette/receiver/ebpfreceiver/internal/metadata"
)

type ebpfReceiver struct {
	config    *Config
	logger    *zap.Logger
	next      consumer.Logs
	telemetry *metadata.TelemetryBuilder

	sensor  *sensor.Sensor
	table   *process.Table
	boot    time.Time
	builder *logBuilder
	losses  lossCounter
	reads   *readWatch        // nil where nobody asked for file.access
	news    *fileevent.Source // nil where not all that happens to files is seen, or there is no hub

	verdicts <-chan enforcement.Verdict // nil without an extension that enforces
	waiting  *enforcement.Verdict       // the next one, when it was taken before it was due
	heard    uint64                     // the time since boot in ns until which the kernel's reports were handled
	leave    func()

	stop chan struct{}
	done sync.WaitGroup
}

func newReceiver(config *Config, set receiver.Settings, next consumer.Logs) (*ebpfReceiver, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("create the receiver's metrics: %w", err)
	}
	return &ebpfReceiver{config: config, logger: set.Logger, next: next, telemetry: telemetry}, nil
}

// Start loads the kernel programs, learns of the processes that run already and begins to read.
func (r *ebpfReceiver) Start(ctx context.Context, others component.Host) error {
	if err := r.open(ctx, others); err != nil {
		return err
	}
	r.follow()
	return nil
}

func (r *ebpfReceiver) open(ctx context.Context, others component.Host) error {
	host, err := hostid.Read()
	if err != nil {
		return err
	}
	if r.sensor, err = sensor.Open(sensorOptions(r.config)); err != nil {
		return startError(err)
	}
	r.tellTiers()
	r.reads = nil
	if slices.Contains(r.config.Events, event.KindFileAccess) {
		r.reads = newReadWatch(r.config.WatchReads)
		r.watchReads(time.Now())
	}
	proc := process.ProcFS{Root: "/proc"}
	r.boot = bootTime()
	r.table = process.NewTable(proc, host.BootID, r.boot)
	r.losses = lossCounter{}
	r.builder = newLogBuilder(r.config.Events, host, users.New("/etc/passwd", time.Now))
	pids, err := proc.List()
	if err != nil {
		return errors.Join(err, r.closeSensor())
	}
	r.table.Backfill(pids)
	r.subscribe(others)
	r.news = nil
	if seesFiles(r.sensor.Tiers()) {
		r.news = fileevent.FromContext(ctx).Open()
	}
	// What the programs were loaded from is several times what is kept, and no longer needed.
	debug.FreeOSMemory()
	return nil
}

// follow begins to read.
func (r *ebpfReceiver) follow() {
	r.stop = make(chan struct{})
	r.done.Add(1)
	go r.run()
}

// watchReads tells the kernel anew which files are watched, where it is time to.
func (r *ebpfReceiver) watchReads(now time.Time) {
	if r.reads == nil || !r.reads.due(now) {
		return
	}
	files, err := r.reads.resolve(now)
	if err == nil {
		err = r.sensor.WatchReads(files)
	}
	if err != nil {
		r.logger.Error("Not all reads that are to be watched can be", zap.Error(err))
	}
}

// tellTiers says in one line what is watched how; every kind that is not watched has its own.
func (r *ebpfReceiver) tellTiers() {
	byTier := map[string][]string{}
	for _, t := range r.sensor.Tiers() {
		if t.Err != nil {
			r.logger.Error("No way to hook the kernel serves this event; it will not be seen",
				zap.String("event", kindNames[t.Kind]), zap.Error(t.Err))
			continue
		}
		if t.Absent != "" {
			r.logger.Info("This event cannot happen", zap.String("event", kindNames[t.Kind]), zap.String("reason", t.Absent))
			continue
		}
		byTier[t.Tier.String()] = append(byTier[t.Tier.String()], kindNames[t.Kind])
	}
	r.logger.Info("Watching the kernel", zap.Any("tiers", byTier))
}

func startError(err error) error {
	if errors.Is(err, os.ErrPermission) && os.Geteuid() != 0 {
		return errors.New("the ebpf receiver needs root, or the capabilities CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and CAP_SYS_RESOURCE")
	}
	return fmt.Errorf("load the kernel programs: %w", err)
}

// needed are the further kinds whose records the process table and the derived events live on.
var needed = map[string][]sensor.Kind{
	event.KindProcessRemoteStdio: {sensor.KindConnect, sensor.KindAccept},
}

func sensorOptions(config *Config) sensor.Options {
	opts := sensor.Options{
		Kinds:        []sensor.Kind{sensor.KindFork, sensor.KindExec, sensor.KindExit},
		Force:        map[sensor.Kind]sensor.Tier{},
		ProcessRing:  uint32(config.ProcessRingSize),
		ActivityRing: uint32(config.ActivityRingSize),
	}
	for _, name := range config.Events {
		kind, _ := kindOf(name) // Validate has seen the name
		for _, kind := range append([]sensor.Kind{kind}, needed[name]...) {
			if !slices.Contains(opts.Kinds, kind) {
				opts.Kinds = append(opts.Kinds, kind)
			}
		}
	}
	for name, tierName := range config.Tiers {
		kind, _ := kindOf(name)
		tier, _ := sensor.ParseTier(tierName) // Validate has seen both
		opts.Force[kind] = tier
	}
	return opts
}

// bootTime is the wall clock's view of when the boot clock was zero. Of several readings the one that
// was not interrupted between the two clocks counts.
func bootTime() time.Time {
	var best time.Time
	least := time.Duration(1<<63 - 1)
	for range 3 {
		before := bootClock()
		now := time.Now()
		if took := bootClock() - before; took < least {
			// Without its monotonic part, so that the difference of two is that of the wall clock.
			best, least = now.Round(0).Add(-before), took
		}
	}
	return best
}

func bootClock() time.Duration {
	var boot unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) // cannot fail with a known clock
	return time.Duration(boot.Nano())
}

// clockSet is the least change that counts as a wall clock that was set. What is smaller comes from the
// reading, and would put events of one batch before those of the last.
const clockSet = 10 * time.Millisecond

// Shutdown detaches the programs after handing on everything they have reported.
func (r *ebpfReceiver) Shutdown(context.Context) error {
	if r.stop != nil {
		close(r.stop)
		r.done.Wait()
		r.stop = nil
	}
	return r.closeSensor()
}

func (r *ebpfReceiver) closeSensor() error {
	if r.sensor == nil {
		return nil
	}
	err := r.sensor.Close()
	r.sensor = nil
	return err
}

func (r *ebpfReceiver) run() {
	defer r.done.Done()
	interval := r.config.PollInterval
	timer := time.NewTimer(interval)
	defer timer.Stop()
	// What was there before the receiver is told first: a remote shell may be open already.
	r.begin()
	r.builder.remoteStdios(time.Now(), r.table.TakeRemoteStdio())
	r.send()
	var batch sensor.Batch
	for {
		select {
		case <-r.stop:
			r.drain(&batch)
			r.news.Close()
			r.heard = ^uint64(0)
			r.tellVerdicts()
			r.leave()
			return
		case <-timer.C:
			r.cycle(&batch, r.sensor.Read)
			r.tellVerdicts()
			r.watchReads(time.Now())
			interval = r.nextPoll(interval, len(batch.Records) == 0 && r.waiting == nil)
			timer.Reset(interval)
		}
	}
}

// maxIdleFactor is how much longer than configured the receiver waits while nothing happens: a quiet
// host costs less, and the rings hold far more than what begins in that time.
const maxIdleFactor = 5

// nextPoll stretches the interval step by step while nothing happens.
func (r *ebpfReceiver) nextPoll(interval time.Duration, idle bool) time.Duration {
	if !idle {
		return r.config.PollInterval
	}
	return min(interval+r.config.PollInterval, maxIdleFactor*r.config.PollInterval)
}

// maxDrains bounds how often the rings are read at the end.
const maxDrains = 32

// drain hands on what has happened until now. One call does not take all from a ring that holds much, and a busy host goes on
// filling it meanwhile.
func (r *ebpfReceiver) drain(batch *sensor.Batch) {
	now := uint64(bootClock())
	for range maxDrains {
		r.cycle(batch, r.sensor.Drain)
		if r.heard >= now {
			break
		}
	}
	r.countLosses()
}

// cycle hands on what the kernel has reported since the last one.
func (r *ebpfReceiver) cycle(batch *sensor.Batch, read func(*sensor.Batch) (int, error)) {
	before := bootClock() - sensor.Settle
	malformed, err := read(batch)
	r.heard = batch.Until
	if err != nil {
		r.heard = uint64(before) // what cannot be read is not waited for
		r.logger.Error("Cannot read what the kernel reports", zap.Error(err))
		r.news.Lost()
		return
	}
	r.losses.add("", "malformed", uint64(malformed))
	if len(batch.Records) == 0 {
		r.settle(uint64(before))
		return
	}
	r.begin()
	for _, record := range batch.Records {
		if err := r.handle(record); err != nil {
			r.losses.add("", "malformed", 1)
			continue
		}
		if r.builder.full() {
			r.send()
		}
	}
	r.send()
	last := batch.Records[len(batch.Records)-1].Head().Time
	r.table.Forget(last)
	r.telemetry.ReceiverEbpfProcesses.Record(context.Background(), int64(r.table.Len()))
}

// settle tells what has become certain while nothing happened. All records of before now were handled.
func (r *ebpfReceiver) settle(now uint64) {
	r.table.Settle(now)
	if remote := r.table.TakeRemoteStdio(); len(remote) > 0 {
		r.begin()
		r.builder.remoteStdios(r.table.Time(now), remote)
		r.send()
	}
}

// begin makes the clocks and the loss counters right for the records that follow.
func (r *ebpfReceiver) begin() {
	if boot := bootTime(); boot.Sub(r.boot).Abs() > clockSet {
		r.boot = boot
		r.table.SetBoot(boot)
	}
	r.countLosses()
	r.builder.begin(time.Now(), r.losses.total)
}

func (r *ebpfReceiver) send() {
	logs, counts := r.builder.take()
	if len(counts) == 0 {
		return
	}
	ctx := context.Background()
	if err := r.next.ConsumeLogs(ctx, logs); err != nil {
		n := 0
		for _, count := range counts {
			n += count
		}
		r.losses.add("", "refused", uint64(n))
		r.logger.Error("The pipeline refused events; they are lost", zap.Int("events", n), zap.Error(err))
		return
	}
	for kind, n := range counts {
		r.telemetry.ReceiverEbpfEvents.Add(ctx, int64(n), metric.WithAttributes(attribute.String("kind", kind)))
	}
}

func (r *ebpfReceiver) countLosses() {
	kernel, err := r.sensor.Losses()
	if err != nil {
		r.logger.Error("Cannot read how many events were lost", zap.Error(err))
		r.news.Lost()
		return
	}
	for _, loss := range kernel {
		r.losses.set(kindNames[loss.Kind], loss.Cause, loss.Count)
	}
	for _, change := range r.losses.changes() {
		if concernsFiles(change.loss) {
			r.news.Lost()
		}
		r.telemetry.ReceiverEbpfEventsLost.Add(context.Background(), int64(change.count), metric.WithAttributes(
			attribute.String("kind", change.kind), attribute.String("cause", change.cause)))
		r.logger.Warn("Events were lost", zap.String("kind", change.kind), zap.String("cause", change.cause), zap.Uint64("events", change.count))
	}
}
