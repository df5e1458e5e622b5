// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/config"
	"github.com/vedette-sec/vedette/internal/elastic/kibana"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/baseline"
	"github.com/vedette-sec/vedette/pkg/policy"
	"github.com/vedette-sec/vedette/test/internal/server"
)

// story makes 120 records, thirty each of programs, files, connections and alerts, on three hosts.
func story(t *testing.T) plog.Logs {
	t.Helper()
	logs := plog.NewLogs()
	for i := range 120 {
		rl := logs.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr(event.AttrHostName, fmt.Sprintf("web-%d", i%3))
		lr := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i) * time.Second)))
		n := i / 4 // 0 to 29 in each kind
		attributes := map[string]any{event.AttrProcessExecutablePath: "/usr/bin/nc", event.AttrProcessExecutableName: "nc", event.AttrProcessUserName: "root"}
		switch i % 4 {
		case 0:
			lr.SetEventName(event.KindProcessExec)
			attributes[event.AttrProcessParentExecutablePath] = []string{"/usr/sbin/sshd", "/usr/bin/bash", "/usr/bin/bash"}[n%3]
		case 1:
			lr.SetEventName(event.KindFileOpen)
			attributes[event.AttrFilePath] = fmt.Sprintf("/etc/%d", n%6)
		case 2:
			lr.SetEventName(event.KindNetworkConnect)
			attributes[event.AttrDestinationAddress] = fmt.Sprintf("192.0.2.%d", n%10)
			attributes[event.AttrDestinationPort] = 443
		case 3:
			lr.SetEventName(event.KindSecurityAlert)
			lr.SetSeverityNumber([]plog.SeverityNumber{plog.SeverityNumberFatal, plog.SeverityNumberError}[n%2])
			attributes[event.AttrVedetteEventName] = event.KindNetworkConnect
			attributes[event.AttrSecurityRuleName] = fmt.Sprintf("rule %d", n%5)
			attributes[event.AttrThreatTacticName] = []any{[]string{"Execution", "Persistence"}[n%2]}
			attributes[event.AttrThreatTechniqueName] = []any{[]string{"Unix Shell", "Cron"}[n%2]}
			attributes[event.AttrVedetteEventsLost] = n % 2
			attributes[event.AttrHostRiskCalculatedScore] = n
		}
		for name, value := range attributes {
			require.NoError(t, lr.Attributes().PutEmpty(name).FromRaw(value))
		}
	}
	return logs
}

// guarded makes what policies and a baseline tell: verdicts of two policies, and two scans on two hosts after which one
// rule drifted.
func guarded(t *testing.T) plog.Logs {
	t.Helper()
	logs := plog.NewLogs()
	add := func(second int, host, kind string, attributes map[string]any) {
		rl := logs.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr(event.AttrHostName, host)
		lr := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(second) * time.Second)))
		lr.SetEventName(kind)
		require.NoError(t, lr.Attributes().FromRaw(attributes))
	}
	for i := range 12 {
		kind, strength := event.KindEnforcementDenied, enforce.Prevented
		if i%3 == 2 {
			kind, strength = event.KindEnforcementAudited, enforce.Detected
		}
		add(i, "db-1", kind, map[string]any{
			event.AttrVedettePolicyName: []string{"database", "web-root"}[i%2], event.AttrVedettePolicyStrength: string(strength),
			event.AttrVedettePolicyMode: string(policy.Enforce), event.AttrVedettePolicyFolded: i % 2,
		})
	}
	add(12, "db-1", event.KindResponseAction, map[string]any{event.AttrVedetteResponseOutcome: "refused", event.AttrVedetteResponseReason: "protected"})
	for scan, score := range []int{90, 70} {
		for i, host := range []string{"db-1", "db-2"} {
			attributes := map[string]any{event.AttrEventKind: "state", event.AttrVedetteBaselineTemplate: "mlps-l3", event.AttrVedetteBaselineScore: score - i}
			add(100*scan+i, host, event.KindBaselineSummary, attributes)
			for rule := range 4 {
				verdict := baseline.Pass
				if rule <= scan {
					verdict = baseline.Fail
				}
				add(100*scan+i, host, event.KindBaselineRule, map[string]any{
					event.AttrEventKind: "state", event.AttrSecurityRuleUUID: fmt.Sprint("rule-", rule), event.AttrVedetteBaselineVerdict: string(verdict),
					event.AttrVedetteBaselineMlps: []any{fmt.Sprintf("8.1.4.1.%c", 'a'+rule%2)},
				})
			}
		}
	}
	add(200, "db-1", event.KindBaselineDrift, map[string]any{event.AttrSecurityRuleUUID: "rule-1", event.AttrVedetteBaselineDriftState: "begun", event.AttrVedetteBaselineVerdict: string(baseline.Fail)})
	return logs
}

// TestDashboardsCountRight asks the server what panels of the dashboards ask, and compares with what the story says.
func TestDashboardsCountRight(t *testing.T) {
	url := node(t, server.Elasticsearch).URL
	_, err := client(t, url).Install(t.Context(), false)
	require.NoError(t, err)
	s := start(t, map[string]any{"endpoint": url, "data_stream": map[string]any{"namespace": "story"}})
	require.NoError(t, s.ConsumeLogs(t.Context(), story(t)))
	require.NoError(t, s.ConsumeLogs(t.Context(), guarded(t)))
	require.Equal(t, 120+12+1+20+1, count(t, url, "logs-vedette.*-story"))
	for _, tc := range []struct {
		dashboard, panel string
		want             map[string]float64
	}{
		{"overview", "Alerts", map[string]float64{"": 30}},
		{"overview", "Critical alerts", map[string]float64{"": 15}},
		{"overview", "Hosts with alerts", map[string]float64{"": 3}},
		{"overview", "Events", map[string]float64{"": 90}},
		{"overview", "Events lost before alerts", map[string]float64{"": 15}},
		{"overview", "Hosts with most alerts", map[string]float64{"web-0": 10, "web-1": 10, "web-2": 10}},
		{"overview", "Risk of hosts", map[string]float64{"web-0": 27, "web-1": 28, "web-2": 29}},
		{"overview", "Rules that raised most alerts", map[string]float64{
			"rule 0|fatal": 3, "rule 1|fatal": 3, "rule 2|fatal": 3, "rule 3|fatal": 3, "rule 4|fatal": 3,
			"rule 0|error": 3, "rule 1|error": 3, "rule 2|error": 3, "rule 3|error": 3, "rule 4|error": 3}},
		{"overview", "Events by class", map[string]float64{"2026-03-04|vedette.process": 30, "2026-03-04|vedette.file": 30, "2026-03-04|vedette.network": 30}},
		{"attack", "Techniques by tactic", map[string]float64{"Execution|Unix Shell": 15, "Persistence|Cron": 15}},
		{"host", "Parents and children", map[string]float64{"sshd|nc": 10, "bash|nc": 20}},
		{"host", "Files written", map[string]float64{"/etc/0|nc": 5, "/etc/1|nc": 5, "/etc/2|nc": 5, "/etc/3|nc": 5, "/etc/4|nc": 5, "/etc/5|nc": 5}},
		{"protection", "Refused by policies", map[string]float64{"": 8}},
		{"protection", "Only reported", map[string]float64{"": 4}},
		{"protection", "Responses that were not", map[string]float64{"": 1}},
		{"protection", "Why not", map[string]float64{"protected|db-1": 1}},
		{"protection", "By policy", map[string]float64{
			"prevented|database": 4, "prevented|web-root": 4, "detected only|database": 2, "detected only|web-root": 2}},
		{"baseline", "Hosts judged", map[string]float64{"": 2}},
		{"baseline", "Rules that fail", map[string]float64{"": 2}},
		{"baseline", "Times that a rule drifted", map[string]float64{"": 1}},
		{"baseline", "Score of hosts", map[string]float64{"db-1|mlps-l3": 70, "db-2|mlps-l3": 69}},
		{"baseline", "Items of GB/T 22239", map[string]float64{
			"fail|8.1.4.1.a": 1, "fail|8.1.4.1.b": 1, "pass|8.1.4.1.a": 1, "pass|8.1.4.1.b": 2}},
		{"network", "Programs that connect", map[string]float64{"/usr/bin/nc": 10}},
	} {
		t.Run(tc.panel, func(t *testing.T) {
			assert.Equal(t, tc.want, ask(t, url, panel(t, tc.dashboard, tc.panel)))
		})
	}
}

func panel(t *testing.T, dashboard, title string) kibana.Panel {
	t.Helper()
	text, err := config.Files.ReadFile(config.Dashboards)
	require.NoError(t, err)
	spec, err := kibana.Parse(text)
	require.NoError(t, err)
	for _, d := range spec.Dashboards {
		for _, p := range d.Panels {
			if d.ID == dashboard && p.Title == title {
				return p
			}
		}
	}
	require.Fail(t, "there is no such panel", "%s: %s", dashboard, title)
	return kibana.Panel{}
}

// ask makes the aggregation that Lens makes of a panel, and returns the values by their keys.
func ask(t *testing.T, url string, p kibana.Panel) map[string]float64 {
	t.Helper()
	// What the panels use of KQL is Lucene's syntax, but for the case of its words.
	query := strings.NewReplacer(" or ", " OR ", " and ", " AND ", "not ", "NOT ", " : ", ":").Replace(kibana.Query(p))
	aggregations := map[string]any{"value": map[string]any{"value_count": map[string]any{"field": "@timestamp"}}}
	switch p.Value.Op {
	case "":
	case "last":
		aggregations = map[string]any{"last": map[string]any{"top_hits": map[string]any{
			"size": 1, "sort": []any{map[string]any{"@timestamp": "desc"}}, "docvalue_fields": []any{p.Value.Field}, "_source": false}}}
	default:
		kind := map[string]string{"unique": "cardinality", "sum": "sum", "max": "max"}[p.Value.Op]
		aggregations = map[string]any{"value": map[string]any{kind: map[string]any{"field": p.Value.Field}}}
	}
	for i := len(p.By) - 1; i >= 0; i-- {
		by := map[string]any{"terms": map[string]any{"field": p.By[i].Field, "size": p.By[i].Size}, "aggs": aggregations}
		if p.By[i].Time {
			by = map[string]any{"date_histogram": map[string]any{"field": "@timestamp", "calendar_interval": "day", "format": "yyyy-MM-dd"}, "aggs": aggregations}
		}
		aggregations = map[string]any{"by": by}
	}
	body, err := json.Marshal(map[string]any{"size": 0, "query": map[string]any{"query_string": map[string]any{"query": query}}, "aggs": aggregations})
	require.NoError(t, err)
	answer := must(t, http.MethodPost, url+"/logs-vedette.*-story/_search", string(body))
	values := map[string]float64{}
	flatten(values, "", answer["aggregations"].(map[string]any))
	return values
}

func flatten(values map[string]float64, key string, aggregations map[string]any) {
	if value, ok := aggregations["value"].(map[string]any); ok {
		values[key], _ = value["value"].(float64)
		return
	}
	if last, ok := aggregations["last"].(map[string]any); ok {
		hit := last["hits"].(map[string]any)["hits"].([]any)[0].(map[string]any)
		for _, value := range hit["fields"].(map[string]any) {
			values[key], _ = value.([]any)[0].(float64)
		}
		return
	}
	for _, b := range aggregations["by"].(map[string]any)["buckets"].([]any) {
		bucket := b.(map[string]any)
		name, ok := bucket["key_as_string"].(string)
		if !ok {
			name = fmt.Sprint(bucket["key"])
		}
		flatten(values, strings.TrimPrefix(key+"|"+name, "|"), bucket)
	}
}
