// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

// TestNodeKeepsItsDataWhenItIsKilled starts a node, kills it and starts it again. That of
// Elasticsearch is seen to by test/elastic.
func TestNodeKeepsItsDataWhenItIsKilled(t *testing.T) {
	ring.Require(t, ring.Server)
	s, err := Start(t.Context(), OpenSearch, t.TempDir())
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Kill()) }()
	assert.Equal(t, http.StatusCreated, status(t, http.MethodPut, s.URL+"/kept/_doc/1?refresh=true", `{"a":1}`))
	require.NoError(t, s.Kill())
	require.NoError(t, s.Up(t.Context()))
	assert.Equal(t, http.StatusOK, status(t, http.MethodGet, s.URL+"/kept/_doc/1", ""))
	require.NoError(t, s.Stop())
	_, err = http.Get(s.URL)
	assert.Error(t, err)
}

func status(t *testing.T, method, url, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	return res.StatusCode
}
