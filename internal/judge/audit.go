// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"path"
	"regexp"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/pkg/sigma"
	"github.com/vedette-sec/vedette/pkg/sigma/engine"
)

// auditPlan writes what rules for audit records read of one kind of event. noSlot stands for what none reads.
type auditPlan struct {
	encoded                           bool // arguments are also asked for in hexadecimal
	kind                              string
	fixed                             map[string]*engine.Fixed // what depends on the kind, and on what was made or changed, only
	success, comm, user, group, count engine.Slot
	arguments                         []engine.Slot
}

// newAuditPlan returns nil where no rule that looks at the kind reads such a part. With encoded, arguments are
// also given in the hexadecimal form.
func newAuditPlan(slots map[string]engine.Slot, kind string, e *engine.Engine, needs []engine.Slot, encoded bool) *auditPlan {
	if _, ok := logsource.Audit(kind, ""); !ok {
		return nil
	}
	read := false
	find := func(name string) engine.Slot {
		if slot, ok := slots[name]; ok && slices.Contains(needs, slot) {
			read = true
			return slot
		}
		return noSlot
	}
	p := &auditPlan{
		kind: kind, encoded: encoded, fixed: fixedParts(kind, e, find),
		success: find(logsource.AuditSuccess), comm: find(logsource.AuditCommand),
		user: find(logsource.AuditUser), group: find(logsource.AuditGroup), count: find(logsource.AuditCount),
	}
	for name := range slots {
		n, ok := logsource.AuditArgumentNumber(name)
		if !ok || find(name) == noSlot {
			continue
		}
		for len(p.arguments) <= n {
			p.arguments = append(p.arguments, noSlot)
		}
		p.arguments[n] = slots[name]
	}
	if !read {
		return nil
	}
	return p
}

// fixedParts gives the parts that are the same for all events of a kind, by what was made or changed.
func fixedParts(kind string, e *engine.Engine, find func(name string) engine.Slot) map[string]*engine.Fixed {
	types, calls, numbers := find(logsource.AuditType), find(logsource.AuditCall), find(logsource.AuditNumber)
	nameType := find(logsource.AuditNameType)
	fixed := map[string]*engine.Fixed{}
	s := e.Acquire()
	defer s.Release()
	for _, what := range logsource.AuditVariants(kind) {
		record, _ := logsource.Audit(kind, what)
		s.Reset()
		addAll(s, types, record.Types)
		addAll(s, calls, record.Calls)
		if numbers != noSlot {
			for _, n := range record.Numbers {
				s.AddInt(numbers, n)
			}
		}
		if nameType != noSlot {
			s.AddString(nameType, logsource.NameType(kind))
		}
		fixed[what] = s.Fix()
	}
	return fixed
}

func (p *auditPlan) read(s *engine.Scanner, has *parts) {
	what := ""
	switch p.kind {
	case event.KindFileCreate:
		what = has.text(partFileType)
	case event.KindFileAttributes:
		what = has.text(partFileChange)
	}
	fixed, ok := p.fixed[what]
	if !ok {
		fixed = p.fixed[""]
	}
	s.AddFixed(fixed)
	if p.success != noSlot {
		success := "yes"
		if has.text(partOutcome) == "failure" {
			success = "no"
		}
		s.AddString(p.success, success)
	}
	if p.comm != noSlot {
		s.AddString(p.comm, command(has))
	}
	// The audit system always has both ids; an event has the real one only where it differs.
	addFirst(s, p.user, has, partRealUser, partUser)
	addFirst(s, p.group, has, partRealGroup, partGroup)
	if p.kind == event.KindProcessExec && (len(p.arguments) > 0 || p.count != noSlot) {
		p.readArguments(s, has)
	}
}

// hexadecimal is what a value looks like that can be an encoded argument, or a part of one.
var hexadecimal = regexp.MustCompile(`[0-9A-Fa-f]{6}|^[*?]*[0-9A-F]*[A-F][0-9A-F]*[*?]*$`)

// asksEncoded reports whether a rule may look for an argument in its hexadecimal form. Few do, and to encode
// costs more than to judge.
func asksEncoded(r *sigma.Rule) bool {
	for _, s := range r.Selections {
		for _, alternative := range s.Alternatives {
			for _, item := range alternative {
				if logsource.IsAuditArgument(item.Field) && slices.ContainsFunc(item.Values, func(v sigma.Value) bool {
					return hexadecimal.MatchString(v.Text)
				}) {
					return true
				}
			}
		}
	}
	return false
}

func addAll(s *engine.Scanner, slot engine.Slot, values []string) {
	if slot == noSlot {
		return
	}
	for _, v := range values {
		s.AddString(slot, v)
	}
}

// addFirst takes the first of two parts that is there.
func addFirst(s *engine.Scanner, slot engine.Slot, has *parts, first, second part) {
	switch {
	case slot == noSlot:
	case has.has(first):
		addValue(s, slot, has[first])
	case has.has(second):
		addValue(s, slot, has[second])
	}
}

// readArguments gives each argument as it is, and in the form in which audit records have it where they
// cannot hold it as it is.
func (p *auditPlan) readArguments(s *engine.Scanner, has *parts) {
	if !has.has(partArguments) || has[partArguments].Type() != pcommon.ValueTypeSlice {
		return
	}
	list := has[partArguments].Slice()
	if p.count != noSlot {
		s.AddInt(p.count, int64(list.Len()))
	}
	for n := range min(list.Len(), len(p.arguments)) {
		slot := p.arguments[n]
		if slot == noSlot {
			continue
		}
		text := list.At(n).AsString()
		s.AddString(slot, text)
		if !p.encoded {
			continue
		}
		if hex, different := logsource.AuditText(text); different {
			s.AddString(slot, hex)
		}
	}
}

// longestCommand is how many bytes of a program's name the kernel keeps.
const longestCommand = 15

// command is the name the kernel has for a process: that of the file it was told to run, cut.
func command(has *parts) string {
	name := has.text(partExecutable)
	if invoked := has.text(partInvoked); invoked != "" {
		name = path.Base(invoked)
	}
	return name[:min(len(name), longestCommand)]
}
