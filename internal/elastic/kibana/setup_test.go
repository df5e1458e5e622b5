// SPDX-License-Identifier: Apache-2.0

package kibana

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/elastic"
)

// fakeSpace answers as Kibana's saved object APIs are documented to. There is no Kibana that a test could start.
type fakeSpace struct {
	objects map[string]map[string]any // attributes by "type/id"
	refuses bool
}

func (s *fakeSpace) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/s/team")
	switch {
	case r.Header.Get("kbn-xsrf") == "":
		http.Error(w, `{"statusCode":400,"message":"Request must contain a kbn-xsrf header."}`, http.StatusBadRequest)
	case path == "/api/saved_objects/_import" && s.refuses:
		_, _ = io.WriteString(w, `{"success":false,"errors":[{"type":"lens","id":"x","error":{"type":"missing_references"}}]}`)
	case path == "/api/saved_objects/_import":
		file, _, err := r.FormFile("file")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for dec := json.NewDecoder(file); ; {
			var o Object
			if dec.Decode(&o) != nil {
				break
			}
			s.objects[o.Type+"/"+o.ID] = o.Attributes
		}
		_, _ = io.WriteString(w, `{"success":true}`)
	case r.Method == http.MethodGet && strings.HasPrefix(path, "/api/saved_objects/"):
		object, ok := s.objects[strings.TrimPrefix(path, "/api/saved_objects/")]
		if !ok {
			http.Error(w, `{"statusCode":404,"message":"Not found"}`, http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"attributes": object})
	case r.Method == http.MethodGet:
		view, ok := s.objects["index-pattern/"+strings.TrimPrefix(path, "/api/data_views/data_view/")]
		if !ok {
			http.Error(w, `{"statusCode":404,"message":"Not found"}`, http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data_view": view})
	case r.Method == http.MethodDelete:
		key := strings.TrimPrefix(path, "/api/saved_objects/")
		if _, ok := s.objects[key]; !ok {
			http.Error(w, `{"statusCode":404,"message":"Not found"}`, http.StatusNotFound)
			return
		}
		delete(s.objects, key)
		_, _ = io.WriteString(w, `{}`)
	}
}

func TestInstallTwiceAndRemove(t *testing.T) {
	fake := &fakeSpace{objects: map[string]map[string]any{}}
	s := httptest.NewServer(fake)
	defer s.Close()
	c, err := elastic.NewClient(elastic.Connection{URL: s.URL})
	require.NoError(t, err)
	defer c.Close()
	all := objects(t)
	outcome := func(r *elastic.Report, err error) elastic.Outcome {
		require.NoError(t, err)
		require.Len(t, r.Changes, len(all))
		return r.Changes[0].Outcome
	}
	assert.Equal(t, elastic.Created, outcome(Install(t.Context(), c, "team", all, true)))
	assert.Empty(t, fake.objects, "a dry run changes nothing")
	assert.Equal(t, elastic.Created, outcome(Install(t.Context(), c, "team", all, false)))
	assert.Len(t, fake.objects, len(all))
	assert.Equal(t, elastic.Unchanged, outcome(Install(t.Context(), c, "team", all, false)))
	all[1].Attributes["title"] = "changed"
	assert.Equal(t, elastic.Updated, outcome(Install(t.Context(), c, "team", all, false)))
	assert.Equal(t, elastic.Removed, outcome(Remove(t.Context(), c, "team", all, true)))
	assert.Len(t, fake.objects, len(all), "a dry run removes nothing")
	assert.Equal(t, elastic.Removed, outcome(Remove(t.Context(), c, "team", all, false)))
	assert.Empty(t, fake.objects)
	assert.Equal(t, elastic.Absent, outcome(Remove(t.Context(), c, "team", all, true)))
	assert.Equal(t, elastic.Absent, outcome(Remove(t.Context(), c, "team", all, false)))

	fake.refuses = true
	_, err = Install(t.Context(), c, "default", all, false)
	assert.ErrorContains(t, err, "1 of")
	assert.ErrorContains(t, err, "missing_references")
}
