// SPDX-License-Identifier: Apache-2.0

package logsource

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

func TestFor(t *testing.T) {
	for name, tc := range map[string]struct {
		source sigma.LogSource
		views  []string
		own    bool
	}{
		"a category of ours":          {sigma.LogSource{Product: "linux", Category: "process_creation"}, []string{event.KindProcessExec}, true},
		"in another letter case":      {sigma.LogSource{Product: "Linux", Category: "Process_Creation"}, []string{event.KindProcessExec}, true},
		"any product":                 {sigma.LogSource{Category: "process_creation"}, []string{event.KindProcessExec}, true},
		"a category of no event":      {sigma.LogSource{Category: "webserver"}, []string{"lines:webserver"}, false},
		"a service":                   {sigma.LogSource{Product: "linux", Service: "sshd"}, []string{"lines", "lines:sshd"}, false},
		"only a product":              {sigma.LogSource{Product: "linux"}, []string{"lines", "lines:"}, false},
		"another product":             {sigma.LogSource{Product: "windows", Category: "process_creation"}, nil, false},
		"a category before a service": {sigma.LogSource{Category: "process_creation", Service: "sshd"}, []string{event.KindProcessExec}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := For(tc.source)
			assert.Equal(t, tc.views, b.Views)
			assert.Equal(t, tc.own, b.OwnEvents())
			assert.Equal(t, len(tc.views) == 0, b.Reason != "")
		})
	}
}

func TestAuditdSeesEventsAndLines(t *testing.T) {
	b := For(sigma.LogSource{Product: "linux", Service: "auditd"})
	assert.Subset(t, b.Views, []string{event.KindProcessExec, event.KindFileCreate, event.KindNetworkConnect, "lines", "lines:auditd"})
	assert.True(t, b.OwnEvents())
	for _, view := range b.Views {
		if !IsLines(view) {
			_, ok := Audit(view, "")
			assert.True(t, ok, "nothing says what the audit system would write of %s", view)
		}
	}
}

func TestAttributes(t *testing.T) {
	creation := For(sigma.LogSource{Category: "process_creation"})
	audit := For(sigma.LogSource{Service: "auditd"})
	for _, tc := range []struct {
		binding Binding
		field   string
		want    []string
		known   bool
	}{
		{creation, "Image", []string{event.AttrProcessExecutablePath, event.AttrProcessInvokedPath}, true},
		{creation, "Hashes", []string{"Hashes"}, false},
		{creation, "a0", []string{"a0"}, false},
		{creation, event.AttrFilePath, []string{event.AttrFilePath}, true},
		{audit, "a0", []string{"auditd.a0", "a0"}, true},
		{audit, "a63", []string{"auditd.a63", "a63"}, true},
		{audit, "a64", []string{"a64"}, false},
		{audit, "a01", []string{"a01"}, false},
		{audit, "type", []string{AuditType, "type"}, true},
		{audit, "exe", []string{event.AttrProcessExecutablePath, "exe"}, true},
		{audit, "name", []string{event.AttrProcessExecutablePath, event.AttrProcessInvokedPath, event.AttrFilePath, event.AttrFileOriginalPath, event.AttrDllName, "name"}, true},
	} {
		names, known := tc.binding.Attributes(tc.field)
		assert.Equal(t, tc.want, names, tc.field)
		assert.Equal(t, tc.known, known, tc.field)
	}
}

func TestServicesOf(t *testing.T) {
	assert.Equal(t, []string{"auth", "sshd", "syslog"}, ServicesOf("sshd"))
	assert.Equal(t, []string{"cron", "crond", "syslog"}, ServicesOf("CROND"))
	assert.Equal(t, []string{"nginx", "syslog"}, ServicesOf("nginx"))
	assert.Nil(t, ServicesOf(""))
}

func TestAuditText(t *testing.T) {
	for in, want := range map[string]string{
		"-la":       "-la",
		"":          "",
		"a b":       "612062",
		`say "hi"`:  "7361792022686922",
		"caf\u00e9": "636166C3A9",
		"a\nb":      "610A62",
	} {
		text, encoded := AuditText(in)
		assert.Equal(t, want, text)
		assert.Equal(t, want != in, encoded)
	}
}

func TestAuditKnowsWhatMadeAFile(t *testing.T) {
	record, ok := Audit(event.KindFileCreate, "device")
	assert.True(t, ok)
	assert.Equal(t, []string{"mknod", "mknodat"}, record.Calls)
	record, _ = Audit(event.KindFileDelete, "dir")
	assert.Contains(t, record.Calls, "rmdir")
	_, ok = Audit(event.KindProcessFork, "")
	assert.False(t, ok)
	assert.True(t, AuditCalls()["execve"])
	assert.False(t, AuditCalls()["sysinfo"])
}
