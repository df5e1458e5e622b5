// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/elastic"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/server"
)

// TestDocumentedKeys makes the API keys that docs/elasticsearch.md tells to make, on a server with security and lifecycle
// policies, and does with each what the page says: the rights suffice, and are no more than that.
func TestDocumentedKeys(t *testing.T) {
	ring.Require(t, ring.Server)
	own, err := server.Start(t.Context(), server.Secured, t.TempDir())
	require.NoError(t, err)
	defer func() { assert.NoError(t, own.Kill()) }()
	agent, setup := documentedKey(t, own.URL, 0), documentedKey(t, own.URL, 1)
	c, err := elastic.NewClient(elastic.Connection{URL: own.URL, APIKey: setup})
	require.NoError(t, err)
	defer c.Close()

	set := func(do func(dryRun bool) (*elastic.Report, error)) map[string]elastic.Outcome {
		dry, err := do(true)
		require.NoError(t, err)
		real, err := do(false)
		require.NoError(t, err)
		assert.Equal(t, dry.Changes, real.Changes, "a dry run says what is done")
		have := outcomes(real)
		delete(have, "_ingest/pipeline/logs-vedette@pipeline") // the core has no processors
		return have
	}
	install := func(dryRun bool) (*elastic.Report, error) { return c.Install(t.Context(), dryRun) }
	remove := func(dryRun bool) (*elastic.Report, error) { return c.Remove(t.Context(), dryRun) }
	each := func(outcome elastic.Outcome, all map[string]elastic.Outcome) {
		assert.Len(t, all, 7)
		for name, have := range all {
			assert.Equal(t, outcome, have, name)
		}
	}
	each(elastic.Created, set(install))
	each(elastic.Unchanged, set(install))
	each(elastic.Removed, set(remove))
	each(elastic.Created, set(install))

	s := start(t, map[string]any{"endpoint": own.URL, "api_key": agent, "data_stream": map[string]any{"require": true}})
	require.NoError(t, s.ConsumeLogs(t.Context(), files(0, 3)))
	assert.Equal(t, map[string]int64{"indexed": 3}, s.outcomes(t))
	kept := set(remove)
	for name, want := range map[string]elastic.Outcome{
		"_index_template/logs-vedette.events":              elastic.Kept,
		"_component_template/logs-vedette.events@settings": elastic.Kept,
		"_ilm/policy/logs-vedette.events":                  elastic.Kept,
		"_index_template/logs-vedette.alerts":              elastic.Removed,
		"_component_template/logs-vedette.alerts@settings": elastic.Removed,
		"_ilm/policy/logs-vedette.alerts":                  elastic.Removed,
	} {
		assert.Equal(t, want, kept[name], name)
	}

	for key, refused := range map[string][]string{
		agent: {"GET logs-vedette.file-default/_search", "DELETE _data_stream/logs-vedette.file-default", "DELETE _index_template/logs-vedette.events"},
		setup: {"GET logs-vedette.file-default/_search", "GET _security/user"},
	} {
		for _, request := range refused {
			method, path, _ := strings.Cut(request, " ")
			status, text := as(t, "ApiKey "+key, method, own.URL+"/"+path, "")
			assert.Contains(t, []int{http.StatusForbidden, http.StatusMethodNotAllowed}, status, "%s: %s", request, text)
		}
	}
	status, text := as(t, "", "GET", own.URL+"/logs-vedette.file-default/_search", "")
	assert.Equal(t, http.StatusUnauthorized, status, text)
	status, text = as(t, basic(), "POST", own.URL+"/logs-vedette.file-default/_refresh", "")
	assert.Equal(t, http.StatusOK, status, text)
	status, text = as(t, basic(), "GET", own.URL+"/logs-vedette.file-default/_search", "")
	assert.Equal(t, http.StatusOK, status, text)
	assert.Contains(t, text, `"value":3`)
}

// documentedKey makes the API key of the n-th request of that kind in docs/elasticsearch.md and returns its encoded form.
func documentedKey(t *testing.T, url string, n int) string {
	t.Helper()
	root, err := ring.ModuleRoot()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "elasticsearch.md"))
	require.NoError(t, err)
	requests := strings.Split(string(page), "POST /_security/api_key\n")
	require.Greater(t, len(requests), n+1)
	body, _, _ := strings.Cut(requests[n+1], "```")
	status, text := as(t, basic(), "POST", url+"/_security/api_key", body)
	require.Equal(t, http.StatusOK, status, text)
	var key struct {
		Encoded string `json:"encoded"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &key))
	require.NotEmpty(t, key.Encoded)
	return key.Encoded
}

func basic() string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(server.User, server.Password)
	return r.Header.Get("Authorization")
}
