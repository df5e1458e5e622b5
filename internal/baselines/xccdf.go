// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/vedette-sec/vedette/internal/visible"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// The parts of XCCDF 1.2 that a report has something for. A benchmark is around the results, as auditors' programs read it.
type (
	xccdfBenchmark struct {
		XMLName xml.Name        `xml:"http://checklists.nist.gov/xccdf/1.2 Benchmark"`
		ID      string          `xml:"id,attr"`
		Status  string          `xml:"status"`
		Title   xccdfText       `xml:"title"`
		About   xccdfText       `xml:"description"`
		Version string          `xml:"version"`
		Maker   xccdfMaker      `xml:"metadata"`
		Profile *xccdfProfile   `xml:"Profile"`
		Rules   []xccdfRule     `xml:"Rule"`
		Result  xccdfTestResult `xml:"TestResult"`
	}
	xccdfText struct {
		Language string `xml:"http://www.w3.org/XML/1998/namespace lang,attr,omitempty"`
		Text     string `xml:",chardata"`
	}
	xccdfMaker struct {
		Creator string `xml:"http://purl.org/dc/elements/1.1/ creator"`
	}
	xccdfProfile struct {
		ID    string    `xml:"id,attr"`
		Title xccdfText `xml:"title"`
	}
	xccdfRef struct {
		ID string `xml:"idref,attr"`
	}
	xccdfBenchmarkRef struct {
		ID   string `xml:"id,attr"`
		Href string `xml:"href,attr"`
	}
	xccdfCheck struct {
		System string `xml:"system,attr"`
	}
	xccdfRule struct {
		ID        string      `xml:"id,attr"`
		Severity  string      `xml:"severity,attr"`
		Weight    string      `xml:"weight,attr"`
		Title     xccdfText   `xml:"title"`
		Rationale *xccdfText  `xml:"rationale"`
		Idents    []xccdfItem `xml:"ident"`
		Check     *xccdfCheck `xml:"check"`
	}
	xccdfItem struct {
		System string `xml:"system,attr"`
		Text   string `xml:",chardata"`
	}
	xccdfTestResult struct {
		ID        string            `xml:"id,attr"`
		Start     string            `xml:"start-time,attr"`
		End       string            `xml:"end-time,attr"`
		Version   string            `xml:"version,attr"`
		System    string            `xml:"test-system,attr"`
		Benchmark xccdfBenchmarkRef `xml:"benchmark"`
		Title     xccdfText         `xml:"title"`
		Profile   *xccdfRef         `xml:"profile"`
		Target    string            `xml:"target"`
		Results   []xccdfRuleResult `xml:"rule-result"`
		Scores    []xccdfScore      `xml:"score"`
	}
	xccdfRuleResult struct {
		Rule     string         `xml:"idref,attr"`
		Time     string         `xml:"time,attr"`
		Severity string         `xml:"severity,attr"`
		Weight   string         `xml:"weight,attr"`
		Result   string         `xml:"result"`
		Override *xccdfOverride `xml:"override"`
		Idents   []xccdfItem    `xml:"ident"`
		Messages []xccdfMessage `xml:"message"`
		Check    *xccdfCheck    `xml:"check"`
	}
	xccdfOverride struct {
		Time      string `xml:"time,attr"`
		Authority string `xml:"authority,attr"`
		Old       string `xml:"old-result"`
		New       string `xml:"new-result"`
		Remark    string `xml:"remark"`
	}
	xccdfMessage struct {
		Severity string `xml:"severity,attr"`
		Text     string `xml:",chardata"`
	}
	xccdfScore struct {
		System  string `xml:"system,attr"`
		Maximum string `xml:"maximum,attr"`
		Text    string `xml:",chardata"`
	}
)

// xccdfVerdicts are the words for verdicts. A waived rule fails; that this is accepted is told by an override.
var xccdfVerdicts = map[baseline.Verdict]string{
	baseline.Pass: "pass", baseline.Fail: "fail", baseline.Waived: "informational", baseline.Failure: "error",
	baseline.Manual: "notchecked", baseline.NotApplicable: "notapplicable",
}

// xccdfSeverities know nothing worse than high.
var xccdfSeverities = map[baseline.Severity]string{
	baseline.Low: "low", baseline.Medium: "medium", baseline.High: "high", baseline.Critical: "high",
}

const (
	xccdfNamespace = "com.github.vedette-sec"
	xccdfVersion   = "1"
	xccdfSystem    = "urn:vedette:baseline" // by which rules are checked
)

var notInID = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// xccdfID makes the form that ids of each kind must have.
func xccdfID(kind, name string) string {
	return fmt.Sprintf("xccdf_%s_%s_%s", xccdfNamespace, kind, notInID.ReplaceAllString(name, "-"))
}

func writeXCCDF(w io.Writer, r *Report, v View) error {
	text := func(t baseline.Text) xccdfText { return xccdfText{v.Language, t.In(v.Language)} }
	b := xccdfBenchmark{
		ID: xccdfID("benchmark", r.Template), Status: "draft", Title: text(r.Title), About: text(xccdfAbout), Version: xccdfVersion,
		Maker: xccdfMaker{"Vedette"},
		Result: xccdfTestResult{
			ID: xccdfID("testresult", cmp.Or(r.Profile, "all")), Start: xccdfTime(r.Started), End: xccdfTime(r.ended()), Version: xccdfVersion,
			System: strings.TrimSuffix("cpe:/a:vedette-sec:vedette:"+v.Version, ":"), Benchmark: xccdfBenchmarkRef{xccdfID("benchmark", r.Template), "#"},
			Title: text(r.Title), Target: r.Host.Name,
		},
	}
	if r.Profile != "" {
		id := xccdfID("profile", r.Profile)
		b.Profile, b.Result.Profile = &xccdfProfile{id, xccdfText{v.Language, r.Profile}}, &xccdfRef{id}
	}
	for _, result := range r.Results {
		rule := xccdfRule{
			ID: xccdfID("rule", result.Rule), Severity: xccdfSeverities[result.Severity], Weight: weightOf(result), Title: text(result.Title), Idents: idents(result),
			Check: checkOf(result),
		}
		if about := text(result.About); about.Text != "" {
			rule.Rationale = &about
		}
		b.Rules = append(b.Rules, rule)
		b.Result.Results = append(b.Result.Results, xccdfResultOf(r, result, v.Language))
	}
	b.Result.Scores = []xccdfScore{flatScore(r)}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(b); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

var xccdfAbout = baseline.Text{EN: "How a host is configured, by the rules of a template of Vedette.", ZH: "按 Vedette 模板的规则核查主机配置。"}

// flatScore adds weights as XCCDF's flat model does: errors count as what did not pass.
func flatScore(r *Report) xccdfScore {
	passed, all := 0, 0
	for _, result := range r.Results {
		switch result.Verdict {
		case baseline.Pass:
			passed += weights[result.Severity]
			all += weights[result.Severity]
		case baseline.Fail, baseline.Failure:
			all += weights[result.Severity]
		}
	}
	return xccdfScore{"urn:xccdf:scoring:flat", fmt.Sprint(all), fmt.Sprint(passed)}
}

// checkOf says by what a rule is checked, nil where a person does it.
func checkOf(r Result) *xccdfCheck {
	if r.Verdict == baseline.Manual {
		return nil
	}
	return &xccdfCheck{xccdfSystem}
}

func xccdfTime(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func weightOf(r Result) string { return fmt.Sprint(weights[r.Severity]) }

func idents(r Result) []xccdfItem {
	var all []xccdfItem
	for _, clause := range clauseList(r.Maps) {
		standard, id, _ := strings.Cut(clause, " ")
		all = append(all, xccdfItem{"urn:vedette:" + standard, id})
	}
	return all
}

func xccdfResultOf(r *Report, result Result, language string) xccdfRuleResult {
	told := xccdfRuleResult{Rule: xccdfID("rule", result.Rule), Time: xccdfTime(r.ended()), Severity: xccdfSeverities[result.Severity], Weight: weightOf(result),
		Result: xccdfVerdicts[result.Verdict], Idents: idents(result), Check: checkOf(result)}
	if w := result.Waiver; w != nil {
		told.Override = &xccdfOverride{xccdfTime(r.Started), w.Approver, "fail", told.Result, w.Reason + " (" + w.Owner + ", until " + lastDay(w) + ")"}
	}
	if reason := result.reason().In(language); reason != "" {
		told.Messages = append(told.Messages, xccdfMessage{"info", visible.Text(reason)})
	}
	for _, e := range result.Evidence {
		if !e.OK {
			told.Messages = append(told.Messages, xccdfMessage{"error", Describe(e, language)})
		}
	}
	return told
}
