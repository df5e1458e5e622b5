// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseReply(t *testing.T) {
	r, err := parseReply([]byte(`{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"there"}}},
		{"index":{"status":201,"failure_store":"used"}},
		{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"failed to parse","caused_by":{"reason":"For input string"}}}}]}`), 4)
	require.NoError(t, err)
	var outcomes []string
	for i := range r.Items {
		outcome, _ := r.Items[i].result().outcome()
		outcomes = append(outcomes, outcome)
	}
	assert.Equal(t, []string{"indexed", "duplicate", "failure_store", "refused"}, outcomes)
	assert.Equal(t, "400 document_parsing_exception: failed to parse: For input string", r.Items[3].result().why())
}

func TestParseReplyRefusesWhatSaysNothing(t *testing.T) {
	for text, want := range map[string]string{
		`{"errors":false,"ite`: "unexpected end of JSON input",
		`{"items":[]}`:         "found 0 items, expected 1",
		`{"items":[{"create":{"status":201}},{"create":{"status":201}}]}`: "found 2 items, expected 1",
		`{"items":[{"create":{}}]}`:                                       "item 0: found status 0, expected 200 to 599",
		`<html>`:                                                          "invalid character '<'",
	} {
		_, err := parseReply([]byte(text), 1)
		assert.ErrorContains(t, err, want)
	}
}

func TestFates(t *testing.T) {
	of := func(status int, kind, reason string) fate {
		return result{Status: status, Error: &whyError{Type: kind, Reason: reason}}.fate()
	}
	assert.Equal(t, taken, result{Status: 201}.fate())
	assert.Equal(t, taken, of(409, "version_conflict_engine_exception", ""))
	assert.Equal(t, again, of(429, "es_rejected_execution_exception", ""))
	assert.Equal(t, again, of(403, "cluster_block_exception", ""))
	assert.Equal(t, again, of(404, "index_not_found_exception", ""))
	assert.Equal(t, again, of(503, "unavailable_shards_exception", ""))
	assert.Equal(t, again, of(400, "validation_exception", "this action would add [2] shards"))
	assert.Equal(t, again, of(400, "illegal_argument_exception", "pipeline with id [x] does not exist"))
	assert.Equal(t, never, of(400, "illegal_argument_exception", "Document contains at least one immense term"))
	assert.Equal(t, again, of(400, "index_closed_exception", "closed"))
	assert.Equal(t, never, of(400, "document_parsing_exception", ""))
	assert.Equal(t, never, of(500, "fail_processor_exception", "not wanted"))
	assert.Equal(t, again, of(500, "null_pointer_exception", ""))
	assert.Equal(t, never, result{Status: 400}.fate())

	for status, want := range map[int]fate{200: taken, 400: never, 401: again, 403: again, 404: again, 408: again, 413: halved, 415: never, 429: again, 500: again, 502: again, 503: again} {
		assert.Equal(t, want, fateOfRequest(status), status)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "x": 0, "-3": 0, "7": 7 * time.Second, "99999999999": maxRetryAfter,
		now.Add(time.Minute).Format(http.TimeFormat):    time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat):   0,
		now.Add(24 * time.Hour).Format(http.TimeFormat): maxRetryAfter,
	} {
		assert.Equal(t, want, retryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add([]byte(`{"errors":true,"items":[{"create":{"status":400,"error":{"type":"a","reason":"b","caused_by":{"reason":"c"}}}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseReply(text, 1)
		if err != nil {
			return
		}
		require.Len(t, r.Items, 1)
		result := r.Items[0].result()
		outcome, _ := result.outcome()
		assert.NotEmpty(t, outcome)
		assert.NotEmpty(t, result.why())
	})
}
