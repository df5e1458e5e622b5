// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/cli"
	"github.com/vedette-sec/vedette/internal/elastic"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/server"
)

func client(t *testing.T, url string) *elastic.Client {
	t.Helper()
	c, err := elastic.NewClient(elastic.Connection{URL: url})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func outcomes(r *elastic.Report) map[string]elastic.Outcome {
	all := map[string]elastic.Outcome{}
	for _, c := range r.Changes {
		all[c.Kind+"/"+c.Name] = c.Outcome
	}
	return all
}

// TestSetup installs, installs again, changes and removes on both servers, each of which lacks other things. The nodes
// are its own: templates that other tests' data streams use cannot be removed.
func TestSetup(t *testing.T) {
	for kind, want := range map[server.Kind]struct {
		pipeline elastic.Outcome
		note     string
	}{
		server.Elasticsearch: {elastic.LeftOut, "no fields of type wildcard"},
		server.OpenSearch:    {elastic.Created, "no fields of type flattened; they are flat_object"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			ring.Require(t, ring.Server)
			own, err := server.Start(t.Context(), kind, t.TempDir())
			require.NoError(t, err)
			defer func() { assert.NoError(t, own.Kill()) }()
			url := own.URL
			c := client(t, url)
			dry, err := c.Install(t.Context(), true)
			require.NoError(t, err)
			first, err := c.Install(t.Context(), false)
			require.NoError(t, err)
			assert.Contains(t, strings.Join(first.Notes, "\n"), want.note)
			for _, lacks := range []string{"ILM", "data stream lifecycle", "failure store"} {
				assert.Contains(t, strings.Join(first.Notes, "\n"), "the server has no "+lacks+"; ")
			}
			assert.Equal(t, dry.Changes, first.Changes, "a dry run says what is done")
			have := outcomes(first)
			assert.Equal(t, want.pipeline, have["_ingest/pipeline/logs-vedette@pipeline"])
			assert.Equal(t, elastic.LeftOut, have["_ilm/policy/logs-vedette.alerts"])
			for name, outcome := range have {
				if strings.Contains(name, "template") {
					assert.Equal(t, elastic.Created, outcome, name)
				}
			}

			second, err := c.Install(t.Context(), false)
			require.NoError(t, err)
			for name, outcome := range outcomes(second) {
				assert.Contains(t, []elastic.Outcome{elastic.Unchanged, elastic.LeftOut}, outcome, name)
			}

			must(t, http.MethodPut, url+"/_component_template/logs-vedette@mappings", `{"template":{}}`)
			third, err := c.Install(t.Context(), false)
			require.NoError(t, err)
			assert.Equal(t, elastic.Kept, outcomes(third)["_component_template/logs-vedette@mappings"])
			must(t, http.MethodPut, url+"/_component_template/logs-vedette@mappings", `{"template":{},"_meta":{"managed_by":"vedette 0 old"}}`)
			third, err = c.Install(t.Context(), false)
			require.NoError(t, err)
			assert.Equal(t, elastic.Updated, outcomes(third)["_component_template/logs-vedette@mappings"])

			removed, err := c.Remove(t.Context(), false)
			require.NoError(t, err)
			for name, outcome := range outcomes(removed) {
				assert.Contains(t, []elastic.Outcome{elastic.Removed, elastic.Absent}, outcome, name)
			}
			status, _ := call(t, http.MethodGet, url+"/_index_template/logs-vedette.alerts", "")
			assert.Equal(t, http.StatusNotFound, status)
		})
	}
}

// TestRemoveLeavesWhatDataStreamsUse: after a removal the data streams that are there take documents as before.
func TestRemoveLeavesWhatDataStreamsUse(t *testing.T) {
	for kind, check := range map[server.Kind]string{server.Elasticsearch: "strict", server.OpenSearch: "off"} {
		t.Run(string(kind), func(t *testing.T) {
			ring.Require(t, ring.Server)
			own, err := server.Start(t.Context(), kind, t.TempDir())
			require.NoError(t, err)
			defer func() { assert.NoError(t, own.Kill()) }()
			c := client(t, own.URL)
			_, err = c.Install(t.Context(), false)
			require.NoError(t, err)
			s := start(t, map[string]any{"endpoint": own.URL, "product_check": check, "retry_on_failure": map[string]any{"enabled": false}})
			require.NoError(t, s.ConsumeLogs(t.Context(), files(0, 2)))
			must(t, http.MethodPut, own.URL+"/_index_template/own", `{"index_patterns":["own-*"],"composed_of":["logs-vedette.alerts@settings"]}`)
			dry, err := c.Remove(t.Context(), true)
			require.NoError(t, err)
			removed, err := c.Remove(t.Context(), false)
			require.NoError(t, err)
			assert.Equal(t, dry.Changes, removed.Changes, "a dry run says what is done")
			have := outcomes(removed)
			assert.Equal(t, elastic.Kept, have["_index_template/logs-vedette.events"])
			assert.Equal(t, elastic.Kept, have["_component_template/logs-vedette.events@settings"])
			assert.Equal(t, elastic.Kept, have["_component_template/logs-vedette@mappings"])
			assert.Equal(t, elastic.Kept, have["_component_template/logs-vedette.alerts@settings"], "somebody else's template uses it")
			assert.Equal(t, elastic.Removed, have["_index_template/logs-vedette.alerts"])
			assert.NotEqual(t, elastic.Removed, have["_ingest/pipeline/logs-vedette@pipeline"])
			assert.Contains(t, removed.Changes, elastic.Change{
				Kind: "_index_template", Name: "logs-vedette.events", Outcome: elastic.Kept, Reason: "used by data stream logs-vedette.file-default",
			})
			require.NoError(t, s.ConsumeLogs(t.Context(), files(2, 2)))
			assert.Equal(t, 4, count(t, own.URL, "logs-vedette.file-default"))
		})
	}
}

// value is one that an attribute of the vocabulary can have.
func value(attribute string, i int) any {
	typ, _ := event.TypeOf(attribute)
	switch {
	case attribute == event.AttrSourceAddress, attribute == event.AttrDestinationAddress:
		return fmt.Sprintf("192.0.2.%d", 1+i%200)
	case strings.HasSuffix(attribute, ".peer"), strings.HasSuffix(attribute, ".local"):
		return fmt.Sprintf("203.0.113.%d:%d", 1+i%200, 1024+i)
	}
	switch typ {
	case event.Int:
		return int64(i)
	case event.Bool:
		return true
	case event.Time:
		return at.Format(time.RFC3339Nano)
	case event.Strings:
		return []any{fmt.Sprint(attribute, " ", i), "second"}
	case event.Ints:
		return []any{int64(i), int64(2)}
	case event.Map:
		return map[string]any{"selection": map[string]any{"Image|endswith": "/nc", "n": int64(i), "list": []any{"a", "b"}}}
	}
	return fmt.Sprintf("%s %d", attribute, i)
}

// everyKind makes one record of each kind of the vocabulary, with every attribute it can have.
func everyKind(t *testing.T) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	for _, a := range event.ResourceAttributes() {
		require.NoError(t, rl.Resource().Attributes().PutEmpty(a).FromRaw(value(a, 0)))
	}
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for i, kind := range event.Kinds() {
		lr := records.AppendEmpty()
		lr.SetEventName(kind.Name)
		lr.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i) * time.Second)))
		lr.SetObservedTimestamp(lr.Timestamp() + 5_000_000)
		lr.SetSeverityNumber(plog.SeverityNumberInfo)
		for _, a := range kind.Attributes {
			require.NoError(t, lr.Attributes().PutEmpty(a).FromRaw(value(a, i)))
		}
		if kind.Name == event.KindSecurityAlert {
			lr.Attributes().PutStr(event.AttrEventKind, "alert")
			lr.Attributes().PutStr(event.AttrVedetteEventName, event.KindProcessExec)
			lr.Attributes().PutStr("own.label", "kept")
			lr.SetSeverityNumber(plog.SeverityNumberFatal)
			lr.Body().SetStr("Reverse shell: nc of www-data")
		}
	}
	return logs
}

// TestDocumentsOfEveryKind: with the templates that set-up installs, a document of each kind with all its fields is
// taken, comes back as it was sent, and every field has the type that the dashboards count on.
func TestDocumentsOfEveryKind(t *testing.T) {
	for kind, strict := range map[server.Kind]string{server.Elasticsearch: "strict", server.OpenSearch: "off"} {
		t.Run(string(kind), func(t *testing.T) {
			url := node(t, kind).URL
			c := client(t, url)
			_, err := c.Install(t.Context(), false)
			require.NoError(t, err)
			namespace := "every_" + string(kind)
			s := start(t, map[string]any{"endpoint": url, "product_check": strict, "data_stream": map[string]any{"namespace": namespace}})
			require.NoError(t, s.ConsumeLogs(t.Context(), everyKind(t)))
			assert.Equal(t, map[string]int64{"indexed": int64(len(event.Kinds()))}, s.outcomes(t))
			checkGolden(t, url, namespace, kind)
			checkTypes(t, url, namespace, kind)
			if kind == server.OpenSearch {
				checkStreams(t, url, namespace)
			}
		})
	}
}

func checkGolden(t *testing.T, url, namespace string, kind server.Kind) {
	t.Helper()
	byAction := map[string]map[string]any{}
	for _, source := range documents(t, url, "logs-vedette.*-"+namespace) {
		e := source["event"].(map[string]any)
		if ingested, ok := e["ingested"]; ok || kind == server.OpenSearch {
			assert.NotEmpty(t, ingested, "the pipeline says when a document arrived")
			delete(e, "ingested")
		}
		source["data_stream"].(map[string]any)["namespace"] = "NAMESPACE"
		byAction[fmt.Sprint(e["dataset"], " ", e["action"], " ", source["@timestamp"])] = source
	}
	have, err := json.MarshalIndent(byAction, "", "  ")
	require.NoError(t, err)
	golden := filepath.Join("testdata", "documents.json")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, append(have, '\n'), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(have)+"\n")
}

func checkTypes(t *testing.T, url, namespace string, kind server.Kind) {
	t.Helper()
	caps := must(t, http.MethodGet, url+"/logs-vedette.*-"+namespace+"/_field_caps?fields=*&ignore_unavailable=true", "")["fields"].(map[string]any)
	stands := map[string]string{"wildcard": "keyword", "constant_keyword": "keyword", "match_only_text": "text"}
	if kind == server.OpenSearch {
		stands = map[string]string{"constant_keyword": "keyword", "flattened": "flat_object"}
	}
	for name, types := range caps {
		assert.Len(t, types, 1, "field %s has types that conflict: %v", name, types)
	}
	for _, f := range elastic.Fields() {
		types, ok := caps[f.Path].(map[string]any)
		if !assert.True(t, ok, "field %s is not mapped", f.Path) {
			continue
		}
		want := f.Type
		if stand := stands[want]; stand != "" {
			want = stand
		}
		assert.Contains(t, types, want, f.Path)
	}
}

// checkStreams asks the API for data streams, which the core of Elasticsearch lacks: each is of the template that is meant for
// it, and goes on in a second index.
func checkStreams(t *testing.T, url, namespace string) {
	t.Helper()
	templates := map[string]string{}
	for _, s := range must(t, http.MethodGet, url+"/_data_stream/logs-vedette.*-"+namespace, "")["data_streams"].([]any) {
		stream := s.(map[string]any)
		name := stream["name"].(string)
		templates[strings.TrimSuffix(strings.TrimPrefix(name, "logs-vedette."), "-"+namespace)] = stream["template"].(string)
		before := count(t, url, name)
		assert.Equal(t, true, must(t, http.MethodPost, url+"/"+name+"/_rollover", "")["rolled_over"])
		assert.Equal(t, before, count(t, url, name))
	}
	want := map[string]string{}
	for _, k := range event.Kinds() {
		want[k.Class] = "logs-vedette.events"
		if slices.Contains([]string{"alert", "enforcement", "baseline"}, k.Class) {
			want[k.Class] = "logs-vedette.alerts"
		}
	}
	assert.Equal(t, want, templates)
}

// vedette runs a command of the program against a server and returns what it prints.
func vedette(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	settings := otelcol.CollectorSettings{Factories: func() (otelcol.Factories, error) { return otelcol.Factories{}, nil }}
	require.NoError(t, cli.Run(t.Context(), settings, args, cli.Streams{Out: &out, Err: &errs}), errs.String())
	return out.String()
}

func TestSetupCommand(t *testing.T) {
	url := node(t, server.OpenSearch).URL
	dry := vedette(t, "setup", "elasticsearch", "--elasticsearch", url, "--dry-run")
	assert.Contains(t, dry, "Nothing is changed")
	assert.Regexp(t, `(created|unchanged) +_index_template +logs-vedette.alerts`, dry)
	assert.Regexp(t, `left out +_ilm/policy +logs-vedette.alerts +.*no handler found`, dry)
	assert.Contains(t, dry, "note: the server has no ILM; ")
	vedette(t, "setup", "elasticsearch", "--elasticsearch", url)
	assert.Regexp(t, `unchanged +_index_template +logs-vedette.alerts`, vedette(t, "setup", "elasticsearch", "--elasticsearch", url))
	var report elastic.Report
	require.NoError(t, json.Unmarshal([]byte(vedette(t, "setup", "elasticsearch", "--elasticsearch", url, "--json", "--dry-run", "--remove")), &report))
	// Other tests' data streams may use it.
	assert.Contains(t, []elastic.Outcome{elastic.Removed, elastic.Kept}, outcomes(&report)["_index_template/logs-vedette.alerts"])
	status, _ := call(t, http.MethodGet, url+"/_index_template/logs-vedette.alerts", "")
	assert.Equal(t, http.StatusOK, status, "a dry run removes nothing")
}
