// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/judge"
	"github.com/vedette-sec/vedette/internal/recording"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/correlation"
	"github.com/vedette-sec/vedette/processor/detectionprocessor"
)

// rules measures the rules engine in the processor, with as many rules as people have, and correlations.
func rules(ctx context.Context, b *bench) (results, error) {
	public, err := publicRules(b.root)
	if err != nil {
		return nil, err
	}
	sample, err := b.everyday()
	if err != nil {
		return nil, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	found := results{}
	directories := map[int]string{}
	for _, n := range []int{250, 2500, 3000} {
		if directories[n], err = b.writeRules(public, n); err != nil {
			return nil, err
		}
	}
	for range b.rounds {
		few, err := b.judgedPerSecond(ctx, directories[250], sample)
		if err != nil {
			return nil, err
		}
		many, err := b.judgedPerSecond(ctx, directories[2500], sample)
		if err != nil {
			return nil, err
		}
		found.add("rules_few", few)
		found.add("rules_many", many)
		found.add("rules_tenfold", few/many)
		load, err := loadTime(directories[3000])
		if err != nil {
			return nil, err
		}
		found.add("rules_load", load)
		b.correlations(found)
	}
	nothing, matches, err := judgeAll(directories[2500], sample)
	if err != nil {
		return nil, err
	}
	found.add("rules_allocations", nothing)
	found.note("rules_many", "the sample has %s matches", thousands(int64(matches)))
	found.note("rules_few", "the sample is %s", describe(sample))
	return found, nil
}

// oneIn is how many batches of the recording there are for one of the sample.
const oneIn = 64

// everyday is a part of the recording of everyday work, spread over its two hours.
func (b *bench) everyday() (sample []plog.Logs, err error) {
	reader, err := recording.Open(filepath.Join(b.root, "test", "recording", "testdata", "everyday.otlp.zst"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	number, names := 0, sharedNames{}
	for logs, err := range reader.All() {
		if err != nil {
			return nil, err
		}
		if number++; number%oneIn == 0 {
			sample = append(sample, names.shared(logs))
		}
	}
	return sample, nil
}

// sharedNames has each name of an attribute once, as the receiver does, which writes constants.
type sharedNames map[string]string

func (s sharedNames) shared(logs plog.Logs) plog.Logs {
	forEach(logs, func(_ plog.ResourceLogs, record plog.LogRecord) {
		attributes := pcommon.NewMap()
		attributes.EnsureCapacity(record.Attributes().Len())
		for name, value := range record.Attributes().All() {
			if s[name] == "" {
				s[name] = name
			}
			value.MoveTo(attributes.PutEmpty(s[name]))
		}
		attributes.MoveTo(record.Attributes())
	})
	return logs
}

// writeRules puts a number of rules into a directory of their own: the public ones and varied copies.
func (b *bench) writeRules(public []ruleText, n int) (string, error) {
	many, err := manyRules(public, n)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(b.dir, "rules")
	if err != nil {
		return "", err
	}
	for i, r := range many {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.yml", i)), []byte(r.Text), 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// judgedPerSecond is from plog.Logs in to plog.Logs out.
func (b *bench) judgedPerSecond(ctx context.Context, dir string, sample []plog.Logs) (speed float64, err error) {
	p, err := startRules(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Shutdown(ctx)) }()
	return b.recordsPerSecond(ctx, sample, func(logs plog.Logs) error { return p.ConsumeLogs(ctx, logs) })
}

func startRules(ctx context.Context, dir string) (processor.Logs, error) {
	factory := detectionprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig().(*detectionprocessor.Config)
	cfg.StatusFile = ""
	cfg.Rules.Builtin, cfg.Rules.Directories, cfg.Rules.ReloadInterval = false, []string{dir}, 0
	p, err := factory.CreateLogs(ctx, processortest.NewNopSettings(factory.Type()), cfg, consumertest.NewNop())
	if err != nil {
		return nil, fmt.Errorf("create the processor: %w", err)
	}
	if err := p.Start(ctx, componenttest.NewNopHost()); err != nil {
		return nil, fmt.Errorf("start the processor: %w", err)
	}
	return p, nil
}

func loadTime(dir string) (float64, error) {
	start := usage(unix.RUSAGE_SELF)
	set, err := ruleset.Load(ruleset.Config{Directories: []string{dir}})
	if err != nil {
		return 0, err
	}
	judge.New(set.Rules, func(*ruleset.Rule) []string { return nil })
	return (usage(unix.RUSAGE_SELF) - start).Seconds(), nil
}

// judgeAll counts what is allocated to judge a record that no rule matches, and the matches of the others.
func judgeAll(dir string, sample []plog.Logs) (allocations float64, matches int, err error) {
	set, err := ruleset.Load(ruleset.Config{Directories: []string{dir}})
	if err != nil {
		return 0, 0, err
	}
	r := judge.New(set.Rules, func(*ruleset.Rule) []string { return nil }).Acquire()
	defer r.Release()
	var quiet []plog.LogRecord
	none := pcommon.NewMap()
	for _, logs := range sample {
		forEach(logs, func(_ plog.ResourceLogs, record plog.LogRecord) {
			n := len(r.Matches(record, none))
			if matches += n; n == 0 {
				quiet = append(quiet, record)
			}
		})
	}
	if len(quiet) == 0 {
		return 0, 0, errors.New("every record of the sample matches a rule")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, record := range quiet {
		r.Matches(record, none)
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(len(quiet)), matches, nil
}

const correlated = `title: R
name: r
logsource: {category: process_creation}
detection: {s: {F: x}, condition: s}
---
title: Many
correlation: {type: event_count, rules: [r], group-by: [User], timespan: 10m, condition: {gte: 10}}
`

// user is an event of one user.
type user [1]any

func (u *user) Lookup(string) ([]any, bool) { return u[:], true }

const correlationGroups = 100_000

// correlations tells matches of a rule to a correlator, of a thousand users and then of a hundred thousand.
func (b *bench) correlations(found results) {
	read, _ := sigma.Parse("bench.yml", []byte(correlated))
	resolved, _ := read.Resolve()
	names := make([]any, correlationGroups)
	for i := range names {
		names[i] = fmt.Sprintf("user-%d", i)
	}
	c, _ := correlation.New(resolved.Correlations, correlation.Limits{}, nil)
	at := time.Unix(1_700_000_000, 0)
	observe := func(i, groups int) {
		ev := user{names[i%groups]}
		var id correlation.EventID
		binary.LittleEndian.PutUint64(id[:], uint64(i))
		c.Observe(resolved.Rules[0], at.Add(time.Duration(i)*time.Millisecond), &ev, id)
	}
	length := b.length(time.Second)
	start, used, n := time.Now(), usage(unix.RUSAGE_SELF), 0
	for ; time.Since(start) < length; n++ {
		for range 1000 {
			observe(n, 1000)
			n++
		}
	}
	found.add("correlation", float64(n)/(usage(unix.RUSAGE_SELF)-used).Seconds())

	c = nil
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c, _ = correlation.New(resolved.Correlations, correlation.Limits{MaxGroups: correlationGroups, MaxBytes: 1 << 30}, nil)
	for i := range correlationGroups * 3 {
		observe(i, correlationGroups)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	found.add("correlation_groups", float64(after.HeapAlloc-before.HeapAlloc)/(1<<20))
	runtime.KeepAlive(c)
}

// publicRules reads the Sigma project's rules for Linux, which are not part of this repository.
func publicRules(root string) ([]ruleText, error) {
	dir, err := publicDirectory(root)
	if err != nil {
		return nil, err
	}
	return readRules(dir, "")
}
