// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/judge"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// BenchReport is what judging costs.
type BenchReport struct {
	Rules       int        `json:"rules"`
	Load        float64    `json:"load_seconds"` // to read the rules and make them ready
	Memory      int        `json:"memory_bytes"` // that the rules take, once ready
	Predicates  int        `json:"predicates"`   // different things that rules ask of values
	EveryEvent  int        `json:"every_event"`  // rules that every event of their log source is judged by
	Events      int        `json:"events"`       // different ones
	Matches     int        `json:"matches"`      // of rules and these events
	Judged      int        `json:"judged"`
	PerSecond   float64    `json:"events_per_cpu_second"`
	Nanoseconds float64    `json:"nanoseconds_per_event"`
	Allocations float64    `json:"allocations_per_event"`
	Bytes       float64    `json:"bytes_per_event"` // allocated
	MostCostly  []RuleCost `json:"most_costly"`
}

// RuleCost is what a rule costs by itself.
type RuleCost struct {
	ID          string  `json:"id,omitempty"`
	Title       string  `json:"title"`
	File        string  `json:"file"`
	Line        int     `json:"line"`
	Nanoseconds float64 `json:"nanoseconds_per_event"` // an event that it sees takes when there is no other rule
	EveryEvent  bool    `json:"every_event"`           // it needs no certain text, so every event is judged by it
	Matches     int     `json:"matches"`
}

// Bench loads rules and measures what judging by all of them costs, for about the given time, and then what each rule in the scope
// costs alone, of which it tells the most costly ones.
func Bench(load func() (*ruleset.Set, error), scope Scope, duration time.Duration, costly int) (*BenchReport, error) {
	before := heap()
	begin := cpu()
	set, err := load()
	if err != nil {
		return nil, err
	}
	all := judge.New(set.Rules, noFields)
	out := &BenchReport{Rules: len(set.Rules), Load: (cpu() - begin).Seconds(), MostCostly: []RuleCost{}}
	out.Memory = max(heap()-before, 0)
	stats := all.Stats()
	out.Predicates, out.EveryEvent = stats.Predicates, stats.Unindexed
	events := benchEvents(set)
	out.Events = len(events)
	out.measure(all, events, duration)
	for _, r := range set.Rules {
		if scope.has(r.Source) {
			out.MostCostly = append(out.MostCostly, costOf(r, events, quickRounds))
		}
	}
	out.rank(set, events, costly)
	return out, nil
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// cpu is the time that the process has computed.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// measure judges the events over and over.
func (b *BenchReport) measure(j *judge.Judge, events []plog.LogRecord, duration time.Duration) {
	record := j.Acquire()
	defer record.Release()
	resource := pcommon.NewMap()
	round := func() (matched int) {
		for _, log := range events {
			matched += len(record.Matches(log, resource))
		}
		return matched
	}
	b.Matches = round()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin, end := cpu(), time.Now().Add(duration)
	for b.Judged == 0 || time.Now().Before(end) {
		round()
		b.Judged += len(events)
	}
	spent := cpu() - begin
	runtime.ReadMemStats(&after)
	n := float64(max(b.Judged, 1))
	b.Nanoseconds = float64(spent.Nanoseconds()) / n
	b.PerSecond = n / max(spent.Seconds(), 1e-9)
	b.Allocations = float64(after.Mallocs-before.Mallocs) / n
	b.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / n
}

// How often the events are judged by one rule: by all rules briefly, and then by those that seem costly often enough that
// chance has no part in their order.
const (
	quickRounds   = 3
	carefulRounds = 20
)

// rank keeps the most costly rules.
func (b *BenchReport) rank(set *ruleset.Set, events []plog.LogRecord, costly int) {
	byCost := func(a, b RuleCost) int { return cmp.Compare(b.Nanoseconds, a.Nanoseconds) }
	slices.SortStableFunc(b.MostCostly, byCost)
	b.MostCostly = b.MostCostly[:min(len(b.MostCostly), 2*costly)]
	for i, cost := range b.MostCostly {
		for _, r := range set.Rules {
			if r.File == cost.File && r.Line == cost.Line {
				b.MostCostly[i] = costOf(r, events, carefulRounds)
			}
		}
	}
	slices.SortStableFunc(b.MostCostly, byCost)
	b.MostCostly = b.MostCostly[:min(len(b.MostCostly), costly)]
}

// costOf measures a rule alone, by the fastest of the rounds, on the events that it sees.
func costOf(r *ruleset.Rule, events []plog.LogRecord, rounds int) RuleCost {
	j := judge.New([]*ruleset.Rule{r}, noFields)
	record := j.Acquire()
	defer record.Release()
	resource := pcommon.NewMap()
	cost := RuleCost{ID: r.ID, Title: r.Title, File: r.File, Line: r.Line, EveryEvent: j.Stats().Unindexed > 0}
	var seen []plog.LogRecord
	for _, log := range events {
		cost.Matches += len(record.Matches(log, resource))
		if record.Seen() {
			seen = append(seen, log)
		}
	}
	best := time.Duration(1<<63 - 1)
	for range rounds {
		begin := time.Now()
		for _, log := range seen {
			record.Matches(log, resource)
		}
		best = min(best, time.Since(begin))
	}
	if len(seen) > 0 {
		cost.Nanoseconds = float64(best.Nanoseconds()) / float64(len(seen))
	}
	return cost
}

// benchEvents are the events of the rules' tests, near misses of those, and ordinary events, which are nine of ten.
func benchEvents(set *ruleset.Set) []plog.LogRecord {
	var all []plog.LogRecord
	add := func(r *sigma.Rule, fields map[string]any, keywords []string) {
		for _, f := range (sigmaEvent{source: r.LogSource, fields: fields, keywords: keywords}).forms() {
			all = append(all, f.log)
		}
	}
	for _, r := range set.Rules {
		for _, test := range r.Tests {
			add(r.Rule, test.Event, test.Keywords)
			for _, near := range nearMisses(test.Event) {
				add(r.Rule, near, test.Keywords)
			}
		}
	}
	usual := ordinaryEvents()
	for n := max(9*len(all), len(usual)); n > 0; n-- {
		all = append(all, usual[n%len(usual)])
	}
	return all
}

// nearMisses are events that differ in one field.
func nearMisses(fields map[string]any) []map[string]any {
	var all []map[string]any
	for name, value := range fields {
		near := map[string]any{}
		for other, v := range fields {
			near[other] = v
		}
		switch v := value.(type) {
		case string:
			near[name] = v + "x"
		case int64:
			near[name] = v + 1
		default:
			delete(near, name)
		}
		all = append(all, near)
	}
	return all
}

// ordinaryEvents are what happens on hosts all day.
func ordinaryEvents() []plog.LogRecord {
	var all []plog.LogRecord
	add := func(category string, fields map[string]any) {
		for _, f := range (sigmaEvent{source: sigma.LogSource{Category: category}, fields: fields}).forms() {
			all = append(all, f.log)
		}
	}
	for _, line := range []string{
		"/usr/bin/ls -la /var/log", "/usr/bin/grep -r error /srv/app", "/usr/bin/git status --short", "/usr/bin/sed -e s/a/b/ file.txt",
		"/usr/bin/python3.11 /srv/app/manage.py runserver", "/usr/bin/cat /proc/loadavg", "/usr/bin/systemctl is-active nginx.service",
		"/usr/bin/tar -xzf release.tar.gz -C /srv/app", "/usr/bin/find /srv/app -name *.py -newer stamp", "/usr/bin/date +%s",
		"/usr/bin/bash /usr/local/bin/backup --quiet", "/usr/bin/rsync -a /srv/data/ backup:/srv/data/", "/usr/sbin/logrotate /etc/logrotate.conf",
	} {
		image, _, _ := strings.Cut(line, " ")
		fields := map[string]any{
			"Image": image, "CommandLine": strings.TrimPrefix(line, image[:strings.LastIndex(image, "/")+1]), "User": "app", "UserId": int64(1000),
			"ParentImage": "/usr/bin/bash", "ParentCommandLine": "-bash", "CurrentDirectory": "/srv/app", "ProcessId": int64(4711),
		}
		add("process_creation", fields)
		add("process_termination", fields)
	}
	for _, path := range []string{"/var/log/app/current.log", "/srv/app/cache/00/1f2e3d", "/tmp/upload-4711", "/home/ann/.cache/index.db"} {
		add("file_event", map[string]any{"Image": "/usr/bin/python3.11", "TargetFilename": path, "User": "app"})
	}
	for _, port := range []int64{53, 443, 5432} {
		add("network_connection", map[string]any{"Image": "/usr/bin/python3.11", "DestinationIp": "192.0.2.10", "DestinationPort": port, "Initiated": "true", "User": "app"})
	}
	for service, line := range map[string]string{"sshd": "Accepted publickey for ann from 192.0.2.4 port 51022 ssh2", "cron": "(root) CMD (test -x /usr/sbin/anacron)"} {
		all = append(all, sigmaEvent{source: sigma.LogSource{Service: service}, keywords: []string{line}}.line())
	}
	return all
}

// WriteText writes the figures and the most costly rules.
func (b *BenchReport) WriteText(w io.Writer, paint Paint) error {
	var out strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&out, "%-22s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("rules", "%d, of which %d are asked of every event of their log source", b.Rules, b.EveryEvent)
	row("to load", "%.0f ms, %.1f MiB", b.Load*1000, float64(b.Memory)/(1<<20))
	row("events", "%d different ones, %d matches; %d judged", b.Events, b.Matches, b.Judged)
	row("by all rules", "%s events per CPU second (%.0f ns each)", paint.in(bold, fmt.Sprintf("%.0f", b.PerSecond)), b.Nanoseconds)
	row("allocations", "%.2f per event, %.0f bytes", b.Allocations, b.Bytes)
	if len(b.MostCostly) > 0 {
		out.WriteString("\nmost costly, by what an event that the rule sees takes with it alone\n")
	}
	for _, c := range b.MostCostly {
		note := ""
		if c.EveryEvent {
			note = paint.in(yellow, "  asked of every event")
		}
		fmt.Fprintf(&out, "%8.0f ns  %s  %s%s\n", c.Nanoseconds, c.Title, paint.in(dim, fmt.Sprintf("%s:%d", c.File, c.Line)), note)
	}
	_, err := io.WriteString(w, out.String())
	return err
}
