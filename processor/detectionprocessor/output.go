// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

// output makes of a batch and its findings what is passed on.
func (d *detection) output(logs plog.Logs, findings []*finding) plog.Logs {
	switch d.cfg.Output {
	case OutputAnnotate:
		// What correlations find is about many events; it follows them as alerts.
		events, composite := byOrigin(findings)
		d.fold(composite)
		annotate(events)
		onlyAlerts(composite).ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
		return logs
	case OutputAppend:
		d.fold(findings)
		events, composite := byOrigin(findings)
		appendAlerts(events)
		onlyAlerts(composite).ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
		return logs
	default:
		d.fold(findings)
		return onlyAlerts(findings)
	}
}

// byOrigin parts the findings of rules from those of correlations, which come last.
func byOrigin(findings []*finding) (events, composite []*finding) {
	n := slices.IndexFunc(findings, func(f *finding) bool { return f.firing != nil })
	if n < 0 {
		return findings, nil
	}
	return findings[:n], findings[n:]
}

// onlyAlerts returns the alerts that pass, under copies of their events' resources and scopes.
func onlyAlerts(findings []*finding) plog.Logs {
	out := plog.NewLogs()
	var resource plog.ResourceLogs
	var scope plog.ScopeLogs
	var before *finding
	for _, f := range findings {
		if !f.verdict.Passes {
			continue
		}
		if before == nil || before.resource != f.resource {
			resource = out.ResourceLogs().AppendEmpty()
			f.resource.Resource().CopyTo(resource.Resource())
			resource.SetSchemaUrl(f.resource.SchemaUrl())
		}
		if before == nil || before.scope != f.scope {
			scope = resource.ScopeLogs().AppendEmpty()
			f.scope.Scope().CopyTo(scope.Scope())
			scope.SetSchemaUrl(f.scope.SchemaUrl())
		}
		f.write(scope.LogRecords().AppendEmpty())
		before = f
	}
	return out
}

// appendAlerts puts each alert that passes behind its event.
func appendAlerts(findings []*finding) {
	for len(findings) > 0 {
		n := run(findings, func(f *finding) plog.ScopeLogs { return f.scope })
		insert(findings[0].scope.LogRecords(), findings[:n])
		findings = findings[n:]
	}
}

// insert rebuilds the records of one scope with the alerts between them.
func insert(records plog.LogRecordSlice, findings []*finding) {
	merged := plog.NewLogRecordSlice()
	merged.EnsureCapacity(records.Len() + len(findings))
	for _, log := range records.All() {
		moved := merged.AppendEmpty()
		log.MoveTo(moved)
		for ; len(findings) > 0 && findings[0].log == log; findings = findings[1:] {
			findings[0].log = moved
			if findings[0].verdict.Passes {
				findings[0].write(merged.AppendEmpty())
			}
		}
	}
	records.RemoveIf(func(plog.LogRecord) bool { return true })
	merged.MoveAndAppendTo(records)
}

// annotate writes, on each event that rules match, what the most severe of them is and the ids of all.
func annotate(findings []*finding) {
	for len(findings) > 0 {
		n := run(findings, func(f *finding) plog.LogRecord { return f.log })
		annotateEvent(findings[:n])
		findings = findings[n:]
	}
}

func annotateEvent(findings []*finding) {
	attrs := findings[0].log.Attributes()
	ids := attrs.PutEmptySlice(event.AttrVedetteMatchedRules)
	for _, f := range findings {
		f.verdict.Passes = true
		ids.AppendEmpty().SetStr(f.rule.name())
	}
	slices.MaxFunc(findings, bySeverity).describe(attrs.PutEmpty)
}

func bySeverity(a, b *finding) int {
	return cmp.Compare(a.rule.level.severity, b.rule.level.severity)
}

// run returns how many findings at the front have the same part.
func run[T comparable](findings []*finding, part func(*finding) T) int {
	n := 1
	for n < len(findings) && part(findings[n]) == part(findings[0]) {
		n++
	}
	return n
}
