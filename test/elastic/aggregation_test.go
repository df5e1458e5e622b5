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
	"github.com/vedette-sec/vedette/internal/event"
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

// TestDashboardsCountRight asks the server what panels of the dashboards ask, and compares with what the story says.
func TestDashboardsCountRight(t *testing.T) {
	url := node(t, server.Elasticsearch).URL
	_, err := client(t, url).Install(t.Context(), false)
	require.NoError(t, err)
	s := start(t, map[string]any{"endpoint": url, "data_stream": map[string]any{"namespace": "story"}})
	require.NoError(t, s.ConsumeLogs(t.Context(), story(t)))
	require.Equal(t, 120, count(t, url, "logs-vedette.*-story"))
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
	if p.Value.Op != "" {
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
	for _, b := range aggregations["by"].(map[string]any)["buckets"].([]any) {
		bucket := b.(map[string]any)
		name, ok := bucket["key_as_string"].(string)
		if !ok {
			name = fmt.Sprint(bucket["key"])
		}
		flatten(values, strings.TrimPrefix(key+"|"+name, "|"), bucket)
	}
}
