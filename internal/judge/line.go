// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/logsource"
	"github.com/vedette-sec/vedette/pkg/sigma/engine"
)

// Attributes by which a pipeline says which Sigma log source a log line belongs to.
const (
	AttrSigmaService  = "sigma.logsource.service"
	AttrSigmaCategory = "sigma.logsource.category"
)

// programAttributes name the program that wrote a line, as receivers for syslog, the journal and
// containers have it; the first that is there counts.
var programAttributes = []string{"appname", "syslog.appname", "SYSLOG_IDENTIFIER", "_COMM", "process.executable.name"}

// message is where the journal has the text of a line.
const message = "MESSAGE"

// matchLine judges a record that is none of the vocabulary's events.
func (r *Record) matchLine(log plog.LogRecord, resource pcommon.Map) {
	views := r.lineViews(log)
	if len(views) == 0 {
		return
	}
	s := r.scanner
	s.Reset()
	r.readAll(resource)
	r.readAll(log.Attributes())
	body := log.Body()
	if body.Type() == pcommon.ValueTypeMap {
		r.readAll(body.Map())
	}
	addLineKeywords(s, body)
	for _, v := range views {
		r.match(v)
	}
}

func addLineKeywords(s *engine.Scanner, body pcommon.Value) {
	switch body.Type() {
	case pcommon.ValueTypeEmpty:
	case pcommon.ValueTypeMap:
		if text, ok := body.Map().Get(message); ok {
			s.AddKeyword(text.AsString())
			return
		}
		s.AddKeyword(body.AsString())
	default:
		s.AddKeyword(body.AsString())
	}
}

// lineViews tells which rules look at a line.
func (r *Record) lineViews(log plog.LogRecord) []*view {
	var views []*view
	add := func(name string) {
		if v := r.judge.views[name]; v != nil {
			views = append(views, v)
		}
	}
	category := lineText(log, AttrSigmaCategory)
	services := lineServices(log)
	if category == "" && len(services) == 0 {
		add(logsource.Lines)
		return views
	}
	if category != "" {
		add(logsource.LinesOf(category))
	}
	for _, service := range services {
		add(logsource.LinesOf(service))
	}
	add(logsource.LinesOf(""))
	return views
}

func lineServices(log plog.LogRecord) []string {
	if service := lineText(log, AttrSigmaService); service != "" {
		return []string{service}
	}
	for _, name := range programAttributes {
		if program := lineText(log, name); program != "" {
			return logsource.ServicesOf(program)
		}
	}
	return nil
}

// lineText gives the text of an attribute, or of a field of the body.
func lineText(log plog.LogRecord, name string) string {
	if value, ok := log.Attributes().Get(name); ok {
		return value.AsString()
	}
	if body := log.Body(); body.Type() == pcommon.ValueTypeMap {
		if value, ok := body.Map().Get(name); ok {
			return value.AsString()
		}
	}
	return ""
}
