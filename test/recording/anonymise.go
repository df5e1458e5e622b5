// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

// bootID stands for the boot during which a recording was made.
const bootID = "00000000-0000-4000-8000-000000000001"

// anonymiser takes away what shows that the server was a container, and on what machine it ran: the
// work is that of a server with a system of its own.
type anonymiser struct {
	// init is how the server's first process is named among ancestors: executable[pid].
	init string
	// initPID is its process id.
	initPID int64
}

func newAnonymiser(program string, pid int) anonymiser {
	return anonymiser{init: fmt.Sprintf("%s[%d]", program, pid), initPID: int64(pid)}
}

// apply changes the logs in place.
func (a anonymiser) apply(logs plog.Logs) {
	for _, resource := range logs.ResourceLogs().All() {
		if boot, ok := resource.Resource().Attributes().Get(event.AttrHostBootID); ok {
			boot.SetStr(bootID)
		}
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				a.record(record.Attributes())
			}
		}
	}
}

func (a anonymiser) record(attrs pcommon.Map) {
	attrs.Remove(event.AttrContainerID)
	attrs.Remove(event.AttrContainerRuntimeName)
	if pid, ok := attrs.Get(event.AttrProcessPID); ok && pid.Int() == a.initPID {
		a.orphan(attrs)
		return
	}
	ancestors, ok := attrs.Get(event.AttrProcessAncestors)
	if !ok {
		return
	}
	for i, ancestor := range ancestors.Slice().All() {
		if ancestor.Str() != a.init {
			continue
		}
		cut(ancestors, i+1)
		if ancestry, ok := attrs.Get(event.AttrProcessAncestry); ok {
			cut(ancestry, i+1)
		}
		return
	}
}

// orphan makes a process one without parents, as init is.
func (a anonymiser) orphan(attrs pcommon.Map) {
	for _, name := range []string{event.AttrProcessParentPID, event.AttrProcessParentEntityID, event.AttrProcessParentExecutablePath,
		event.AttrProcessParentCommandLine, event.AttrProcessAncestors, event.AttrProcessAncestry} {
		attrs.Remove(name)
	}
}

func cut(list pcommon.Value, length int) {
	i := 0
	list.Slice().RemoveIf(func(pcommon.Value) bool {
		i++
		return i > length
	})
}

// needle is a text that must not be in a recording.
type needle struct {
	text string
	what string // of this machine it would tell
}

// leak returns an error that names the first needle found in the logs.
func leak(logs plog.Logs, needles []needle) error {
	for _, resource := range logs.ResourceLogs().All() {
		if err := leakIn(resource.Resource().Attributes(), needles); err != nil {
			return err
		}
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if err := leakIn(record.Attributes(), needles); err != nil {
					return fmt.Errorf("%s: %w", record.EventName(), err)
				}
			}
		}
	}
	return nil
}

func leakIn(attrs pcommon.Map, needles []needle) error {
	for name, value := range attrs.All() {
		text := value.AsString()
		for _, n := range needles {
			if containsWord(text, n.text) {
				return fmt.Errorf("%s tells %s (%q): %s", name, n.what, n.text, text)
			}
		}
	}
	return nil
}

// containsWord finds a text that is not part of a longer word.
func containsWord(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		begin, end := from+i, from+i+len(word)
		if (begin == 0 || !isWordByte(text[begin-1])) && (end == len(text) || !isWordByte(text[end])) {
			return true
		}
		from = end
	}
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
