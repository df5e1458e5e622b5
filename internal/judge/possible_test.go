// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

func TestViewsOfAuditRules(t *testing.T) {
	for name, tc := range map[string]struct {
		detection string
		sees      []string
		not       []string
	}{
		"arguments":         {"s: {type: EXECVE, a0: x}\n  condition: s", []string{event.KindProcessExec}, []string{event.KindFileOpen, event.KindNetworkConnect}},
		"in small letters":  {"s: {type: execve}\n  condition: s", []string{event.KindProcessExec}, []string{event.KindFileOpen}},
		"files":             {"s: {type: PATH, name: x}\n  condition: s", []string{event.KindProcessExec, event.KindFileDelete}, []string{event.KindNetworkBind}},
		"a call":            {"s: {SYSCALL: connect}\n  condition: s", []string{event.KindNetworkConnect, event.KindFileCreate}, []string{event.KindProcessExec}},
		"a call's number":   {"s: {syscall: 42}\n  condition: s", []string{event.KindNetworkConnect}, []string{event.KindProcessExec}},
		"one of two":        {"a: {type: EXECVE}\n  b: {comm: x}\n  condition: a or b", []string{event.KindProcessExec, event.KindNetworkBind}, nil},
		"both of two":       {"a: {type: EXECVE}\n  b: {comm: x}\n  condition: all of them", []string{event.KindProcessExec}, []string{event.KindNetworkBind}},
		"neither":           {"a: {type: SYSCALL}\n  condition: not a", nil, []string{event.KindProcessExec, event.KindFileOpen}},
		"not what is known": {"a: {type: EXECVE}\n  b: {comm: x}\n  condition: b and not a", []string{event.KindFileOpen}, []string{event.KindProcessExec}},
		"keywords":          {"k: [x]\n  condition: k", []string{event.KindProcessExec, event.KindFileOpen}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, errs := sigma.Parse("r.yml", []byte("title: T\nlogsource: {service: auditd}\ndetection:\n  "+tc.detection+"\n"))
			require.Empty(t, errs)
			views := viewsOf(c.Rules[0], logsource.For(c.Rules[0].LogSource))
			assert.Subset(t, views, append(tc.sees, logsource.Lines), "records of the audit system itself are always looked at")
			for _, view := range tc.not {
				assert.False(t, slices.Contains(views, view), view)
			}
		})
	}
}

func TestOtherRulesKeepTheirViews(t *testing.T) {
	for _, source := range []string{"{category: file_event}", "{service: sshd}", "{product: linux}", "{product: windows}"} {
		c, errs := sigma.Parse("r.yml", []byte("title: T\nlogsource: "+source+"\ndetection:\n  s: {type: EXECVE}\n  condition: s\n"))
		require.Empty(t, errs)
		binding := logsource.For(c.Rules[0].LogSource)
		assert.Equal(t, binding.Views, viewsOf(c.Rules[0], binding))
	}
}
