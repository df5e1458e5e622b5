// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/judge"
	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/pkg/sigma"
)

// sigmaEvent is an event in the words of a Sigma log source, as tests have it.
type sigmaEvent struct {
	source   sigma.LogSource
	fields   map[string]any
	keywords []string
}

// form is a log record that an event may come as.
type form struct {
	name string // the kind of event, or the kind of line
	log  plog.LogRecord
}

// forms makes of an event the log records that serve its log source: one for each kind of event, and one that is a line of
// a log. An event of ours stands for several records of the audit system at once, so a test for audit records, which
// describes one of them, is judged as that record, which is a line.
func (e sigmaEvent) forms() []form {
	binding := logsource.For(e.source)
	var all []form
	lines := false
	for _, view := range binding.Views {
		switch {
		case logsource.IsLines(view):
			lines = true
		case !strings.EqualFold(e.source.Service, logsource.Auditd) || e.source.Category != "":
			all = append(all, form{view, e.record(view, binding)})
		}
	}
	if lines {
		name := "a line of a log"
		if source := cmp.Or(e.source.Category, e.source.Service); source != "" {
			name = "a line of " + source
		}
		all = append(all, form{name, e.line()})
	}
	return all
}

// record makes an event of the vocabulary. Of a field with several values each attribute that it means takes one, and
// the last of them the rest.
func (e sigmaEvent) record(kind string, binding logsource.Binding) plog.LogRecord {
	log := plog.NewLogRecord()
	log.SetEventName(kind)
	for field, value := range e.fields {
		attributes, _ := binding.Attributes(field)
		values, several := value.([]any)
		if !several {
			values = []any{value}
		}
		for i, name := range attributes[:min(len(attributes), len(values))] {
			if last := i == len(attributes)-1; last && len(values) > len(attributes) {
				put(log.Attributes(), name, values[i:])
			} else {
				put(log.Attributes(), name, values[i])
			}
		}
	}
	if len(e.keywords) > 0 {
		texts := log.Body().SetEmptySlice()
		for _, text := range e.keywords {
			texts.AppendEmpty().SetStr(text)
		}
	}
	return log
}

// line makes a line of a log, whose fields go by their own names. Its text is one, so that several keywords become lines
// of it.
func (e sigmaEvent) line() plog.LogRecord {
	log := plog.NewLogRecord()
	for field, value := range e.fields {
		put(log.Attributes(), field, value)
	}
	if e.source.Service != "" {
		log.Attributes().PutStr(judge.AttrSigmaService, e.source.Service)
	}
	if e.source.Category != "" {
		log.Attributes().PutStr(judge.AttrSigmaCategory, e.source.Category)
	}
	if len(e.keywords) > 0 {
		log.Body().SetStr(strings.Join(e.keywords, "\n"))
	}
	return log
}

// put writes a value of a test, whose types attributes have too.
func put(attributes pcommon.Map, name string, value any) {
	_ = attributes.PutEmpty(name).FromRaw(value)
}

// matches reports whether a rule of the judge matches the record that was given to it.
func matches(record *judge.Record, log plog.LogRecord, rule int) bool {
	return slices.Contains(record.Matches(log, pcommon.NewMap()), rule)
}
