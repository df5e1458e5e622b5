// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// attributes says what fields mean to the benchmarks, much as it is for a host's events.
var attributes = map[string][]string{
	"Image": {"image", "invoked"}, "CommandLine": {"command"}, "ParentImage": {"parent.image"}, "ParentCommandLine": {"parent.command"},
	"CurrentDirectory": {"directory"}, "User": {"user"}, "TargetFilename": {"file"}, "DestinationIp": {"ip"}, "DestinationPort": {"port"},
	"DestinationHostname": {"host"}, "Initiated": {"initiated"}, "LogonId": {"session"},
}

// ruleSources reads the files of all rules there are to try.
func ruleSources(t testing.TB) []string {
	corpus(t)
	dir := os.Getenv("VEDETTE_SIGMA_DIR")
	if dir == "" {
		dir = "../../../../shared/sigma-linux"
	}
	var sources []string
	for _, root := range []string{dir, "../../../config/rules"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".yml" {
				return err
			}
			source, err := os.ReadFile(path)
			if c, _ := sigma.Parse(path, source); len(c.Rules) > 0 {
				sources = append(sources, string(source))
			}
			return err
		}))
	}
	return sources
}

var (
	// detectionKeys are what must stay as it is when a rule is varied.
	detectionKeys = regexp.MustCompile(`^\s*(- )?[A-Za-z_.|0-9]*:|^\s*(condition|timeframe)`)
	word          = regexp.MustCompile(`[a-z]{4,}`)
	ruleID        = regexp.MustCompile(`(?m)^id:.*$`)
)

// varied makes n rules' sources of the given ones: first themselves, then copies in which about half of the longer words of
// values are others. Like rules in life, copies share some of their literals.
func varied(sources []string, n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	var all []string
	for len(all) < n {
		source := sources[len(all)%len(sources)]
		if len(all) >= len(sources) {
			source = vary(r, source)
		}
		all = append(all, ruleID.ReplaceAllString(source, fmt.Sprintf("id: rule-%d", len(all))))
	}
	return all
}

func vary(r *rand.Rand, source string) string {
	head, detection, _ := strings.Cut(source, "\ndetection:\n")
	var b strings.Builder
	inside := true
	for line := range strings.Lines(detection) {
		inside = inside && strings.HasPrefix(line, " ")
		key := detectionKeys.FindString(line)
		if inside && !strings.Contains(key, "condition") && !strings.Contains(key, "|re") {
			line = key + word.ReplaceAllStringFunc(line[len(key):], func(w string) string { return otherWord(r, w) })
		}
		b.WriteString(line)
	}
	return head + "\ndetection:\n" + b.String()
}

func otherWord(r *rand.Rand, w string) string {
	if r.IntN(2) == 0 {
		return w
	}
	other := []byte(w)
	for i := range other {
		if r.IntN(2) == 0 {
			other[i] = "etaoinshrdlucmfwypvbgkqjxz"[min(r.IntN(26), r.IntN(26))]
		}
	}
	return string(other)
}

func parseAll(t testing.TB, sources []string) []*sigma.Rule {
	var rules []*sigma.Rule
	for _, source := range sources {
		read, _ := sigma.Parse("bench.yml", []byte(source))
		rules = append(rules, read.Rules...)
	}
	require.NotEmpty(t, rules)
	return rules
}

// build puts rules on the route of their category; those of other log sources are spread, so that all of them cost something.
func build(rules []*sigma.Rule) *Engine {
	b := NewBuilder()
	bind := func(field string) []Slot {
		names := attributes[field]
		if names == nil {
			names = []string{field}
		}
		var slots []Slot
		for _, name := range names {
			slots = append(slots, b.Slot(name))
		}
		return slots
	}
	for _, kind := range kinds {
		b.Route(kind)
	}
	for i, r := range rules {
		category := r.LogSource.Category
		if !strings.Contains(strings.Join(kinds, " "), category) || category == "" {
			category = kinds[i%len(kinds)]
		}
		b.Add(r, bind, b.Route(category))
	}
	return b.Build()
}

var kinds = []string{"process_creation", "file_event", "network_connection"}

// happening is an event as it is given to a scanner.
type happening struct {
	route Route
	slots []Slot
	texts []string // for all slots but the last
	port  int64    // for the last slot where it is not 0
}

// happenings makes events such as a busy host has: few programs, many command lines and files.
func happenings(e *Engine, n int) []happening {
	r := rand.New(rand.NewPCG(3, 4))
	all := make([]happening, n)
	for i := range all {
		var fields map[string]string
		var h happening
		switch i % 10 {
		case 0, 1, 2, 3:
			fields = process(r)
			command := commandLine(r, fields["image"])
			fields["command"], fields["directory"] = command, choose(r, "/", "/root", "/var/lib/app", "/home/user/src/project")
			h.route, _ = e.Route("process_creation")
		case 4, 5, 6, 7:
			fields = process(r)
			fields["file"] = fmt.Sprintf("%s/%s-%x.%s", choose(r, "/var/lib/docker/overlay2/work", "/tmp", "/var/log/app", "/home/user/.cache/build", "/usr/share/doc"),
				choose(r, "data", "session", "index", "object"), r.Uint32(), choose(r, "log", "tmp", "o", "json"))
			h.route, _ = e.Route("file_event")
		default:
			fields = process(r)
			fields["image"] = choose(r, "/usr/sbin/nginx", "/usr/bin/psql", "/usr/bin/redis-cli", "/usr/lib/apt/methods/https", "/opt/app/bin/server")
			fields["ip"] = fmt.Sprintf("10.%d.%d.%d", r.IntN(4), r.IntN(256), r.IntN(256))
			h.route, _ = e.Route("network_connection")
			h.port = []int64{443, 80, 5432, 6379, int64(32768 + r.IntN(20000))}[r.IntN(5)]
		}
		h.fill(e, fields)
		all[i] = h
	}
	return all
}

func (h *happening) fill(e *Engine, fields map[string]string) {
	for _, slot := range e.Needs(h.route) {
		if text, ok := fields[e.SlotName(slot)]; ok {
			h.slots, h.texts = append(h.slots, slot), append(h.texts, text)
		}
	}
	if port, ok := e.Slot("port"); ok && h.port != 0 {
		h.slots = append(h.slots, port)
	} else {
		h.port = 0
	}
}

func choose(r *rand.Rand, texts ...string) string { return texts[r.IntN(len(texts))] }

func process(r *rand.Rand) map[string]string {
	return map[string]string{
		"image":          choose(r, "/usr/bin/bash", "/usr/bin/python3.11", "/usr/bin/grep", "/usr/bin/sed", "/usr/lib/git-core/git", "/usr/bin/dash", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "/usr/bin/cat"),
		"parent.image":   choose(r, "/usr/bin/bash", "/usr/bin/make", "/usr/lib/systemd/systemd", "/usr/sbin/cron", "/usr/bin/containerd-shim-runc-v2"),
		"parent.command": choose(r, "/bin/sh -c make -j8 all", "/usr/lib/systemd/systemd --system --deserialize 31", "/usr/sbin/cron -f -P", "bash /home/user/src/project/scripts/build.sh release"),
		"user":           choose(r, "root", "user", "www-data", "postgres"),
	}
}

func commandLine(r *rand.Rand, image string) string {
	name := image[strings.LastIndexByte(image, '/')+1:]
	return fmt.Sprintf("%s %s --output=/home/user/src/project/out/%x.o %s/file_%d.c -isystem include -DVERSION=%d", name,
		choose(r, "-O2 -Wall", "-e s/alpha/beta/g", "-rn pattern", "-m unittest", "status --short"), r.Uint64(), choose(r, "src/core", "src/net", "lib/util"), r.IntN(10000), r.IntN(100))
}

func (h *happening) give(s *Scanner) []int {
	s.Reset()
	for i, text := range h.texts {
		s.AddString(h.slots[i], text)
	}
	if h.port != 0 {
		s.AddInt(h.slots[len(h.slots)-1], h.port)
	}
	return s.Match(h.route)
}

func BenchmarkMatch(b *testing.B) {
	sources := ruleSources(b)
	for _, n := range []int{250, 2500} {
		e := build(parseAll(b, varied(sources, n)))
		events := happenings(e, 2_000) // about a batch, which is warm when it is judged; no memo holds so many command lines
		for i, kind := range append([]string{"all"}, kinds...) {
			chosen := events
			if i > 0 {
				chosen = ofKind(events, Route(i-1))
			}
			b.Run(fmt.Sprintf("rules=%d/%s", n, kind), func(b *testing.B) { benchmarkMatch(b, e, chosen) })
		}
	}
}

func ofKind(events []happening, r Route) []happening {
	var chosen []happening
	for _, h := range events {
		if h.route == r {
			chosen = append(chosen, h)
		}
	}
	return chosen
}

func benchmarkMatch(b *testing.B, e *Engine, events []happening) {
	s := e.NewScanner()
	for i := range events {
		events[i].give(s)
	}
	matches, i := 0, 0
	b.ReportAllocs()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime(b)
	for b.Loop() {
		matches += len(events[i].give(s))
		if i++; i == len(events) {
			i = 0
		}
	}
	spent := threadTime(b) - before
	b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/spent.Seconds(), "events/cpu-s")
	b.ReportMetric(float64(matches)/float64(b.N), "matches/op")
}

// threadTime is the processor time of this thread: unlike time itself it does not depend on what else the machine does.
func threadTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	require.NoError(b, syscall.Getrusage(thread, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkParse(b *testing.B) {
	sources := varied(ruleSources(b), 3000)
	before := processTime(b)
	for b.Loop() {
		parseAll(b, sources)
	}
	b.ReportMetric(float64((processTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
}

func processTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkBuild(b *testing.B) {
	rules := parseAll(b, varied(ruleSources(b), 3000))
	var e *Engine
	before := processTime(b)
	for b.Loop() {
		e = build(rules)
	}
	b.ReportMetric(float64((processTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(e.Stats().Bytes), "bytes")
	b.ReportMetric(float64(e.Stats().States), "states")
	b.Logf("%+v", e.Stats())
	runtime.KeepAlive(e)
}
