// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"context"
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
	status, answer, err := try(t.Context(), method, url, body)
	require.NoError(t, err)
	return status, answer
}

// try is call for a server that may be away, and where a test must not end, as in a condition that is waited for.
func try(ctx context.Context, method, url, body string) (status int, answer map[string]any, err error) {
	status, text, err := request(ctx, "", method, url, body)
	if err != nil || text == "" {
		return status, nil, err
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return status, nil, fmt.Errorf("%s %s answered %q: %w", method, url, text, err)
	}
	return status, answer, nil
}

// as sends a request with a value of the header Authorization, which may be empty.
func as(t *testing.T, authorization, method, url, body string) (int, string) {
	t.Helper()
	status, text, err := request(t.Context(), authorization, method, url, body)
	require.NoError(t, err)
	return status, text
}

func request(ctx context.Context, authorization, method, url, body string) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
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

// stored is count where there may be nothing yet, or no answer.
func stored(ctx context.Context, url, index string) int {
	if _, _, err := try(ctx, http.MethodPost, url+"/"+index+"/_refresh", ""); err != nil {
		return 0
	}
	_, answer, err := try(ctx, http.MethodGet, url+"/"+index+"/_count", "")
	if err != nil {
		return 0
	}
	n, _ := answer["count"].(float64)
	return int(n)
}

// count returns how many documents there are.
func count(t *testing.T, url, index string) int {
	t.Helper()
	must(t, http.MethodPost, url+"/"+index+"/_refresh", "")
	return int(must(t, http.MethodGet, url+"/"+index+"/_count", "")["count"].(float64))
}
