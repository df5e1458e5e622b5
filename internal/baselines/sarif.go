// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"net/url"
	"slices"
	"time"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// The parts of SARIF 2.1.0 that a report has something for.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool              sarifTool         `json:"tool"`
		Invocations       []sarifInvocation `json:"invocations"`
		AutomationDetails sarifID           `json:"automationDetails"`
		Results           []sarifResult     `json:"results"`
	}
	sarifID struct {
		ID string `json:"id"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string          `json:"id"`
		ShortDescription     sarifText       `json:"shortDescription"`
		FullDescription      *sarifText      `json:"fullDescription,omitempty"`
		DefaultConfiguration sarifLevel      `json:"defaultConfiguration"`
		Properties           sarifProperties `json:"properties"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifProperties struct {
		Tags     []string `json:"tags,omitempty"`
		Severity string   `json:"security-severity,omitempty"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool   `json:"executionSuccessful"`
		StartTimeUTC        string `json:"startTimeUtc"`
		EndTimeUTC          string `json:"endTimeUtc"`
		Machine             string `json:"machine,omitempty"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Kind         string             `json:"kind"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifURI     `json:"artifactLocation"`
		Region   *sarifRegion `json:"region,omitempty"`
	}
	sarifURI struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

// sarifKinds are the kinds of results; only failures have a level.
var sarifKinds = map[baseline.Verdict]string{
	baseline.Pass: "pass", baseline.Fail: "fail", baseline.Waived: "fail", baseline.Failure: "open",
	baseline.Manual: "review", baseline.NotApplicable: "notApplicable",
}

var sarifLevels = map[baseline.Severity]string{
	baseline.Low: "note", baseline.Medium: "warning", baseline.High: "error", baseline.Critical: "error",
}

// sarifSeverities are scores as code scanning shows them.
var sarifSeverities = map[baseline.Severity]string{
	baseline.Low: "3.0", baseline.Medium: "5.5", baseline.High: "8.0", baseline.Critical: "9.5",
}

// sarifOf gives a run with a result for each rule.
func sarifOf(r *Report, v View) *sarifLog {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "Vedette", Version: v.Version, InformationURI: "https://github.com/vedette-sec/vedette", Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{
			ExecutionSuccessful: true, StartTimeUTC: sarifTime(r.Started), EndTimeUTC: sarifTime(r.ended()), Machine: r.Host.Name,
		}},
		AutomationDetails: sarifID{r.Template + "/" + r.Profile}, Results: []sarifResult{},
	}
	for i, result := range r.Results {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(result, v))
		run.Results = append(run.Results, sarifResultOf(result, i, v))
	}
	return &sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

func (r *Report) ended() time.Time {
	return r.Started.Add(time.Duration(r.Seconds * float64(time.Second)))
}

func sarifTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

func sarifRuleOf(r Result, v View) sarifRule {
	rule := sarifRule{ID: r.Rule, ShortDescription: sarifText{r.Title.In(v.Language)}, DefaultConfiguration: sarifLevel{sarifLevels[r.Severity]},
		Properties: sarifProperties{Tags: clauseList(r.Maps), Severity: sarifSeverities[r.Severity]}}
	if about := r.About.In(v.Language); about != "" {
		rule.FullDescription = &sarifText{about}
	}
	return rule
}

func sarifResultOf(r Result, index int, v View) sarifResult {
	result := sarifResult{RuleID: r.Rule, RuleIndex: index, Kind: sarifKinds[r.Verdict], Level: "none", Message: sarifText{r.Title.In(v.Language)}}
	if result.Kind == "fail" {
		result.Level = sarifLevels[r.Severity]
	}
	if reason := r.reason().In(v.Language); reason != "" {
		result.Message.Text += ": " + reason
	}
	if wrong, ok := r.first(); ok {
		result.Message.Text += ": " + Describe(wrong, v.Language)
	}
	for _, e := range r.Evidence {
		if e.File != "" && !e.OK {
			result.Locations = append(result.Locations, sarifLocationOf(e))
		}
	}
	if r.Waiver != nil {
		result.Suppressions = []sarifSuppression{{"external", r.Waiver.Reason}}
	}
	return result
}

func sarifLocationOf(e baseline.Evidence) sarifLocation {
	at := sarifLocation{sarifPhysical{Artifact: sarifURI{(&url.URL{Scheme: "file", Path: e.File}).String()}}}
	if e.Line > 0 {
		at.Physical.Region = &sarifRegion{e.Line}
	}
	return at
}

// clauseList gives "standard clause" for each clause, in order.
func clauseList(maps map[string][]string) []string {
	var all []string
	for standard, ids := range maps {
		for _, id := range ids {
			all = append(all, standard+" "+id)
		}
	}
	slices.Sort(all)
	return all
}
