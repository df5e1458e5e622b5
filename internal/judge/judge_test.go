// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/ruleset"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// judgeOf makes a judge of rules that are given as pairs of log source and detection.
func judgeOf(t testing.TB, pairs ...string) *Judge {
	var rules []*ruleset.Rule
	for i := 0; i < len(pairs); i += 2 {
		c, errs := sigma.Parse("r.yml", []byte("title: T\nlogsource: {"+pairs[i]+"}\ndetection:\n  s: {"+pairs[i+1]+"}\n  condition: s\n"))
		require.Empty(t, errs)
		rules = append(rules, &ruleset.Rule{Rule: c.Rules[0]})
	}
	return New(rules, func(*ruleset.Rule) []string { return []string{"ProcessId"} })
}

func record(t testing.TB, name string, attrs map[string]any) plog.LogRecord {
	log := plog.NewLogRecord()
	log.SetEventName(name)
	require.NoError(t, log.Attributes().FromRaw(attrs))
	return log
}

func matches(j *Judge, log plog.LogRecord) []int {
	r := j.Acquire()
	defer r.Release()
	found := append([]int{}, r.Matches(log, pcommon.NewMap())...)
	slices.Sort(found)
	return found
}

func TestRulesSeeTheEventsOfTheirCategory(t *testing.T) {
	j := judgeOf(t,
		"category: process_creation", "Image|endswith: /tool",
		"category: file_event", "Image|endswith: /tool",
		"category: file_delete", "TargetFilename: /etc/x",
		"product: windows, category: process_creation", "Image|endswith: /tool")
	attrs := map[string]any{event.AttrProcessExecutablePath: "/usr/bin/tool", event.AttrFilePath: "/etc/x"}
	assert.Equal(t, []int{0}, matches(j, record(t, event.KindProcessExec, attrs)))
	assert.Equal(t, []int{1}, matches(j, record(t, event.KindFileRename, attrs)))
	assert.Equal(t, []int{2}, matches(j, record(t, event.KindFileDelete, attrs)))
	assert.Empty(t, matches(j, record(t, event.KindProcessFork, attrs)))
	assert.Empty(t, matches(j, record(t, "process.unheard_of", attrs)))
	assert.Empty(t, matches(j, record(t, "", attrs)))
}

func TestImageIsTheFileAndWhatWasInvoked(t *testing.T) {
	j := judgeOf(t, "category: process_creation", "Image: /usr/bin/dash", "category: process_creation", "Image: /bin/sh")
	log := record(t, event.KindProcessExec, map[string]any{
		event.AttrProcessExecutablePath: "/usr/bin/dash", event.AttrProcessInvokedPath: "/bin/sh", event.AttrProcessPID: 7})
	assert.Equal(t, []int{0, 1}, matches(j, log))

	r := j.Acquire()
	defer r.Release()
	r.Matches(log, pcommon.NewMap())
	values, ok := r.Event(0).Lookup("Image")
	assert.True(t, ok)
	assert.Equal(t, []any{"/usr/bin/dash", "/bin/sh"}, values)
	values, _ = r.Event(0).Lookup("ProcessId")
	assert.Equal(t, []any{int64(7)}, values, "a field that only messages read")
	_, ok = r.Event(0).Lookup("User")
	assert.False(t, ok)
	assert.True(t, r.Seen())
	r.Matches(record(t, event.KindFileOpen, nil), pcommon.NewMap())
	assert.False(t, r.Seen(), "no rule looks at such events")
	assert.Equal(t, 2, j.Stats().Rules)
}

func TestValuesOfEveryType(t *testing.T) {
	attrs := map[string]any{"s": "text", "i": 7, "f": 1.5, "b": true, "n": nil, "l": []any{"x", 3, []any{"deep"}}, "m": map[string]any{"k": "v"}, "y": []byte{1}}
	for _, want := range []string{"s: text", "i: 7", "f: 1.5", "b: true", "n: null", "l: x", "l: 3", "l: deep", `m: '{"k":"v"}'`, "y: AQ==", "none: null"} {
		j := judgeOf(t, "category: process_creation", want)
		assert.Equal(t, []int{0}, matches(j, record(t, event.KindProcessExec, attrs)), want)
	}
}

func TestCutPathIsNotTakenForAWholeOne(t *testing.T) {
	j := judgeOf(t, "category: file_event", "TargetFilename: /etc/passwd", "category: file_event", "TargetFilename|endswith: /passwd")
	attrs := map[string]any{event.AttrFilePath: "/etc/passwd"}
	assert.Equal(t, []int{0, 1}, matches(j, record(t, event.KindFileCreate, attrs)))
	attrs[event.AttrFilePathTruncated] = true
	assert.Equal(t, []int{1}, matches(j, record(t, event.KindFileCreate, attrs)))
}

func TestResourceIsRead(t *testing.T) {
	j := judgeOf(t, "category: process_creation", "host.name: web1")
	r := j.Acquire()
	defer r.Release()
	resource := pcommon.NewMap()
	resource.PutStr(event.AttrHostName, "web1")
	assert.Equal(t, []int{0}, r.Matches(record(t, event.KindProcessExec, nil), resource))
	assert.Empty(t, r.Matches(record(t, event.KindProcessExec, nil), pcommon.NewMap()))
}

func TestAuditRulesSeeEvents(t *testing.T) {
	exec := record(t, event.KindProcessExec, map[string]any{
		event.AttrProcessExecutablePath: "/usr/bin/python3.11", event.AttrProcessInvokedPath: "/opt/a-script-of-long-name.py",
		event.AttrProcessCommandArgs: []any{"python3", "-c", "import os"}, event.AttrProcessCommandLine: "python3 -c import os",
		event.AttrProcessUserID: 0, event.AttrProcessRealUserID: 1000, event.AttrProcessWorkingDirectory: "/tmp",
		event.AttrProcessGroupID: 5})
	for _, detection := range []string{
		"type: EXECVE, a0: python3, a1: '-c'", "type: execve, a2: import os", "a2: 696D706F7274206F73", "argc: 3",
		"type: SYSCALL, syscall: execve, SYSCALL: execve", "syscall: 59", "comm: a-script-of-lon", "exe|endswith: /python3.11",
		"type: PATH, name: /opt/a-script-of-long-name.py", "uid: 1000", "euid: 0", "gid: 5", "cwd: /tmp", "success: 'yes'",
		"'|all': ['import', '-c']", "proctitle|contains: import",
		"a2|re: '^696D706F.*'", "a2|contains: 706F7274", "a2|startswith: 696D",
	} {
		assert.Equal(t, []int{0}, matches(judgeOf(t, "product: linux, service: auditd", detection), exec), detection)
	}
	for _, detection := range []string{"a3|exists: true", "type: SOCKADDR", "SYSCALL: connect", "a0: '-c'"} {
		assert.Empty(t, matches(judgeOf(t, "service: auditd", detection), exec), detection)
	}
	node := record(t, event.KindFileCreate, map[string]any{event.AttrFileType: "device", event.AttrFilePath: "/tmp/null"})
	assert.Equal(t, []int{0}, matches(judgeOf(t, "service: auditd", "type: PATH, nametype: CREATE, name: /tmp/null, SYSCALL: mknod"), node))
	failed := record(t, event.KindNetworkConnect, map[string]any{event.AttrEventOutcome: "failure"})
	assert.Equal(t, []int{0}, matches(judgeOf(t, "service: auditd", "success: 'no', SYSCALL: connect"), failed))
	own := record(t, "", map[string]any{"type": "TTY", "a0": "x"})
	assert.Equal(t, []int{0}, matches(judgeOf(t, "service: auditd", "type: TTY, a0: x"), own), "a record of the audit system itself")
}

func TestLinesFindTheRulesOfTheirService(t *testing.T) {
	j := judgeOf(t,
		"product: linux, service: sshd", "'|contains': refused",
		"product: linux, service: cron", "'|contains': refused",
		"product: linux, service: syslog", "'|contains': refused",
		"product: linux", "'|contains': refused",
		"category: webserver", "status: 404")
	line := func(attrs map[string]any, body any) plog.LogRecord {
		log := record(t, "", attrs)
		require.NoError(t, log.Body().FromRaw(body))
		return log
	}
	journal := map[string]any{"MESSAGE": "connection refused", "SYSLOG_IDENTIFIER": "CRON"}
	for name, tc := range map[string]struct {
		log  plog.LogRecord
		want []int
	}{
		"of an unknown program":    {line(nil, "connection refused"), []int{0, 1, 2, 3}},
		"of sshd":                  {line(map[string]any{"appname": "sshd"}, "connection refused"), []int{0, 2, 3}},
		"of the journal":           {line(nil, journal), []int{1, 2, 3}},
		"of a named service":       {line(map[string]any{AttrSigmaService: "cron"}, "connection refused"), []int{1, 3}},
		"of another program":       {line(map[string]any{"appname": "nginx"}, "connection refused"), []int{2, 3}},
		"of a named category":      {line(map[string]any{AttrSigmaCategory: "webserver", "status": 404}, "x"), []int{4}},
		"that says something else": {line(nil, "connection accepted"), []int{}},
		"without text":             {line(nil, nil), []int{}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tc.want, matches(j, tc.log)) })
	}
}

func TestNothingIsAllocatedForWhatMatchesNothing(t *testing.T) {
	j := judgeOf(t,
		"category: process_creation", "Image|endswith: /tool",
		"category: process_creation", "CommandLine|re: 'a+b', ParentImage|contains: x",
		"service: auditd", "type: EXECVE, a0: nmap, comm: nmap",
		"category: process_creation", "host.name: web1")
	log := record(t, event.KindProcessExec, map[string]any{
		event.AttrProcessExecutablePath: "/usr/bin/ls", event.AttrProcessExecutableName: "ls", event.AttrProcessCommandLine: "ls -la " + strings.Repeat("x", 200),
		event.AttrProcessParentExecutablePath: "/usr/bin/bash", event.AttrProcessPID: 4242, event.AttrProcessUserName: "ann",
		event.AttrProcessCommandArgs: []any{"ls", "-la"}})
	resource := pcommon.NewMap()
	resource.PutStr(event.AttrHostName, "web2")
	r := j.Acquire()
	defer r.Release()
	require.Empty(t, r.Matches(log, resource))
	assert.Zero(t, testing.AllocsPerRun(100, func() { r.Matches(log, resource) }))
}

// Where attributes were before must make no difference to what is found in a record.
func TestAttributesInAnyOrder(t *testing.T) {
	names := []string{
		event.AttrProcessExecutablePath, event.AttrProcessInvokedPath, event.AttrProcessCommandLine, event.AttrProcessUserName,
		event.AttrProcessParentExecutablePath, event.AttrProcessWorkingDirectory, event.AttrProcessPID, "other", "",
	}
	for i := range longestOrder {
		names = append(names, fmt.Sprintf("other.%d", i))
	}
	j := judgeOf(t,
		"category: process_creation", "Image: v0", "category: process_creation", "CommandLine: v2", "category: process_creation", "User: v3",
		"category: process_creation", "ParentImage: v4", "category: process_creation", "CurrentDirectory: v5",
		"service: auditd", "'|all': [v0, v2]")
	random := rand.New(rand.NewPCG(1, 2))
	used := j.Acquire()
	defer used.Release()
	for range 3000 {
		log := plog.NewLogRecord()
		log.SetEventName(event.KindProcessExec)
		for _, i := range random.Perm(len(names)) {
			if random.IntN(3) > 0 {
				log.Attributes().PutStr(names[i], fmt.Sprintf("v%d", i))
			}
		}
		fresh := &Record{judge: j, scanner: j.engine.NewScanner(), orders: make([][]knownName, len(j.views))}
		want := append([]int{}, fresh.Matches(log, pcommon.NewMap())...)
		require.Equal(t, want, append([]int{}, used.Matches(log, pcommon.NewMap())...))
	}
}
