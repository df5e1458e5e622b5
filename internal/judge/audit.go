// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"path"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/pkg/sigma/engine"
)

// auditPlan writes what rules for audit records read of one kind of event.
type auditPlan struct {
	kind      string
	slots     map[string]engine.Slot // of the parts that are made up
	arguments map[int]engine.Slot
	most      int // the greatest number of an argument that is read
}

// newAuditPlan returns nil where no rule reads such a part.
func newAuditPlan(slots map[string]engine.Slot, kind string) *auditPlan {
	if _, ok := logsource.Audit(kind, ""); !ok {
		return nil
	}
	p := &auditPlan{kind: kind, slots: map[string]engine.Slot{}, arguments: map[int]engine.Slot{}}
	for _, part := range []string{logsource.AuditType, logsource.AuditCall, logsource.AuditNumber, logsource.AuditSuccess,
		logsource.AuditCount, logsource.AuditCommand, logsource.AuditNameType, logsource.AuditUser, logsource.AuditGroup} {
		if slot, ok := slots[part]; ok {
			p.slots[part] = slot
		}
	}
	for name, slot := range slots {
		if n, ok := logsource.AuditArgumentNumber(name); ok {
			p.arguments[n] = slot
			p.most = max(p.most, n)
		}
	}
	if len(p.slots) == 0 && len(p.arguments) == 0 {
		return nil
	}
	return p
}

func (p *auditPlan) read(s *engine.Scanner, log plog.LogRecord) {
	attrs := log.Attributes()
	what := event.AttrFileType
	if p.kind == event.KindFileAttributes {
		what = event.AttrFileChange
	}
	record, _ := logsource.Audit(p.kind, attribute(attrs, what))
	p.addAll(s, logsource.AuditType, record.Types)
	p.addAll(s, logsource.AuditCall, record.Calls)
	if slot, ok := p.slots[logsource.AuditNumber]; ok {
		for _, n := range record.Numbers {
			s.AddInt(slot, n)
		}
	}
	if slot, ok := p.slots[logsource.AuditSuccess]; ok {
		success := "yes"
		if attribute(attrs, event.AttrEventOutcome) == "failure" {
			success = "no"
		}
		s.AddString(slot, success)
	}
	if slot, ok := p.slots[logsource.AuditNameType]; ok {
		s.AddString(slot, logsource.NameType(p.kind))
	}
	if slot, ok := p.slots[logsource.AuditCommand]; ok {
		s.AddString(slot, command(attrs))
	}
	// The audit system always has both ids; an event has the real one only where it differs.
	p.addFirst(s, logsource.AuditUser, attrs, event.AttrProcessRealUserID, event.AttrProcessUserID)
	p.addFirst(s, logsource.AuditGroup, attrs, event.AttrProcessRealGroupID, event.AttrProcessGroupID)
	if p.kind == event.KindProcessExec {
		p.readArguments(s, attrs)
	}
}

func (p *auditPlan) addAll(s *engine.Scanner, part string, values []string) {
	slot, ok := p.slots[part]
	if !ok {
		return
	}
	for _, v := range values {
		s.AddString(slot, v)
	}
}

// addFirst takes the first of the attributes that is there.
func (p *auditPlan) addFirst(s *engine.Scanner, part string, attrs pcommon.Map, names ...string) {
	slot, ok := p.slots[part]
	if !ok {
		return
	}
	for _, name := range names {
		if value, ok := attrs.Get(name); ok {
			addValue(s, slot, value)
			return
		}
	}
}

// readArguments gives each argument as it is, and in the form in which audit records have it where they
// cannot hold it as it is.
func (p *auditPlan) readArguments(s *engine.Scanner, attrs pcommon.Map) {
	value, ok := attrs.Get(event.AttrProcessCommandArgs)
	if !ok || value.Type() != pcommon.ValueTypeSlice {
		return
	}
	list := value.Slice()
	if slot, ok := p.slots[logsource.AuditCount]; ok {
		s.AddInt(slot, int64(list.Len()))
	}
	for n := range min(list.Len(), p.most+1) {
		slot, ok := p.arguments[n]
		if !ok {
			continue
		}
		text := list.At(n).AsString()
		s.AddString(slot, text)
		if hex, encoded := logsource.AuditText(text); encoded {
			s.AddString(slot, hex)
		}
	}
}

// longestCommand is how many bytes of a program's name the kernel keeps.
const longestCommand = 15

// command is the name the kernel has for a process: that of the file it was told to run, cut.
func command(attrs pcommon.Map) string {
	name := attribute(attrs, event.AttrProcessExecutableName)
	if invoked := attribute(attrs, event.AttrProcessInvokedPath); invoked != "" {
		name = path.Base(invoked)
	}
	return name[:min(len(name), longestCommand)]
}

func attribute(attrs pcommon.Map, name string) string {
	value, ok := attrs.Get(name)
	if !ok {
		return ""
	}
	return value.AsString()
}
