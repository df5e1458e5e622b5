// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/processor/detectionprocessor"
)

// detection measures the judgement of log records by the built-in rules.
func detection(ctx context.Context, b *bench) (results, error) {
	sample, err := b.sample(ctx)
	if err != nil {
		return nil, err
	}
	alerts := 0
	p, err := startDetection(ctx, &alerts)
	if err != nil {
		return nil, err
	}
	found := results{}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range b.rounds {
		speed, err := b.recordsPerSecond(ctx, sample, func(logs plog.Logs) error { return p.ConsumeLogs(ctx, logs) })
		if err != nil {
			return nil, err
		}
		found.add("detection", speed)
	}
	found.note("detection", "the sample is %s", describe(sample))
	return found, p.Shutdown(ctx)
}

// startDetection starts the processor with its default configuration, which is the shipped one, but without a status file.
func startDetection(ctx context.Context, alerts *int) (processor.Logs, error) {
	next, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error {
		*alerts += logs.LogRecordCount()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("make the consumer: %w", err)
	}
	factory := detectionprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig().(*detectionprocessor.Config)
	cfg.StatusFile = "" // that of an agent on this host is not ours
	p, err := factory.CreateLogs(ctx, processortest.NewNopSettings(factory.Type()), cfg, next)
	if err != nil {
		return nil, fmt.Errorf("create the processor: %w", err)
	}
	if err := p.Start(ctx, componenttest.NewNopHost()); err != nil {
		return nil, fmt.Errorf("start the processor: %w", err)
	}
	return p, nil
}

// recordsPerSecond hands the sample on again and again and gives the records for each second of CPU
// time, so that what others do on the machine counts less. Each batch is read before, because a batch that
// the receiver has just made is in the processor's caches; what that takes is measured too and taken off.
func (b *bench) recordsPerSecond(ctx context.Context, sample []plog.Logs, consume func(plog.Logs) error) (float64, error) {
	length := b.length(time.Second)
	records, rounds := 0, 0
	runtime.GC() // what was measured before leaves nothing to be cleared away here
	start, used := time.Now(), usage(unix.RUSAGE_SELF)
	for ; time.Since(start) < length && ctx.Err() == nil; rounds++ {
		for _, logs := range sample {
			read(logs)
			if err := consume(logs); err != nil {
				return 0, err
			}
			records += logs.LogRecordCount()
		}
	}
	used = usage(unix.RUSAGE_SELF) - used
	reading := usage(unix.RUSAGE_SELF)
	for range rounds {
		for _, logs := range sample {
			read(logs)
		}
	}
	reading = usage(unix.RUSAGE_SELF) - reading
	return float64(records) / (used - reading).Seconds(), ctx.Err()
}

// read looks at all that the records of a batch hold.
func read(logs plog.Logs) (sum int) {
	forEach(logs, func(_ plog.ResourceLogs, record plog.LogRecord) {
		for name, value := range record.Attributes().All() {
			sum += len(name) + look(value)
		}
	})
	return sum
}

func look(value pcommon.Value) (sum int) {
	switch value.Type() {
	case pcommon.ValueTypeStr:
		text := value.Str()
		for i := 0; i < len(text); i += cacheLine {
			sum += int(text[i])
		}
	case pcommon.ValueTypeSlice:
		for _, element := range value.Slice().All() {
			sum += look(element)
		}
	case pcommon.ValueTypeInt:
		sum += int(value.Int())
	}
	return sum
}

// cacheLine is how many bytes a processor fetches at once.
const cacheLine = 64

// sample records what the receiver emits while the host is at work.
func (b *bench) sample(ctx context.Context) (sample []plog.Logs, err error) {
	c := &counter{keep: true}
	r, err := startReceiver(ctx, c)
	if err != nil {
		return nil, err
	}
	goProgram, err := exec.LookPath("go")
	if err != nil {
		return nil, errors.Join(cannot("there is no Go compiler to be watched"), r.Shutdown(ctx))
	}
	out, err := exec.CommandContext(ctx, "/bin/sh", "-c", realWork, "sh", b.dir, goProgram).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("the script to be watched: %w\n%s", err, out)
	}
	if err := errors.Join(err, r.Shutdown(ctx)); err != nil {
		return nil, err
	}
	if len(c.kept) == 0 {
		return nil, errors.New("the receiver emitted nothing while the host was at work")
	}
	return c.kept, nil
}

func forEach(logs plog.Logs, do func(plog.ResourceLogs, plog.LogRecord)) {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				do(resource, record)
			}
		}
	}
}

// describe says what a sample is made of.
func describe(sample []plog.Logs) string {
	counts, total := map[string]int{}, 0
	for _, logs := range sample {
		forEach(logs, func(_ plog.ResourceLogs, record plog.LogRecord) {
			counts[record.EventName()]++
			total++
		})
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %.0f %%", kind, 100*float64(counts[kind])/float64(total)))
	}
	return thousands(int64(total)) + " events: " + strings.Join(parts, ", ")
}
