// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/baselines"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/hostid"
	"github.com/vedette-sec/vedette/internal/optional"
	"github.com/vedette-sec/vedette/pkg/baseline"
	"github.com/vedette-sec/vedette/receiver/baselinereceiver/internal/metadata"
)

// mostEvidence is how many pieces of evidence a record has.
const mostEvidence = 20

// The values of attributes that say why a record was written.
const (
	causeChange   = "change"
	causeSnapshot = "snapshot"
	driftBegun    = "begun"
	driftEnded    = "ended"
)

// By what changes of files are found.
const (
	fromSensor = "sensor"
	fromStamps = "stamps"
)

// logsOf writes the records of one scan by all templates.
func logsOf(findings []*finding, host hostid.Host, language string, observed time.Time) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	host.Describe(resource.Resource())
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	w := &recordWriter{records: scope.LogRecords(), language: language, observed: pcommon.NewTimestampFromTime(observed)}
	for _, f := range findings {
		w.write(f)
	}
	return logs
}

// recordWriter appends records.
type recordWriter struct {
	records  plog.LogRecordSlice
	language string
	observed pcommon.Timestamp
}

func (w *recordWriter) write(f *finding) {
	for _, r := range f.report.Results {
		before, known := f.previous[r.Rule.ID]
		if f.snapshot || !known || before != r.Verdict {
			w.rule(f, r)
		}
		if f.begun[r.Rule.ID] || f.ended[r.Rule.ID] {
			w.drift(f, r)
		}
	}
	w.summary(f)
}

// begin starts a record.
func (w *recordWriter) begin(f *finding, kind, ecsKind string) plog.LogRecord {
	record := w.records.AppendEmpty()
	record.SetEventName(kind)
	record.SetTimestamp(pcommon.NewTimestampFromTime(f.report.Started))
	record.SetObservedTimestamp(w.observed)
	record.SetSeverityNumber(plog.SeverityNumberInfo)
	attrs := record.Attributes()
	attrs.PutStr(event.AttrEventKind, ecsKind)
	attrs.PutStr(event.AttrVedetteBaselineTemplate, f.subject.template.ID)
	optional.PutStr(attrs, event.AttrVedetteBaselineProfile, f.subject.template.Profile)
	attrs.PutStr(event.AttrVedetteBaselineScanID, f.id)
	return record
}

func (w *recordWriter) rule(f *finding, r *baseline.Result) {
	record := w.begin(f, event.KindBaselineRule, "state")
	w.describe(record, f, r)
	cause := causeChange
	if f.snapshot {
		cause = causeSnapshot
	}
	record.Attributes().PutStr(event.AttrVedetteBaselineCause, cause)
	optional.PutStr(record.Attributes(), event.AttrVedetteBaselinePrevious, string(f.previous[r.Rule.ID]))
}

func (w *recordWriter) drift(f *finding, r *baseline.Result) {
	record := w.begin(f, event.KindBaselineDrift, "event")
	w.describe(record, f, r)
	attrs := record.Attributes()
	state := driftEnded
	if f.begun[r.Rule.ID] {
		state = driftBegun
	}
	attrs.PutStr(event.AttrVedetteBaselineDriftState, state)
	if f.approval == nil {
		return
	}
	optional.PutStr(attrs, event.AttrVedetteBaselineDriftApproved, string(f.approval.Verdicts[r.Rule.ID]))
	attrs.PutStr(event.AttrVedetteBaselineApprovalTime, f.approval.Time.Format(time.RFC3339Nano))
	optional.PutStr(attrs, event.AttrVedetteBaselineApprovalBy, f.approval.By)
}

// describe says what became of a rule.
func (w *recordWriter) describe(record plog.LogRecord, f *finding, r *baseline.Result) {
	record.SetSeverityNumber(severityOf(r))
	record.SetSeverityText(levelOf(r))
	record.Body().SetStr(w.message(r))
	attrs := record.Attributes()
	attrs.PutStr(event.AttrSecurityRuleUUID, r.Rule.ID)
	attrs.PutStr(event.AttrSecurityRuleName, r.Rule.Title.In(w.language))
	optional.PutStr(attrs, event.AttrSecurityRuleDescription, r.Rule.Rationale.In(w.language))
	attrs.PutStr(event.AttrSecurityRuleRulesetName, f.report.Baseline.Title.In(w.language))
	attrs.PutStr(event.AttrVedetteBaselineVerdict, string(r.Verdict))
	attrs.PutStr(event.AttrResultEvaluation, evaluationOf(r.Verdict))
	attrs.PutStr(event.AttrVedetteBaselineSeverity, string(r.Rule.Severity))
	optional.PutStr(attrs, event.AttrVedetteBaselineReason, r.Reason)
	putClauses(attrs, r.Rule.Maps)
	putEvidence(attrs, r, w.language)
	if r.Waiver != nil {
		attrs.PutStr(event.AttrVedetteBaselineWaiverApprover, r.Waiver.Approver)
		attrs.PutStr(event.AttrVedetteBaselineWaiverReason, r.Waiver.Reason)
		attrs.PutStr(event.AttrVedetteBaselineWaiverExpires, r.Waiver.Expires.Format(time.RFC3339Nano))
	}
}

// message is one line for people: the verdict, the rule, and what is wrong first.
func (w *recordWriter) message(r *baseline.Result) string {
	text := fmt.Sprintf("%s: %s: %s", strings.ReplaceAll(string(r.Verdict), "_", " "), r.Rule.ID, r.Rule.Title.In(w.language))
	switch wrong := firstWrong(r); {
	case wrong != nil:
		text += ": " + baselines.Describe(*wrong, w.language)
	case r.Reason != "":
		text += ": " + r.Reason
	}
	return text
}

// firstWrong is what was found that should not be, where that matters.
func firstWrong(r *baseline.Result) *baseline.Evidence {
	if len(r.Evidence) == 0 || r.Evidence[0].OK || r.Verdict != baseline.Fail && r.Verdict != baseline.Waived {
		return nil
	}
	return &r.Evidence[0]
}

// severities are those of records about rules that fail, as alerts have them.
var severities = map[baseline.Severity]plog.SeverityNumber{
	baseline.Low: plog.SeverityNumberInfo2, baseline.Medium: plog.SeverityNumberWarn,
	baseline.High: plog.SeverityNumberError, baseline.Critical: plog.SeverityNumberFatal,
}

func severityOf(r *baseline.Result) plog.SeverityNumber {
	switch r.Verdict {
	case baseline.Fail:
		return severities[r.Rule.Severity]
	case baseline.Failure:
		return plog.SeverityNumberWarn
	}
	return plog.SeverityNumberInfo
}

func levelOf(r *baseline.Result) string {
	switch r.Verdict {
	case baseline.Fail:
		return string(r.Rule.Severity)
	case baseline.Failure:
		return string(baseline.Medium)
	}
	return "informational"
}

func evaluationOf(v baseline.Verdict) string {
	switch v {
	case baseline.Pass:
		return "passed"
	case baseline.Fail, baseline.Waived:
		return "failed"
	}
	return "unknown"
}

// standards are those of which clauses have an attribute of their own, by the beginning of their names.
var standards = []struct{ prefix, attribute string }{
	{"mlps", event.AttrVedetteBaselineMlps}, {"gbt28448", event.AttrVedetteBaselineGbt28448}, {"cis", event.AttrVedetteBaselineCis},
}

func putClauses(attrs pcommon.Map, maps map[string][]string) {
	var all []string
	own := map[string][]string{}
	for standard, clauses := range maps {
		for _, clause := range clauses {
			all = append(all, standard+" "+clause)
			for _, s := range standards {
				if strings.HasPrefix(standard, s.prefix) {
					own[s.attribute] = append(own[s.attribute], clause)
				}
			}
		}
	}
	putSorted(attrs, event.AttrVedetteBaselineClauses, all)
	for _, s := range standards {
		putSorted(attrs, s.attribute, own[s.attribute])
	}
}

func putEvidence(attrs pcommon.Map, r *baseline.Result, language string) {
	if wrong := firstWrong(r); wrong != nil {
		attrs.PutStr(event.AttrVedetteBaselineSubject, strings.TrimSpace(wrong.Subject+" "+wrong.Field))
		attrs.PutStr(event.AttrVedetteBaselineActual, wrong.Actual)
		optional.PutStr(attrs, event.AttrVedetteBaselineExpected, wrong.Expected)
		optional.PutStr(attrs, event.AttrVedetteBaselineFile, wrong.File)
		if wrong.Line > 0 {
			attrs.PutInt(event.AttrVedetteBaselineLine, int64(wrong.Line))
		}
	}
	var lines []string
	for _, e := range r.Evidence[:min(len(r.Evidence), mostEvidence)] {
		lines = append(lines, baselines.Describe(e, language))
	}
	optional.PutStrs(attrs, event.AttrVedetteBaselineEvidence, lines)
}

func (w *recordWriter) summary(f *finding) {
	record := w.begin(f, event.KindBaselineSummary, "state")
	record.SetSeverityText("informational")
	attrs := record.Attributes()
	attrs.PutStr(event.AttrVedetteBaselineTrigger, string(f.trigger))
	attrs.PutStr(event.AttrVedetteBaselineChangeSource, f.source)
	attrs.PutInt(event.AttrEventDuration, f.report.Took.Nanoseconds())
	text := fmt.Sprintf("%s: %d rules", f.subject.template.ID, len(f.report.Results))
	if score, ok := baselines.Score(f.report.Results); ok {
		attrs.PutInt(event.AttrVedetteBaselineScore, int64(score))
		text += fmt.Sprintf(", score %d %%", score)
	}
	attrs.PutInt(event.AttrVedetteBaselineCountRules, int64(len(f.report.Results)))
	for verdict, attribute := range counts {
		attrs.PutInt(attribute, int64(f.report.Count(verdict)))
	}
	attrs.PutInt(event.AttrVedetteBaselineCountChanged, int64(f.changed))
	if f.approval != nil {
		attrs.PutInt(event.AttrVedetteBaselineCountDrifted, int64(f.drifted))
	}
	attrs.PutInt(event.AttrVedetteBaselineCountJudged, int64(f.report.Judged))
	attrs.PutInt(event.AttrVedetteBaselineCountStaleWaivers, int64(len(f.report.Stale)))
	record.Body().SetStr(fmt.Sprintf("%s: %d fail, %d errors, %d pass", text, f.report.Count(baseline.Fail), f.report.Count(baseline.Failure), f.report.Count(baseline.Pass)))
}

// counts are the attributes of how many rules have a verdict.
var counts = map[baseline.Verdict]string{
	baseline.Pass: event.AttrVedetteBaselineCountPass, baseline.Fail: event.AttrVedetteBaselineCountFail,
	baseline.Failure: event.AttrVedetteBaselineCountError, baseline.Waived: event.AttrVedetteBaselineCountWaived,
	baseline.Manual: event.AttrVedetteBaselineCountManual, baseline.NotApplicable: event.AttrVedetteBaselineCountNotApplicable,
}

// putSorted puts a list in order, each once.
func putSorted(attrs pcommon.Map, attribute string, items []string) {
	slices.Sort(items)
	optional.PutStrs(attrs, attribute, slices.Compact(items))
}
