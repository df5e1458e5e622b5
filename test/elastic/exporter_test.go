// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/xconfmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/vedette-sec/vedette/exporter/elasticsearchexporter"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/test/internal/agent"
	"github.com/vedette-sec/vedette/test/internal/server"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)

// sender is an exporter under test with what it counts.
type sender struct {
	exporter.Logs
	tel *componenttest.Telemetry
}

// start makes an exporter of a configuration as a user writes it. It has no queue unless that asks for
// one, so that its answers are those of the server.
func start(t *testing.T, conf map[string]any) *sender {
	t.Helper()
	raw := map[string]any{
		"sending_queue":    map[string]any{"enabled": false},
		"retry_on_failure": map[string]any{"initial_interval": "50ms", "max_interval": "200ms"},
	}
	for key, value := range conf {
		raw[key] = value
	}
	factory := elasticsearchexporter.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(raw).Unmarshal(cfg))
	require.NoError(t, xconfmap.Validate(cfg))
	tel := componenttest.NewTelemetry()
	e, err := factory.CreateLogs(t.Context(), exporter.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: tel.NewTelemetrySettings()}, cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		assert.NoError(t, e.Shutdown(context.Background()))
		assert.NoError(t, tel.Shutdown(context.Background()))
	})
	return &sender{e, tel}
}

// outcomes are the counted documents by what became of them.
func (s *sender) outcomes(t *testing.T) map[string]int64 {
	t.Helper()
	m, err := s.tel.GetMetric("otelcol_exporter_elasticsearch_documents")
	require.NoError(t, err)
	counts := map[string]int64{}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		outcome, _ := p.Attributes.Value("outcome")
		counts[outcome.AsString()] += p.Value
	}
	return counts
}

// ended are the outcomes without those after which a document is sent again, as a busy server may want it at any time.
func (s *sender) ended(t *testing.T) map[string]int64 {
	t.Helper()
	counts := s.outcomes(t)
	delete(counts, "retried")
	return counts
}

// files makes n events of files that differ, from first on.
func files(first, n int) plog.Logs {
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr(event.AttrHostName, "web-1")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for i := first; i < first+n; i++ {
		lr := records.AppendEmpty()
		lr.SetEventName(event.KindFileOpen)
		lr.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i))))
		lr.SetObservedTimestamp(lr.Timestamp())
		lr.Attributes().PutStr(event.AttrFilePath, fmt.Sprintf("/tmp/%d", i))
		lr.Attributes().PutInt(event.AttrProcessPID, int64(i))
	}
	return logs
}

func TestBothServersTakeEachDocumentOnce(t *testing.T) {
	for kind, check := range map[server.Kind]string{server.Elasticsearch: "strict", server.OpenSearch: "warn"} {
		t.Run(string(kind), func(t *testing.T) {
			url := node(t, kind).URL
			template(t, url, "logs-once.", "")
			for _, compression := range []string{"gzip", "none"} {
				s := start(t, map[string]any{"endpoints": []any{url}, "product_check": check, "compression": compression,
					"data_stream": map[string]any{"dataset": "once." + compression}})
				for range 2 {
					require.NoError(t, s.ConsumeLogs(t.Context(), files(0, 500)))
				}
				assert.Equal(t, 500, count(t, url, "logs-once."+compression+"-default"))
				assert.Equal(t, map[string]int64{"indexed": 500, "duplicate": 500}, s.ended(t))
			}
		})
	}
}

func TestProductCheck(t *testing.T) {
	url := node(t, server.OpenSearch).URL
	s := start(t, map[string]any{"endpoint": url, "retry_on_failure": map[string]any{"enabled": false}})
	err := s.ConsumeLogs(t.Context(), files(0, 1))
	assert.ErrorContains(t, err, "the server does not say that it is Elasticsearch")
	s = start(t, map[string]any{"endpoint": url, "product_check": "off", "index": "off"})
	require.NoError(t, s.ConsumeLogs(t.Context(), files(0, 1)))
	assert.Equal(t, 1, count(t, url, "off"))
}

func TestRequestsAreSplitBySize(t *testing.T) {
	backend := node(t, server.Elasticsearch)
	proxy := server.NewProxy(t, func() string { return backend.URL })
	template(t, backend.URL, "logs-split", "")
	s := start(t, map[string]any{"endpoint": proxy.URL, "tls": map[string]any{"ca_file": proxy.CAFile},
		"bulk": map[string]any{"max_size_mib": 1}, "data_stream": map[string]any{"dataset": "split"}})
	logs := files(0, 40)
	for _, lr := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		lr.Attributes().PutStr("long", strings.Repeat("x", 100<<10))
	}
	require.NoError(t, s.ConsumeLogs(t.Context(), logs))
	assert.Equal(t, 40, count(t, backend.URL, "logs-split-default"))
	if s.outcomes(t)["retried"] == 0 {
		assert.Equal(t, 4, proxy.Seen())
	}
	assert.Equal(t, "gzip", proxy.Headers().Get("Content-Encoding"))
}

// TestCredentials: what the proxy does not let in waits until it does.
func TestCredentials(t *testing.T) {
	backend := node(t, server.Elasticsearch)
	template(t, backend.URL, "logs-credentials", "")
	proxy := server.NewProxy(t, func() string { return backend.URL })
	proxy.Accept("Basic dmVkZXR0ZTpzZWNyZXQ=", "APIKey a2V5OnNlY3JldA==")
	base := map[string]any{"endpoint": proxy.URL, "tls": map[string]any{"ca_file": proxy.CAFile},
		"data_stream": map[string]any{"dataset": "credentials"}, "headers": map[string]any{"X-Tenant": "blue"},
		"retry_on_failure": map[string]any{"enabled": false}}
	with := func(more map[string]any) *sender {
		conf := map[string]any{}
		for _, m := range []map[string]any{base, more} {
			for key, value := range m {
				conf[key] = value
			}
		}
		return start(t, conf)
	}
	assert.ErrorContains(t, with(nil).ConsumeLogs(t.Context(), files(0, 1)), "401 Unauthorized")
	assert.ErrorContains(t, with(map[string]any{"api_key": "b"}).ConsumeLogs(t.Context(), files(0, 1)), "401 Unauthorized")
	require.NoError(t, with(map[string]any{"api_key": "a2V5OnNlY3JldA=="}).ConsumeLogs(t.Context(), files(0, 1)))
	require.NoError(t, with(map[string]any{"user": "vedette", "password": "secret"}).ConsumeLogs(t.Context(), files(1, 1)))
	assert.Equal(t, "blue", proxy.Headers().Get("X-Tenant"))
	assert.Equal(t, 2, count(t, backend.URL, "logs-credentials-default"))
	err := with(map[string]any{"api_key": "a2V5OnNlY3JldA==", "tls": map[string]any{}}).ConsumeLogs(t.Context(), files(2, 1))
	assert.ErrorContains(t, err, "certificate")
}

// TestNodesAreFound: with discovery, requests soon go to the node itself, past the address that was configured.
func TestNodesAreFound(t *testing.T) {
	backend := node(t, server.Elasticsearch)
	template(t, backend.URL, "logs-found", "")
	target, err := url.Parse(backend.URL)
	require.NoError(t, err)
	var past atomic.Int32
	through := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_bulk") {
			past.Add(1)
		}
		through.ServeHTTP(w, r)
	}))
	defer front.Close()
	s := start(t, map[string]any{"endpoint": front.URL, "discover_nodes_interval": "50ms", "data_stream": map[string]any{"dataset": "found"}})
	sent := 0
	require.Eventually(t, func() bool {
		before := past.Load()
		if s.ConsumeLogs(t.Context(), files(sent, 1)) != nil {
			return false
		}
		sent++
		return past.Load() == before
	}, agent.Patience, 100*time.Millisecond)
	assert.Equal(t, sent, count(t, backend.URL, "logs-found-default"))
}

// TestFaults: whatever happens to a request, each document is there once in the end.
func TestFaults(t *testing.T) {
	backend := node(t, server.Elasticsearch)
	template(t, backend.URL, "logs-faults", "")
	proxy := server.NewProxy(t, func() string { return backend.URL })
	s := start(t, map[string]any{"endpoint": proxy.URL, "tls": map[string]any{"ca_file": proxy.CAFile}, "data_stream": map[string]any{"dataset": "faults"}})
	proxy.Fail(server.Refuse429, server.Refuse503, server.CutRequest, server.CutResponse, server.CutResponse)
	require.NoError(t, s.ConsumeLogs(t.Context(), files(0, 300)))
	assert.Zero(t, proxy.Left())
	assert.Equal(t, 300, count(t, backend.URL, "logs-faults-default"))
	outcomes := s.outcomes(t)
	assert.GreaterOrEqual(t, outcomes["retried"], int64(1500))
	assert.Equal(t, int64(300), outcomes["indexed"]+outcomes["duplicate"])
	if outcomes["retried"] == 1500 { // the server itself refused nothing
		assert.Equal(t, int64(300), outcomes["duplicate"], "the first answer that was cut had been right")
	}
}

// TestOnlyTheRemainderIsSentAgain: of a batch with documents that are refused, the good ones are
// stored at once and the bad ones are dead letters.
func TestPoisonGoesToTheDeadLetters(t *testing.T) {
	url := node(t, server.Elasticsearch).URL
	template(t, url, "logs-poison", `,"process":{"properties":{"pid":{"type":"byte"}}}`)
	template(t, url, "logs-vedette.dead_letter", `,"error":{"properties":{"type":{"type":"keyword"}}}`)
	s := start(t, map[string]any{"endpoint": url, "data_stream": map[string]any{"dataset": "poison"}})
	require.NoError(t, s.ConsumeLogs(t.Context(), files(100, 50))) // a byte ends at 127
	assert.Equal(t, 28, count(t, url, "logs-poison-default"))
	assert.Equal(t, map[string]int64{"indexed": 28, "dead_letter": 22}, s.ended(t))
	letters := documents(t, url, "logs-vedette.dead_letter-default")
	require.Len(t, letters, 22)
	for _, letter := range letters {
		assert.Equal(t, "document_parsing_exception", letter["error"].(map[string]any)["type"])
		assert.Contains(t, letter["error"].(map[string]any)["message"], "out of range")
		inner := letter["vedette"].(map[string]any)["dead_letter"].(map[string]any)
		assert.Equal(t, "logs-poison-default", inner["target"])
		assert.Contains(t, inner["document"], `"path":"/tmp/1`)
	}

	file := filepath.Join(t.TempDir(), "letters", "dead.jsonl")
	s = start(t, map[string]any{"endpoint": url, "data_stream": map[string]any{"dataset": "poison"}, "dead_letter": map[string]any{"file": file}})
	require.NoError(t, s.ConsumeLogs(t.Context(), files(126, 4)))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(text), "\n"))
	assert.Contains(t, string(text), `"type":"document_parsing_exception"`)
}

// TestDeadLettersThatCannotBeWrittenWait: a refused document is not given up before it is among the dead letters.
func TestDeadLettersThatCannotBeWrittenWait(t *testing.T) {
	url := node(t, server.Elasticsearch).URL
	template(t, url, "logs-wait", `,"process":{"properties":{"pid":{"type":"byte"}}}`)
	full := "/dev/full"
	s := start(t, map[string]any{"endpoint": url, "data_stream": map[string]any{"dataset": "wait"},
		"dead_letter": map[string]any{"file": full}, "retry_on_failure": map[string]any{"enabled": false}})
	err := s.ConsumeLogs(t.Context(), files(126, 4))
	assert.ErrorContains(t, err, "2 of 4 documents are to be sent again: write dead letters to /dev/full")
	assert.Equal(t, 2, count(t, url, "logs-wait-default"))
}

// TestRequiredDataStreamIsWaitedFor: without a template there is no index by accident.
func TestRequiredDataStreamIsWaitedFor(t *testing.T) {
	url := node(t, server.Elasticsearch).URL
	s := start(t, map[string]any{"endpoint": url, "data_stream": map[string]any{"dataset": "required", "require": true},
		"retry_on_failure": map[string]any{"enabled": false}})
	assert.ErrorContains(t, s.ConsumeLogs(t.Context(), files(0, 2)), "2 of 2 documents are to be sent again")
	status, _ := call(t, http.MethodGet, url+"/logs-required-default/_count", "")
	assert.Equal(t, http.StatusNotFound, status)
	template(t, url, "logs-required", "")
	require.NoError(t, s.ConsumeLogs(t.Context(), files(0, 2)))
	assert.Equal(t, 2, count(t, url, "logs-required-default"))
}

// TestOutageOfTheServer: the server is killed while documents are on their way, and what it had
// acknowledged is there when it is back, with all that came meanwhile.
func TestOutageOfTheServer(t *testing.T) {
	backend := node(t, server.Elasticsearch)
	template(t, backend.URL, "logs-outage", "")
	s := start(t, map[string]any{"endpoint": backend.URL, "data_stream": map[string]any{"dataset": "outage"},
		"sending_queue": map[string]any{"num_consumers": 2, "queue_size": 500, "batch": map[string]any{"flush_timeout": "50ms", "min_size": 100, "max_size": 500}}})
	for i := range 40 {
		if i == 10 {
			require.NoError(t, backend.Kill())
		}
		require.NoError(t, s.ConsumeLogs(t.Context(), files(100*i, 100)))
	}
	require.NoError(t, backend.Up(t.Context()))
	// What is stored is counted when its answer has come, which may be lost, so that it is sent once more.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		if !assert.Equal(c, 4000, stored(t.Context(), backend.URL, "logs-outage-default")) {
			return
		}
		outcomes := s.ended(t)
		assert.Equal(c, int64(4000), outcomes["indexed"]+outcomes["duplicate"], outcomes)
	}, agent.Patience, 200*time.Millisecond)
}
