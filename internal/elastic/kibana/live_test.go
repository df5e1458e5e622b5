// SPDX-License-Identifier: Apache-2.0

package kibana

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/elastic"
	"github.com/vedette-sec/vedette/internal/ring"
)

// kibanaEnv names a Kibana, such as https://kibana:5601. Its objects of Vedette are removed in the end. VEDETTE_ELASTIC_API_KEY, or
// VEDETTE_ELASTIC_USER and VEDETTE_ELASTIC_PASSWORD, say who asks.
const kibanaEnv = "VEDETTE_TEST_KIBANA_URL"

// TestImportIntoKibana: Kibana takes every object, knows what each leads to, and gives them back.
func TestImportIntoKibana(t *testing.T) {
	url := os.Getenv(kibanaEnv)
	if url == "" {
		ring.Cannot(t, "there is no Kibana that a test could start; "+kibanaEnv+" names one")
	}
	c, err := elastic.NewClient(elastic.Connection{
		URL: url, APIKey: os.Getenv("VEDETTE_ELASTIC_API_KEY"),
		User: os.Getenv("VEDETTE_ELASTIC_USER"), Password: os.Getenv("VEDETTE_ELASTIC_PASSWORD"),
	})
	require.NoError(t, err)
	defer c.Close()
	all := objects(t)
	_, err = Install(t.Context(), c, "default", all, false)
	require.NoError(t, err)
	for _, o := range all {
		var back struct {
			Attributes struct{ Title string }
			References []Reference
			Error      any
		}
		if assert.NoError(t, c.Call(t.Context(), http.MethodGet, "api/saved_objects/"+o.Type+"/"+o.ID, nil, &back)) {
			assert.Nil(t, back.Error)
			assert.Equal(t, o.Attributes["title"], back.Attributes.Title)
			assert.ElementsMatch(t, o.References, back.References)
		}
	}
	again, err := Install(t.Context(), c, "default", all, false)
	require.NoError(t, err)
	assert.Equal(t, elastic.Unchanged, again.Changes[0].Outcome)
	removed, err := Remove(t.Context(), c, "default", all, false)
	require.NoError(t, err)
	for _, change := range removed.Changes {
		assert.Equal(t, elastic.Removed, change.Outcome, change.Name)
	}
}
