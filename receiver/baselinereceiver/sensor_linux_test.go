// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package baselinereceiver

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/fileevent"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/receiver/baselinereceiver/internal/metadata"
	"github.com/vedette-sec/vedette/receiver/ebpfreceiver"
)

// agent is a run of both receivers on one hub.
type agent struct {
	t      *testing.T
	cfg    *Config
	ctx    context.Context
	logs   *consumertest.LogsSink
	told   *observer.ObservedLogs
	sensor receiver.Logs
}

// startAgent has a host judged that only this test changes, by its schedule no sooner than in an hour.
func startAgent(t *testing.T, sensor func(*ebpfreceiver.Config)) *agent {
	a := &agent{t: t, cfg: newHost(t), logs: new(consumertest.LogsSink)}
	a.cfg.Interval, a.cfg.ChangeDelay = time.Hour, 50*time.Millisecond
	writeFile(t, filepath.Join(a.cfg.Directories[0], "walk.yaml"), "template: anywhere\ntitle: Anywhere\nrules:\n"+
		"  - {id: writable, title: Writable, check: {walk: {where: {world_writable: true}, count: {max: 0}}}}\n")
	a.cfg.Templates = append(a.cfg.Templates, TemplateConfig{ID: "anywhere"})
	a.ctx = fileevent.NewContext(context.Background(), &fileevent.Hub{})
	core, told := observer.New(zap.InfoLevel)
	a.told = told
	a.startSensor(sensor)
	set := receivertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	judging, err := NewFactory().CreateLogs(a.ctx, set, a.cfg, a.logs)
	require.NoError(t, err)
	a.approve(judging.(*baselineReceiver))
	require.NoError(t, judging.Start(a.ctx, componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, judging.Shutdown(context.Background())) })
	a.wait("the first scan", event.KindBaselineSummary, "", event.AttrVedetteBaselineTrigger, "schedule")
	return a
}

func (a *agent) startSensor(change func(*ebpfreceiver.Config)) {
	factory := ebpfreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*ebpfreceiver.Config)
	if change != nil {
		change(cfg)
	}
	var err error
	a.sensor, err = factory.CreateLogs(a.ctx, receivertest.NewNopSettings(factory.Type()), cfg, consumertest.NewNop())
	require.NoError(a.t, err)
	require.NoError(a.t, a.sensor.Start(a.ctx, componenttest.NewNopHost()))
	a.t.Cleanup(a.stopSensor)
}

func (a *agent) stopSensor() { require.NoError(a.t, a.sensor.Shutdown(context.Background())) }

// approve notes the state of now as the one that should be.
func (a *agent) approve(r *baselineReceiver) {
	findings, _, err := testJudge(a.t, r.config).judge(a.t.Context(), bySchedule, time.Now())
	require.NoError(a.t, err)
	approved := &baselines.Approved{Version: 1}
	for _, f := range findings {
		approved.Approve(f.report, "", "ana", time.Now())
	}
	require.NoError(a.t, approved.Write(a.cfg.Approved))
}

// run is somebody else: what the agent itself does with files is not seen.
func (a *agent) run(script string) {
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = a.cfg.Root
	out, err := cmd.CombinedOutput()
	require.NoError(a.t, err, string(out))
}

// wait waits for a record of a kind, about a rule if one is given, in which an attribute has a value; each counts once.
func (a *agent) wait(what, kind, rule, attribute, value string) {
	a.t.Helper()
	require.Eventually(a.t, func() bool { return a.has(kind, rule, attribute, value) }, patience, 5*time.Millisecond, what)
	a.logs.Reset()
}

func (a *agent) has(kind, rule, attribute, value string) bool {
	for _, logs := range a.logs.AllLogs() {
		for _, record := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			attrs := record.Attributes().AsRaw()
			if record.EventName() == kind && attrs[attribute] == value && (rule == "" || attrs[event.AttrSecurityRuleUUID] == rule) {
				return true
			}
		}
	}
	return false
}

func (a *agent) waitDrift(rule, state string) {
	a.t.Helper()
	a.wait(rule+" "+state, event.KindBaselineDrift, rule, event.AttrVedetteBaselineDriftState, state)
}

// TestSensorTellsOfDrift changes what rules are about in the ways that editors, packages and intruders do. What is written in place is opened
// once more behind that: the sensor tells of opening, and the scan may come before the writing.
func TestSensorTellsOfDrift(t *testing.T) {
	ring.Require(t, ring.Native)
	a := startAgent(t, nil)
	require.Eventually(t, func() bool {
		return a.told.FilterMessageSnippet("A sensor of this agent tells of changes of files").Len() == 1
	}, patience, time.Millisecond)
	for _, step := range []struct{ name, script, rule, state string }{
		{"written in place", "echo 'root:$6$a$b:1:0:90:7:::' > etc/shadow; : >> etc/shadow", "age", "begun"},
		{"another file takes its place", "echo 'root:$6$a$b:1:0:100:7:::' > new && mv new etc/shadow", "age", "ended"},
		{"its directory is moved away", "mv etc away", "age", "begun"},
		{"and back", "mv away etc", "age", "ended"},
		{"a link takes its place", "echo 'root:$6$a$b:1:0:90:7:::' > other && ln -sf ../other etc/shadow", "age", "begun"},
		{"where it leads is written", "echo 'root:$6$a$b:1:0:100:7:::' > other; : >> other", "age", "ended"},
		{"made for everybody", "mkdir -p srv/a && umask 0 && : > srv/a/file", "writable", "begun"},
		{"given its usual mode", "chmod 644 srv/a/file", "writable", "ended"},
		{"given another mode", "chmod o+w srv/a/file", "writable", "begun"},
		{"removed", "rm srv/a/file", "writable", "ended"},
	} {
		t.Log(step.name)
		a.run(step.script)
		a.waitDrift(step.rule, step.state)
	}
}

// TestSensorThatStopsIsMissed has changes found by the schedule when nobody tells of them, and at once again when somebody does.
func TestSensorThatStopsIsMissed(t *testing.T) {
	ring.RequireOnHost(t)
	a := startAgent(t, nil)
	a.stopSensor()
	require.Eventually(t, func() bool { return a.told.FilterMessageSnippet("No sensor tells of changes of files").Len() == 1 }, patience, time.Millisecond)
	require.NoError(t, os.WriteFile(filepath.Join(a.cfg.Root, "etc/shadow"), []byte("root:$6$a$b:1:0:90:7:::\n"), 0o600))
	a.startSensor(nil)
	a.waitDrift("age", "begun") // who begins to tell knows nothing of before, so that everything is looked at
	a.run("echo 'root:$6$a$b:1:0:100:7:::' > etc/shadow; : >> etc/shadow")
	a.waitDrift("age", "ended")
}

// TestSensorThatLosesEventsIsNotTrusted floods a ring of one page.
func TestSensorThatLosesEventsIsNotTrusted(t *testing.T) {
	ring.RequireOnHost(t)
	a := startAgent(t, func(c *ebpfreceiver.Config) { c.ActivityRingSize, c.PollInterval = 4096, time.Second })
	a.run("i=0; while [ $i -lt 500 ]; do : > flood; i=$((i+1)); done; echo 'root:$6$a$b:1:0:90:7:::' > etc/shadow; : >> etc/shadow")
	require.Eventually(t, func() bool {
		return a.has(event.KindBaselineDrift, "age", event.AttrVedetteBaselineDriftState, "begun") &&
			a.has(event.KindBaselineSummary, "", event.AttrVedetteBaselineTrigger, "losses")
	}, patience, 5*time.Millisecond)
	assert.NotZero(t, a.told.FilterMessageSnippet("A sensor lost events of files").Len())
}

// A sensor that sees some acts only cannot be relied on.
func TestSensorThatDoesNotSeeAllDoesNotServe(t *testing.T) {
	ring.RequireOnHost(t)
	a := startAgent(t, func(c *ebpfreceiver.Config) { c.Events = []string{event.KindFileOpen, event.KindFileCreate} })
	require.Eventually(t, func() bool { return a.told.FilterMessageSnippet("No sensor tells of changes of files").Len() == 1 }, patience, time.Millisecond)
}
