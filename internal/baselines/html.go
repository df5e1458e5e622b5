// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/vedette-sec/vedette/internal/visible"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

//go:embed report.gohtml
var reportText string

// words are what the page says, by the name in it.
var words = map[string]baseline.Text{
	"fail": {EN: "Fail", ZH: "不符合"}, "error": {EN: "Error", ZH: "检查出错"}, "waived": {EN: "Waived", ZH: "已豁免"}, "manual": {EN: "Manual", ZH: "人工核查"},
	"pass": {EN: "Pass", ZH: "符合"}, "not_applicable": {EN: "Not applicable", ZH: "不适用"},
	"low": {EN: "Low", ZH: "低"}, "medium": {EN: "Medium", ZH: "中"}, "high": {EN: "High", ZH: "高"}, "critical": {EN: "Critical", ZH: "严重"},
	"not": {EN: "Does not conform", ZH: "不符合"}, "partly": {EN: "Conforms partly", ZH: "部分符合"}, "open": {EN: "To be judged", ZH: "待人工判定"},
	"conforms": {EN: "Conforms", ZH: "符合"}, "not_about": {EN: "Not applicable", ZH: "不适用"},
	"report": {EN: "Baseline report", ZH: "安全基线核查报告"}, "score": {EN: "Score", ZH: "得分"}, "rules": {EN: "Rules", ZH: "规则"}, "rule": {EN: "Rule", ZH: "规则"},
	"host": {EN: "Host", ZH: "主机"}, "time": {EN: "Time", ZH: "时间"}, "template": {EN: "Template", ZH: "模板"}, "clauses": {EN: "Clauses", ZH: "条款"},
	"clause": {EN: "Clause", ZH: "条款"}, "conformity": {EN: "Conformity", ZH: "符合情况"}, "verdicts": {EN: "Verdicts", ZH: "结果分布"},
	"severity": {EN: "Severity", ZH: "严重程度"}, "found": {EN: "Found", ZH: "实际值"}, "expected": {EN: "Expected", ZH: "期望值"}, "where": {EN: "Where", ZH: "位置"},
	"what": {EN: "What", ZH: "对象"}, "reason": {EN: "Reason", ZH: "说明"}, "waiver": {EN: "Waived by", ZH: "豁免批准人"}, "until": {EN: "until", ZH: "有效期至"},
	"filter": {EN: "Show", ZH: "显示"}, "all": {EN: "all", ZH: "全部"}, "more": {EN: "more findings", ZH: "条其他证据"}, "other": {EN: "Other rules", ZH: "其他规则"},
	"stale": {EN: "Waivers that have expired or are about no rule", ZH: "已过期或无对应规则的豁免"},
}

// both gives a text in both languages; the page shows one of them.
func both(t baseline.Text) template.HTML {
	escape := template.HTMLEscapeString
	return template.HTML(`<span lang="en">` + escape(t.EN) + `</span><span lang="zh">` + escape(t.In("zh")) + `</span>`)
}

// word gives a word of the page in both languages; what is none stays as it is.
func word(name any) template.HTML {
	key := fmt.Sprint(name)
	if t, ok := words[key]; ok {
		return both(t)
	}
	return both(baseline.Text{EN: key})
}

// part is one of a chart.
type part struct {
	Name    string
	Count   int
	Percent float64
	Offset  float64 // where it begins
}

// partsOf gives parts of a whole; parts that are nothing are left out.
func partsOf(names []string, count func(string) int) []part {
	total, all := 0, []part{}
	for _, name := range names {
		total += count(name)
	}
	offset := 0.0
	for _, name := range names {
		if n := count(name); n > 0 {
			percent := float64(n) * 100 / float64(total)
			all = append(all, part{name, n, percent, offset})
			offset += percent
		}
	}
	return all
}

// dict gives a template named arguments.
func dict(title, titleValue, parts string, partsValue any) map[string]any {
	return map[string]any{title: titleValue, parts: partsValue}
}

// page is what the template of the report is given.
type page struct {
	*Report
	Language   string
	Clauses    []Clause
	Sections   []Clause // the same with each rule once
	Verdicts   []part
	Conformity []part
	Severities []severityRow
}

// severityRow are the rules that fail and pass by severity.
type severityRow struct {
	Severity baseline.Severity
	Parts    []part
}

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"both": both, "word": word, "dict": dict, "lastDay": lastDay, "clauseList": func(m map[string][]string) string { return strings.Join(clauseList(m), ", ") },
	"dash": func(percent float64) string { return fmt.Sprintf("%.3f %.3f", percent, 100-percent) },
	"turn": func(offset float64) string { return fmt.Sprintf("%.3f", 25-offset) },
	"found": func(e baseline.Evidence) template.HTML {
		return both(baseline.Text{EN: visible.Text(e.ActualIn("en")), ZH: visible.Text(e.ActualIn("zh"))})
	},
	"wanted": func(e baseline.Evidence) template.HTML {
		return both(baseline.Text{EN: visible.Text(e.ExpectedIn("en")), ZH: visible.Text(e.ExpectedIn("zh"))})
	},
	"reason": func(r Result) baseline.Text { return r.reason() }, "visible": visible.Text,
	"text": func(name string) baseline.Text { return words[name] },
}).Parse(reportText))

// writeHTML writes one page that needs nothing else, in both languages with a switch.
func writeHTML(w io.Writer, r *Report, v View) error {
	p := page{Report: r, Language: v.Language, Clauses: r.Clauses()}
	p.Sections = onceEach(p.Clauses)
	var verdicts, steps []string
	for _, verdict := range baseline.Verdicts {
		verdicts = append(verdicts, string(verdict))
	}
	for _, c := range Conformities {
		steps = append(steps, string(c))
	}
	p.Verdicts = partsOf(verdicts, func(name string) int { return r.Summary[baseline.Verdict(name)] })
	p.Conformity = partsOf(steps, func(name string) int {
		n := 0
		for _, c := range p.Clauses {
			if c.ID != "" && c.Conformity == Conformity(name) {
				n++
			}
		}
		return n
	})
	for _, severity := range []baseline.Severity{baseline.Critical, baseline.High, baseline.Medium, baseline.Low} {
		p.Severities = append(p.Severities, severityRow{severity, partsOf(verdicts, func(name string) int { return r.count(severity, baseline.Verdict(name)) })})
	}
	return reportPage.Execute(w, p)
}

// onceEach leaves rules out of all clauses but the first that they are about, and clauses that are then empty.
func onceEach(clauses []Clause) []Clause {
	seen := map[string]bool{}
	var sections []Clause
	for _, c := range clauses {
		results := []Result{}
		for _, r := range c.Results {
			if !seen[r.Rule] {
				results = append(results, r)
			}
			seen[r.Rule] = true
		}
		if c.Results = results; len(results) > 0 {
			sections = append(sections, c)
		}
	}
	return sections
}

func (r *Report) count(s baseline.Severity, v baseline.Verdict) int {
	n := 0
	for _, result := range r.Results {
		if result.Severity == s && result.Verdict == v {
			n++
		}
	}
	return n
}
