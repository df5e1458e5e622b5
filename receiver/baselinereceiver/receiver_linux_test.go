// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/internal/hostid"
	"github.com/vedette-sec/vedette/internal/reload"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/baseline"
	"github.com/vedette-sec/vedette/receiver/baselinereceiver/internal/metadata"
)

var update = flag.Bool("update", false, "write the golden files anew")

// patience is for scans at low priority on a machine that has other work, and for guests under emulation.
const patience = 15 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

const ownTemplate = `template: own
title: {en: Own, zh: 自有}
rules:
  - id: age
    title: {en: Passwords age, zh: 口令期限}
    rationale: They get known.
    severity: high
    maps: {mlps-l3: [8.1.4.1.a], gbt28448: [L3-CES1-01], cis-debian12: [5.4.1.1]}
    check: {account: {where: {password: usable}, expect: {max_days: {max: 90}}}}
  - id: mounts
    title: Mounts
    check: {mount: {paths: [/tmp], expect: {mounted: true}}}
  - id: shells
    title: Shells
    check: {line: {files: [/etc/shells], pattern: "^/bin"}}
  - id: banner
    title: Banner
    manual: {en: Read it., zh: 阅读。}
---
waivers:
  - {rule: shells, owner: ops, approver: ciso, reason: Later., expires: 2999-01-01}
`

// newHost is a root directory, with a configuration that judges it.
func newHost(t *testing.T) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Root = t.TempDir()
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/shadow": "root:$6$a$b:1:0:100:7:::\n", "etc/group": "root:x:0:\n",
		"proc/self/mounts": "tmpfs /tmp tmpfs rw 0 0\n",
	} {
		writeFile(t, filepath.Join(cfg.Root, name), text)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "own.yaml"), ownTemplate)
	cfg.Directories = []string{dir}
	cfg.Templates = []TemplateConfig{{ID: "own"}}
	cfg.Approved = filepath.Join(t.TempDir(), "approved.json")
	cfg.InitialDelay, cfg.Jitter, cfg.Interval = 0, 0, time.Second
	cfg.Pressure.Limit = 0
	return cfg
}

func writeFile(t *testing.T, path, text string) {
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func testJudge(t *testing.T, cfg *Config) *judge {
	j, err := newJudge(cfg, baseline.Effort{}, hostconf.NewNews())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, j.scanner.Close()) })
	return j
}

// told gives the records of one scan by rule and kind, each as the cause or the state of the drift with the verdict.
func told(t *testing.T, j *judge) map[string]string {
	findings, commit, err := j.judge(t.Context(), bySchedule, time.Now())
	require.NoError(t, err)
	all := map[string]string{}
	for _, record := range logsOf(findings, hostid.Host{}, "en", time.Now()).ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		attrs := record.Attributes().AsRaw()
		text := func(name string) string { s, _ := attrs[name].(string); return s }
		key := strings.TrimPrefix(record.EventName(), "baseline.") + " " + text(event.AttrSecurityRuleUUID)
		all[key] = text(event.AttrVedetteBaselineCause) + text(event.AttrVedetteBaselineDriftState) + " " + text(event.AttrVedetteBaselineVerdict)
	}
	commit()
	return all
}

func TestRulesAreToldWhenTheyChangeAndInSnapshots(t *testing.T) {
	cfg := newHost(t)
	j := testJudge(t, cfg)
	assert.Equal(t, map[string]string{
		"rule age": "snapshot fail", "rule mounts": "snapshot pass", "rule shells": "snapshot waived", "rule banner": "snapshot manual", "summary ": " ",
	}, told(t, j))
	assert.Equal(t, map[string]string{"summary ": " "}, told(t, j))
	writeFile(t, filepath.Join(cfg.Root, "proc/self/mounts"), "")
	assert.Equal(t, map[string]string{"rule mounts": "change fail", "summary ": " "}, told(t, j))
	j.snapshot = time.Now().Add(-cfg.SnapshotInterval)
	assert.Len(t, told(t, j), 5)

	anew := testJudge(t, cfg)
	anew.inherit(j)
	assert.Equal(t, map[string]string{"summary ": " "}, told(t, anew), "what is known by then is not told again")
}

func TestDriftIsToldOnceEachWay(t *testing.T) {
	cfg := newHost(t)
	j := testJudge(t, cfg)
	told(t, j)
	findings, _, err := j.judge(t.Context(), bySchedule, time.Now())
	require.NoError(t, err)
	approved := &baselines.Approved{Version: 1}
	approved.Approve(findings[0].report, "", "ana", time.Now())
	require.NoError(t, approved.Write(cfg.Approved))
	assert.Equal(t, map[string]string{"summary ": " "}, told(t, j))
	writeFile(t, filepath.Join(cfg.Root, "proc/self/mounts"), "")
	assert.Equal(t, map[string]string{"rule mounts": "change fail", "drift mounts": "begun fail", "summary ": " "}, told(t, j))
	assert.Equal(t, map[string]string{"summary ": " "}, told(t, j))
	writeFile(t, filepath.Join(cfg.Root, "proc/self/mounts"), "tmpfs /tmp tmpfs rw 0 0\n")
	assert.Equal(t, map[string]string{"rule mounts": "change pass", "drift mounts": "ended pass", "summary ": " "}, told(t, j))
	writeFile(t, cfg.Approved, "{")
	_, _, err = j.judge(t.Context(), bySchedule, time.Now())
	assert.ErrorContains(t, err, "reading the approved state")
}

// fixed takes what is different each time out of a scan.
func fixed(t *testing.T, cfg *Config) []*finding {
	j := testJudge(t, cfg)
	told(t, j)
	findings, _, err := j.judge(t.Context(), bySchedule, time.Now())
	require.NoError(t, err)
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	f := findings[0]
	f.report.Started, f.report.Took, f.report.Judged, f.id, f.snapshot = at, time.Second, 4, "0011223344556677", true
	f.approval = (&baselines.Approved{}).Approve(f.report, "", "ana", at)
	f.approval.Verdicts["age"] = baseline.Pass
	f.begun["age"], f.drifted = true, 1
	return findings
}

func TestDocuments(t *testing.T) {
	for _, language := range []string{"en", "zh"} {
		cfg := newHost(t)
		cfg.Language = language
		host := hostid.Host{Name: "web1", ID: "f00d", BootID: "b007", Kernel: "6.12"}
		logs := logsOf(fixed(t, cfg), host, language, time.Date(2026, 3, 4, 5, 6, 8, 0, time.UTC)).ResourceLogs().At(0)
		var have bytes.Buffer
		encoder := ecs.NewEncoder()
		for _, record := range logs.ScopeLogs().At(0).LogRecords().All() {
			require.NoError(t, json.Indent(&have, encoder.AppendDocument(nil, logs.Resource(), record), "", "  "))
			have.WriteByte('\n')
		}
		golden := filepath.Join("testdata", "golden", "documents."+language+".json")
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
			require.NoError(t, os.WriteFile(golden, have.Bytes(), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		assert.Equal(t, string(want), have.String())
		for _, record := range logs.ScopeLogs().At(0).LogRecords().All() {
			kind, known := event.KindByName(record.EventName())
			require.True(t, known)
			for name := range record.Attributes().All() {
				assert.Contains(t, kind.Attributes, name, "%s is not in the vocabulary of %s", name, kind.Name)
			}
		}
	}
}

// pipelines make a receiver for logs and metrics of one configuration.
func pipelines(t *testing.T, cfg *Config) (receiver.Logs, receiver.Metrics, *consumertest.LogsSink, *consumertest.MetricsSink) {
	factory, logs, metrics := NewFactory(), new(consumertest.LogsSink), new(consumertest.MetricsSink)
	set := receivertest.NewNopSettings(metadata.Type)
	l, err := factory.CreateLogs(t.Context(), set, cfg, logs)
	require.NoError(t, err)
	m, err := factory.CreateMetrics(t.Context(), set, cfg, metrics)
	require.NoError(t, err)
	return l, m, logs, metrics
}

func TestOneScanServesBothPipelines(t *testing.T) {
	cfg := newHost(t)
	hub := &reload.Hub{}
	l, m, logs, metrics := pipelines(t, cfg)
	assert.Same(t, l, m)
	ctx := reload.NewContext(t.Context(), hub)
	require.NoError(t, l.Start(ctx, componenttest.NewNopHost()))
	require.NoError(t, m.Start(ctx, componenttest.NewNopHost()))
	wait := func(what string, holds func() bool) {
		require.Eventually(t, holds, patience, time.Millisecond, what)
	}
	wait("the first scan", func() bool { return len(logs.AllLogs()) >= 1 && len(metrics.AllMetrics()) >= 1 })
	assert.Equal(t, 5, logs.AllLogs()[0].LogRecordCount())
	// A template that is wrong leaves the old one in force, one that is right is taken.
	writeFile(t, filepath.Join(cfg.Directories[0], "own.yaml"), "template: [")
	for _, ask := range []func(context.Context){hub.ReloadChanged, hub.Reload} {
		before := len(logs.AllLogs())
		ask(t.Context())
		wait("a scan by what was there", func() bool { return len(logs.AllLogs()) > before+1 }) // one may have been under way
	}
	writeFile(t, filepath.Join(cfg.Directories[0], "own.yaml"), strings.Replace(ownTemplate, "max: 90", "max: 100", 1))
	wait("the new template", func() bool {
		last := logs.AllLogs()[len(logs.AllLogs())-1].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		return verdictOf(last, "age") == "pass"
	})
	require.NoError(t, m.Shutdown(t.Context()))
	require.NoError(t, l.Shutdown(t.Context()))
	require.NoError(t, l.Shutdown(t.Context()))
}

// TestTemplatesAreReadAgainThatChangedWhileTheyWereRead has a pipe among the templates: who reads it waits until somebody has written it.
func TestTemplatesAreReadAgainThatChangedWhileTheyWereRead(t *testing.T) {
	cfg := newHost(t)
	r, err := newReceiver(cfg, receivertest.NewNopSettings(metadata.Type), func() {})
	require.NoError(t, err)
	r.judge, r.news = testJudge(t, cfg), hostconf.NewNews()
	template, last := filepath.Join(cfg.Directories[0], "own.yaml"), filepath.Join(cfg.Directories[0], "waits.yaml")
	writeFile(t, template, ownTemplate[:len(ownTemplate)/2])
	require.NoError(t, unix.Mkfifo(last, 0o600))
	written := make(chan error, 1)
	go func() {
		pipe, err := os.OpenFile(last, os.O_WRONLY, 0)
		written <- errors.Join(err, os.WriteFile(template, []byte(ownTemplate), 0o600), pipe.Close())
	}()
	r.readAgain(t.Context())
	require.NoError(t, <-written)
	assert.True(t, r.judge.stale(), "half of a template was read")
}

func verdictOf(records plog.LogRecordSlice, rule string) string {
	for _, record := range records.All() {
		if id, ok := record.Attributes().Get(event.AttrSecurityRuleUUID); ok && id.Str() == rule {
			v, _ := record.Attributes().Get(event.AttrVedetteBaselineVerdict)
			return v.Str()
		}
	}
	return ""
}

func TestShutdownWithoutStart(t *testing.T) {
	l, _, _, _ := pipelines(t, newHost(t))
	require.NoError(t, l.Shutdown(t.Context()))
}

func TestStartRefusesWhatCannotBeResolved(t *testing.T) {
	cfg := newHost(t)
	cfg.Templates = []TemplateConfig{{ID: "none"}, {ID: "own", Profile: "none"}}
	l, _, _, _ := pipelines(t, cfg)
	err := l.Start(t.Context(), componenttest.NewNopHost())
	assert.ErrorContains(t, err, "found no template with this id")
	assert.ErrorContains(t, err, `found the profile "none"`)
	require.NoError(t, l.Shutdown(t.Context()))
}

func TestThisHost(t *testing.T) {
	ring.RequireOnHost(t)
	cfg := createDefaultConfig().(*Config)
	cfg.Templates = []TemplateConfig{{ID: "mlps-l3"}, {ID: "cis-debian12", Profile: "level1-server"}}
	cfg.Approved = filepath.Join(t.TempDir(), "none")
	cfg.InitialDelay, cfg.Jitter, cfg.Interval, cfg.Pressure.Limit = 0, 0, time.Second, 0
	l, _, logs, _ := pipelines(t, cfg)
	require.NoError(t, l.Start(t.Context(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool { return len(logs.AllLogs()) >= 2 }, patience, 10*time.Millisecond)
	require.NoError(t, l.Shutdown(t.Context()))
	first := logs.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	verdict := verdictOf(first, "accounts.one-root")
	assert.Contains(t, []string{"pass", "fail"}, verdict)
	second := logs.AllLogs()[1].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	assert.Less(t, second.Len(), first.Len()/2)
}

// priorities are the niceness and the class for disks of the calling thread.
func priorities(t *testing.T) [2]int {
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	assert.NoError(t, err)
	disks, _, failed := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioWhoProcess, uintptr(unix.Gettid()), 0)
	assert.Zero(t, failed)
	return [2]int{mostRaw - nice, int(disks) &^ (1<<13 - 1)}
}

func TestYieldIsForTheGoroutineOnly(t *testing.T) {
	ring.RequireOnHost(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own := priorities(t)
	inside := make(chan [2]int)
	go func() {
		yield()
		inside <- priorities(t)
	}()
	assert.Equal(t, [2]int{min(own[0]+5, 19), ioprioIdle}, <-inside)
	assert.Equal(t, own, priorities(t))
	assert.NotEqual(t, ioprioIdle, own[1])
}

func TestPressure(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "cpu"), "some avg10=1.50 avg60=0.00 avg300=0.00 total=0\n")
	writeFile(t, filepath.Join(dir, "io"), "some avg10=70.25 avg60=0.00 avg300=0.00 total=0\nfull avg10=99.00 avg60=0 avg300=0 total=0\n")
	writeFile(t, filepath.Join(dir, "memory"), "some avg10=x\n")
	assert.InDelta(t, 70.25, worst(dir), 0)
	assert.Zero(t, worst(t.TempDir()), "a kernel that does not measure it")
	p := &pressure{config: PressureConfig{Limit: 60, MaxWait: time.Millisecond}, dir: dir}
	p.begin()
	require.NoError(t, p.pause(t.Context()))
	assert.Zero(t, p.left, "the scan waits no longer than it may")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p = &pressure{config: PressureConfig{Limit: 60, MaxWait: time.Hour}, dir: dir}
	p.begin()
	assert.ErrorIs(t, p.pause(ended), context.Canceled)
}
