// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

// logsOf makes logs with one record for each map of attributes.
func logsOf(t *testing.T, records ...map[string]any) plog.Logs {
	t.Helper()
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr(event.AttrHostBootID, "4f1c")
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().Attributes().PutInt(event.AttrVedetteEventsLostTotal, 3)
	for _, attrs := range records {
		record := scope.LogRecords().AppendEmpty()
		record.SetEventName(event.KindProcessExec)
		require.NoError(t, record.Attributes().FromRaw(attrs))
	}
	return logs
}

func attributes(logs plog.Logs, record int) map[string]any {
	return logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(record).Attributes().AsRaw()
}

func TestAnonymise(t *testing.T) {
	logs := logsOf(t,
		map[string]any{
			event.AttrProcessPID: 9, event.AttrContainerID: "c", event.AttrContainerRuntimeName: "docker",
			event.AttrProcessAncestors: []any{"/usr/sbin/cron[8]", "/usr/bin/tini[7]", "/root/recording[6]", "/usr/bin/bash[1]"},
			event.AttrProcessAncestry:  []any{"eight", "seven", "six", "one"},
		},
		map[string]any{
			event.AttrProcessPID: 7, event.AttrProcessParentPID: 6, event.AttrProcessParentEntityID: "six",
			event.AttrProcessParentExecutablePath: "/root/recording", event.AttrProcessParentCommandLine: "recording",
			event.AttrProcessAncestors: []any{"/root/recording[6]"}, event.AttrProcessAncestry: []any{"six"},
		},
		map[string]any{event.AttrProcessPID: 5, event.AttrProcessAncestors: []any{"/usr/bin/tini[77]", "/usr/bin/bash[1]"}},
	)
	newAnonymiser("/usr/bin/tini", 7).apply(logs)

	boot, _ := logs.ResourceLogs().At(0).Resource().Attributes().Get(event.AttrHostBootID)
	assert.Equal(t, bootID, boot.Str())
	assert.Equal(t, map[string]any{
		event.AttrProcessPID:       int64(9),
		event.AttrProcessAncestors: []any{"/usr/sbin/cron[8]", "/usr/bin/tini[7]"},
		event.AttrProcessAncestry:  []any{"eight", "seven"},
	}, attributes(logs, 0))
	assert.Equal(t, map[string]any{event.AttrProcessPID: int64(7)}, attributes(logs, 1))
	assert.Equal(t, []any{"/usr/bin/tini[77]", "/usr/bin/bash[1]"}, attributes(logs, 2)[event.AttrProcessAncestors], "the tini of someone else")
}

func TestLeak(t *testing.T) {
	needles := []needle{{"/home/ann/src", "a directory"}, {"ann", "a user"}}
	for name, test := range map[string]struct {
		attrs map[string]any
		want  string
	}{
		"clean":           {map[string]any{event.AttrProcessCommandLine: "ls /home/anna /joann"}, ""},
		"in a text":       {map[string]any{event.AttrProcessCommandLine: "cat /home/ann/src/x"}, `process.exec: process.command_line tells a directory ("/home/ann/src"): cat /home/ann/src/x`},
		"in a list":       {map[string]any{event.AttrProcessAncestors: []any{"/home/ann/src/bin/x[1]"}}, "process.ancestors tells a directory"},
		"as a whole word": {map[string]any{event.AttrProcessUserName: "ann"}, "process.user.name tells a user"},
		"in the end":      {map[string]any{event.AttrProcessCommandLine: "su joann ann"}, "process.command_line tells a user"},
	} {
		t.Run(name, func(t *testing.T) {
			err := leak(logsOf(t, test.attrs), needles)
			if test.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, test.want)
		})
	}
	assert.ErrorContains(t, leak(logsOf(t), []needle{{"4f1c", "the boot"}}), "host.boot.id tells the boot")
}

func TestCounts(t *testing.T) {
	c := newCounts()
	for range 2 {
		c.add(logsOf(t, map[string]any{event.AttrProcessExecutablePath: "/usr/bin/ls"}, map[string]any{event.AttrProcessExecutablePath: "/usr/bin/id"}))
	}
	c.add(logsOf(t, map[string]any{event.AttrProcessExecutablePath: "/usr/bin/ls"}))
	assert.Equal(t, 5, c.events)
	assert.Equal(t, int64(3), c.lost)
	assert.Equal(t, []entry{{event.KindProcessExec, 5}}, ranked(c.kinds, 9))
	assert.Equal(t, []entry{{"/usr/bin/ls", 3}, {"/usr/bin/id", 2}}, ranked(c.programs, 9))
	assert.Equal(t, []entry{{"/usr/bin/ls", 3}}, ranked(c.programs, 1))
}
