// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/receiver/ebpfreceiver"
)

// counter is the end of a pipeline. It counts log records, and keeps them where it has been told to.
type counter struct {
	mu      sync.Mutex
	records int
	lost    int64 // in all, as the receiver tells it
	keep    bool
	kept    []plog.Logs
}

func (c *counter) consume(_ context.Context, logs plog.Logs) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records += logs.LogRecordCount()
	scope := logs.ResourceLogs().At(0).ScopeLogs().At(0).Scope()
	if lost, ok := scope.Attributes().Get(event.AttrVedetteEventsLostTotal); ok {
		c.lost = lost.Int()
	}
	if c.keep {
		c.kept = append(c.kept, logs)
	}
	return nil
}

func (c *counter) read() (records int, lost int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.records, c.lost
}

// settled waits until next to nothing comes any more: others may be at work on the host.
func (c *counter) settled() (records int, lost int64) {
	const few = 2000
	before := -few
	for records, lost = c.read(); records-before >= few; records, lost = c.read() {
		before = records
		time.Sleep(150 * time.Millisecond)
	}
	return records, lost
}

// startReceiver runs the receiver with its default configuration, which is the shipped one, in this process.
func startReceiver(ctx context.Context, c *counter) (receiver.Logs, error) {
	if os.Geteuid() != 0 {
		return nil, cannot("the receiver needs root")
	}
	next, err := consumer.NewLogs(c.consume)
	if err != nil {
		return nil, fmt.Errorf("make the consumer: %w", err)
	}
	factory := ebpfreceiver.NewFactory()
	r, err := factory.CreateLogs(ctx, receivertest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig(), next)
	if err != nil {
		return nil, fmt.Errorf("create the receiver: %w", err)
	}
	if err := r.Start(ctx, componenttest.NewNopHost()); err != nil {
		return nil, fmt.Errorf("start the receiver: %w", err)
	}
	time.Sleep(300 * time.Millisecond) // it tells first of what was there before it
	return r, nil
}

// child does a workload in another process, on the last CPU, and gives how often it did it.
func (b *bench) child(ctx context.Context, workload string, extra ...string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	args := []string{workCommand, "-workload", workload, "-dir", b.dir, "-cpu", strconv.Itoa(runtime.NumCPU() - 1)}
	cmd := exec.CommandContext(ctx, self, append(args, extra...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("the workload %s: %w", workload, err)
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}

// throughput measures the way from the kernel to the log record, and what the kernel programs cost.
func throughput(ctx context.Context, b *bench) (found results, err error) {
	if runtime.NumCPU() < 2 {
		return nil, cannot("the generator of events and the receiver need a CPU each")
	}
	c := &counter{}
	r, err := startReceiver(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Shutdown(ctx)) }()
	found = results{}
	for range b.rounds {
		for name, workload := range map[string]string{"events_files": "files", "events_processes": "fork_exec"} {
			if err := b.eventsPerSecond(ctx, c, name, workload, found); err != nil {
				return nil, err
			}
		}
		if err := b.flood(ctx, c, found); err != nil {
			return nil, err
		}
	}
	return found, b.programCosts(ctx, found)
}

// eventsPerSecond counts the log records that come out and the CPU time that this process, which does
// nothing else, needs for them. The generator is another process.
func (b *bench) eventsPerSecond(ctx context.Context, c *counter, name, workload string, found results) error {
	if !b.wants(name) {
		return nil
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	before, _ := c.settled()
	used := usage(unix.RUSAGE_SELF)
	if _, err := b.child(ctx, workload, "-for", b.length(time.Second).String()); err != nil {
		return err
	}
	after, _ := c.settled()
	used = usage(unix.RUSAGE_SELF) - used
	found.add(name, float64(after-before)/used.Seconds())
	return nil
}

// flood opens a file for writing as often as one CPU can, while the receiver has the others.
func (b *bench) flood(ctx context.Context, c *counter, found results) error {
	const name = "flood_lost"
	if !b.wants(name) {
		return nil
	}
	before, lostBefore := c.settled()
	length := b.length(3 * time.Second)
	opens, err := b.child(ctx, "open_write", "-for", length.String())
	if err != nil {
		return err
	}
	c.settled()
	// Losses are told with the next events.
	if _, err := b.child(ctx, "open_write", "-ops", "1"); err != nil {
		return err
	}
	after, lostAfter := c.settled()
	came, lost := after-before, lostAfter-lostBefore
	found.add(name, 100*float64(lost)/(float64(came)+float64(lost)))
	found.note(name, "%s opens a second; of %s events %s were lost, each counted",
		number(float64(opens)/length.Seconds()), thousands(int64(came)+lost), thousands(lost))
	return nil
}

// programCost is a figure of the kernel's own statistics: the programs whose names match, during a workload.
type programCost struct {
	figure, workload string
	programs         *regexp.Regexp
}

var programCostList = []programCost{
	{"kernel_fork", "fork_exec", regexp.MustCompile(`^process_fork`)},
	{"kernel_exec", "fork_exec", regexp.MustCompile(`^process_exec`)},
	{"kernel_exit", "fork_exec", regexp.MustCompile(`^process_exit`)},
	{"kernel_open_read", "open_read", regexp.MustCompile(`open`)},
	{"kernel_open_write", "open_write", regexp.MustCompile(`open`)},
	{"kernel_connect", "connect", regexp.MustCompile(`_conn`)},
	{"kernel_send", "send", regexp.MustCompile(`^cgroup_packet|udp(v6)?_sendmsg`)},
	{"kernel_question", "question", regexp.MustCompile(`^cgroup_packet|udp(v6)?_sendmsg`)},
}

// programCosts asks the kernel how long its programs ran.
func (b *bench) programCosts(ctx context.Context, found results) error {
	var list []programCost
	for _, cost := range programCostList {
		if b.wants(cost.figure) {
			list = append(list, cost)
		}
	}
	if len(list) == 0 {
		return nil
	}
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("switch the kernel's statistics of programs on: %w", err)
	}
	defer stats.Close()
	for range b.rounds {
		for _, cost := range list {
			if err := b.programCost(ctx, cost, found); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) programCost(ctx context.Context, cost programCost, found results) error {
	w, err := workloadNamed(cost.workload)
	if err != nil {
		return err
	}
	ops := 5 * w.ops
	before, err := programTimes()
	if err != nil {
		return err
	}
	if _, err := b.child(ctx, cost.workload, "-ops", strconv.Itoa(ops)); err != nil {
		return err
	}
	after, err := programTimes()
	if err != nil {
		return err
	}
	total, names := 0.0, []string{}
	for id, now := range after {
		runs := now.runs - before[id].runs
		// A program that others ran now and then is none of the operation's.
		if cost.programs.MatchString(now.name) && runs >= uint64(ops/2) {
			total += float64(now.time-before[id].time) / float64(runs)
			names = append(names, now.name)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("no program of this process has run %d times, expected one like %s", ops, cost.programs)
	}
	found.add(cost.figure, total)
	found.note(cost.figure, "%s", strings.Join(names, " + "))
	return nil
}

type programTime struct {
	name string
	runs uint64
	time time.Duration
}

// programTimes gives how often and how long the kernel programs of this process have run.
func programTimes() (map[ebpf.ProgramID]programTime, error) {
	ids, err := ownPrograms()
	if err != nil {
		return nil, err
	}
	out := map[ebpf.ProgramID]programTime{}
	for _, id := range ids {
		program, err := ebpf.NewProgramFromID(id)
		if err != nil {
			return nil, fmt.Errorf("open the program %d: %w", id, err)
		}
		info, infoErr := program.Info()
		stats, statsErr := program.Stats()
		if err := errors.Join(infoErr, statsErr, program.Close()); err != nil {
			return nil, fmt.Errorf("ask about the program %d: %w", id, err)
		}
		out[id] = programTime{info.Name, stats.RunCount, stats.Runtime}
	}
	return out, nil
}

// ownPrograms finds the programs among this process's descriptors: others may run an agent too.
func ownPrograms() ([]ebpf.ProgramID, error) {
	infos, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		return nil, err
	}
	var ids []ebpf.ProgramID
	for _, path := range infos {
		f, err := os.Open(path)
		if err != nil {
			continue // the descriptor of the listing itself is closed by now
		}
		tag := false
		for lines := bufio.NewScanner(f); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ":")
			tag = tag || key == "prog_jited" // a link tells its program's id too, but not this
			if key == "prog_id" && tag {
				var id ebpf.ProgramID
				if _, err := fmt.Sscan(value, &id); err == nil {
					ids = append(ids, id)
				}
			}
		}
		f.Close()
	}
	return ids, nil
}
