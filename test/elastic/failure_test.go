// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/test/internal/server"
)

// TestWhatCannotBeIndexed: a document that does not fit the mapping is in the failure store of its data stream where the
// server has one, and else among the dead letters; either is counted, and the others are indexed.
func TestWhatCannotBeIndexed(t *testing.T) {
	for kind, check := range map[server.Kind]string{server.Elasticsearch: "strict", server.OpenSearch: "off"} {
		t.Run(string(kind), func(t *testing.T) {
			url := node(t, kind).URL
			report, err := client(t, url).Install(t.Context(), false)
			require.NoError(t, err)
			stores := !strings.Contains(strings.Join(report.Notes, "\n"), "no failure store")
			t.Logf("%s has a failure store: %t", kind, stores)
			must(t, http.MethodPut, url+"/_index_template/failing", `{"index_patterns":["logs-vedette.file-failing"],"priority":900,"data_stream":{},
				"composed_of":["logs-vedette@mappings","logs-vedette.events@settings"],
				"template":{"mappings":{"properties":{"labels":{"properties":{"app_port":{"type":"long"}}}}}}}`)
			letters := filepath.Join(t.TempDir(), "letters")
			s := start(t, map[string]any{"endpoint": url, "product_check": check, "data_stream": map[string]any{"namespace": "failing"},
				"dead_letter": map[string]any{"file": letters}})
			logs := files(0, 3)
			logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1).Attributes().PutStr("app.port", "no number")
			require.NoError(t, s.ConsumeLogs(t.Context(), logs))
			assert.Equal(t, 2, count(t, url, "logs-vedette.file-failing"))
			if stores {
				assert.Equal(t, map[string]int64{"indexed": 2, "failure_store": 1}, s.ended(t))
				assert.Equal(t, 1, count(t, url, "logs-vedette.file-failing::failures"))
				return
			}
			assert.Equal(t, map[string]int64{"indexed": 2, "dead_letter": 1}, s.ended(t))
			text, err := os.ReadFile(letters)
			require.NoError(t, err)
			assert.Equal(t, 1, strings.Count(string(text), "\n"))
			assert.Contains(t, string(text), "no number")
		})
	}
}

// TestRefusedByAPipeline: a document that an ingest pipeline refuses is a dead letter, and holds up nothing; only the
// server that has the processor can tell.
func TestRefusedByAPipeline(t *testing.T) {
	url := node(t, server.OpenSearch).URL
	template(t, url, "logs-refusing", "")
	must(t, http.MethodPut, url+"/_ingest/pipeline/refusing",
		`{"processors":[{"fail":{"if":"ctx.file.path == '/tmp/1'","message":"not wanted"}}]}`)
	letters := filepath.Join(t.TempDir(), "letters")
	s := start(t, map[string]any{"endpoint": url, "product_check": "off", "pipeline": "refusing", "data_stream": map[string]any{"dataset": "refusing"},
		"dead_letter": map[string]any{"file": letters}, "retry_on_failure": map[string]any{"enabled": false}})
	require.NoError(t, s.ConsumeLogs(t.Context(), files(0, 3)))
	assert.Equal(t, 2, count(t, url, "logs-refusing-default"))
	assert.Equal(t, map[string]int64{"indexed": 2, "dead_letter": 1}, s.ended(t))
	text, err := os.ReadFile(letters)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"type":"fail_processor_exception"`)
}
