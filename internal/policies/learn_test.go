// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package policies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/policy"
)

func logOf(t *testing.T, kind string, attrs map[string]any) plog.LogRecord {
	t.Helper()
	log := plog.NewLogRecord()
	log.SetEventName(kind)
	require.NoError(t, log.Attributes().FromRaw(attrs))
	return log
}

func TestLearnedPolicyAllowsWhoActed(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	service, script := filepath.Join(dir, "service"), filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(service, []byte("\x7fELF"), 0o755))
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755))
	data := filepath.Join(dir, "My Data")
	require.NoError(t, os.Mkdir(data, 0o755))
	l, err := NewLearner("", []string{data}, false)
	require.NoError(t, err)
	by := func(executable, user string, more map[string]any) map[string]any {
		attrs := map[string]any{
			event.AttrProcessExecutablePath: executable, event.AttrProcessUserName: user, event.AttrFilePath: filepath.Join(data, "a"),
			event.AttrProcessAncestors: []any{"/usr/bin/bash[7]", "/usr/sbin/sshd[6]"},
		}
		for name, value := range more {
			attrs[name] = value
		}
		return attrs
	}
	l.Take(logOf(t, event.KindFileCreate, by(service, "www", nil)))
	l.Take(logOf(t, event.KindFileOpen, by(service, "www", nil)))
	l.Take(logOf(t, event.KindFileDelete, by("/usr/bin/rm", "root", map[string]any{
		event.AttrProcessParentExecutablePath: "/usr/bin/bash", event.AttrProcessParentCommandLine: "/bin/sh " + script,
	})))
	l.Take(logOf(t, event.KindFileRename, by("/usr/bin/mv", "root", map[string]any{event.AttrFileOriginalPath: "/elsewhere"})))
	l.Take(logOf(t, event.KindFileOpen, by("/usr/bin/vi", "root", map[string]any{event.AttrFilePath: "/etc/passwd"})))
	text := string(l.Proposal())
	parsed, err := policy.Parse("learned.yaml", []byte(text))
	require.NoError(t, err)
	p := parsed[0]
	assert.Equal(t, "learned-my-data", p.Name)
	assert.Equal(t, policy.Audit, p.Mode)
	var allowed []string
	for _, s := range p.Rules[0].Allow {
		allowed = append(allowed, strings.TrimPrefix(s.Executable.Base, dir)+" "+s.User)
	}
	assert.Equal(t, []string{"/service www", "/script root", "/usr/bin/mv root"}, allowed, "the most active first, and nobody who did something else")
	assert.Equal(t, []bool{false, true, false}, []bool{p.Rules[0].Allow[0].Lineage, p.Rules[0].Allow[1].Lineage, p.Rules[0].Allow[2].Lineage})
	assert.Contains(t, text, "# 2 × write, create, last "+data+"/a")
	assert.Contains(t, text, "# It does what it is told")
}

func TestLearnerOfNothing(t *testing.T) {
	_, err := NewLearner("", []string{"/no/such"}, false)
	require.ErrorContains(t, err, "found nothing to learn about")
	l, err := NewLearner("quiet", []string{t.TempDir()}, true)
	require.NoError(t, err)
	parsed, err := policy.Parse("learned.yaml", l.Proposal())
	require.NoError(t, err)
	assert.Empty(t, parsed[0].Rules[0].Allow)
	assert.Equal(t, policy.Secret, parsed[0].Rules[0].Operations())
	assert.Len(t, l.WatchReads(), 1)
	assert.Contains(t, l.Events(), event.KindFileAccess)
}

func TestActsOfEvents(t *testing.T) {
	for _, one := range []struct {
		kind   string
		attrs  map[string]any
		want   policy.Operation
		object string
	}{
		{event.KindProcessExec, map[string]any{event.AttrProcessExecutablePath: "/tmp/x"}, policy.Run, "/tmp/x"},
		{event.KindFileCreate, map[string]any{event.AttrFilePath: "/b", event.AttrFileOriginalPath: "/a"}, policy.Link, "/b"},
		{event.KindFileRename, map[string]any{event.AttrFilePath: "/b", event.AttrFileOriginalPath: "/a"}, policy.Rename, "/a to /b"},
		{event.KindFileAttributes, map[string]any{event.AttrFilePath: "/b"}, policy.Attributes, "/b"},
		{event.KindNetworkConnect, map[string]any{event.AttrDestinationAddress: "192.0.2.1", event.AttrDestinationPort: 443, event.AttrNetworkTransport: "tcp"}, policy.Connect, "192.0.2.1:443/tcp"},
		{event.KindNetworkBind, map[string]any{event.AttrSourceAddress: "::1", event.AttrSourcePort: 53}, policy.Bind, "[::1]:53"},
		{event.KindProcessAccess, map[string]any{event.AttrProcessTargetExecutablePath: "/x", event.AttrProcessTargetPID: 7, event.AttrProcessAccessCall: "ptrace_seize"}, policy.Ptrace, "/x[7]"},
		{event.KindProcessInject, map[string]any{event.AttrProcessTargetExecutablePath: "/x", event.AttrProcessTargetPID: 7, event.AttrProcessAccessCall: "mem_write"}, policy.Memory, "/x[7]"},
		{event.KindKernelModuleLoad, map[string]any{event.AttrDllName: "m"}, policy.Modules, "m"},
		{event.KindEnforcementAudited, map[string]any{event.AttrVedettePolicyOperation: "connect", event.AttrDestinationAddress: "192.0.2.1"}, policy.Connect, "192.0.2.1:0"},
		{event.KindEnforcementAudited, map[string]any{event.AttrVedettePolicyOperation: "signal", event.AttrProcessTargetPID: 7}, policy.Signal, "[7]"},
		{event.KindEnforcementDenied, map[string]any{event.AttrVedettePolicyOperation: "read", event.AttrFilePath: "/k"}, policy.Read, "/k"},
		{event.KindEnforcementDenied, map[string]any{event.AttrVedettePolicyOperation: "bpf"}, policy.BPF, "the kernel"},
		{event.KindProcessExit, nil, 0, ""},
		{event.KindNetworkConnect, map[string]any{}, 0, ""},
	} {
		a, ok := actsOf(logOf(t, one.kind, one.attrs), func(string) bool { return true })
		assert.Equal(t, one.want != 0, ok, one.kind)
		assert.Equal(t, one.object, a.object, one.kind)
		if ok {
			assert.Equal(t, one.want, a.requests[0].Operation, one.kind)
		}
	}
}
