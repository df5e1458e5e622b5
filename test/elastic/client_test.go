// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// call talks to a server by itself and returns the status and the answer, which is JSON.
func call(t *testing.T, method, url, body string) (int, map[string]any) {
	t.Helper()
	status, text := as(t, "", method, url, body)
	var answer map[string]any
	if text != "" {
		require.NoError(t, json.Unmarshal([]byte(text), &answer), "%s", text)
	}
	return status, answer
}

// as sends a request with a value of the header Authorization, which may be empty.
func as(t *testing.T, authorization, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(text)
}

// must is call for what has to work.
func must(t *testing.T, method, url, body string) map[string]any {
	t.Helper()
	status, answer := call(t, method, url, body)
	require.Less(t, status, 300, "%s %s: %v", method, url, answer)
	return answer
}

// template makes data streams of all names that begin with a prefix.
func template(t *testing.T, url, prefix, properties string) {
	t.Helper()
	must(t, http.MethodPut, url+"/_index_template/"+prefix, fmt.Sprintf(
		`{"index_patterns":["%s*"],"priority":500,"data_stream":{},"template":{"settings":{"number_of_replicas":0},"mappings":{"dynamic":false,"properties":{"@timestamp":{"type":"date_nanos"}%s}}}}`, prefix, properties))
}

// documents returns the sources in an index or data stream, by their identity.
func documents(t *testing.T, url, index string) map[string]map[string]any {
	t.Helper()
	must(t, http.MethodPost, url+"/"+index+"/_refresh", "")
	answer := must(t, http.MethodPost, url+"/"+index+"/_search", `{"size":1000,"track_total_hits":true}`)
	found := map[string]map[string]any{}
	for _, hit := range answer["hits"].(map[string]any)["hits"].([]any) {
		h := hit.(map[string]any)
		found[h["_id"].(string)] = h["_source"].(map[string]any)
	}
	return found
}

// stored is count where there may be nothing yet.
func stored(t *testing.T, url, index string) int {
	t.Helper()
	call(t, http.MethodPost, url+"/"+index+"/_refresh", "")
	_, answer := call(t, http.MethodGet, url+"/"+index+"/_count", "")
	n, _ := answer["count"].(float64)
	return int(n)
}

// count returns how many documents there are.
func count(t *testing.T, url, index string) int {
	t.Helper()
	must(t, http.MethodPost, url+"/"+index+"/_refresh", "")
	return int(must(t, http.MethodGet, url+"/"+index+"/_count", "")["count"].(float64))
}
