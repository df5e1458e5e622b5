// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/event"
)

// TestEveryMemberOfADocumentIsMapped encodes every kind of event with all it can have.
func TestEveryMemberOfADocumentIsMapped(t *testing.T) {
	types := map[string]string{}
	for _, f := range Fields() {
		require.Empty(t, types[f.Path], "field %s is there twice", f.Path)
		types[f.Path] = f.Type
	}
	for _, kind := range event.Kinds() {
		resource, record := pcommon.NewResource(), plog.NewLogRecord()
		record.SetEventName(kind.Name)
		record.SetObservedTimestamp(1)
		record.SetSeverityNumber(plog.SeverityNumberError)
		record.Body().SetStr("message")
		for _, a := range slices.Concat(kind.Attributes, event.ResourceAttributes()) {
			typ, _ := event.TypeOf(a)
			require.NoError(t, record.Attributes().PutEmpty(a).FromRaw(sample(a, typ)))
		}
		text := ecs.NewEncoder().AppendDocumentOf(nil, ecs.Stream{Dataset: "vedette.x", Namespace: "y"}, resource, record)
		var document map[string]any
		require.NoError(t, json.Unmarshal(text, &document))
		walk(t, types, "", document)
	}
}

func sample(attribute string, typ event.Type) any {
	switch {
	case strings.HasSuffix(attribute, ".address"):
		return "192.0.2.1"
	case typ == event.Int:
		return 1
	case typ == event.Bool:
		return true
	case typ == event.Time:
		return "2026-03-04T05:06:07Z"
	case typ == event.Strings:
		return []any{"a"}
	case typ == event.Ints:
		return []any{1}
	case typ == event.Map:
		return map[string]any{"a": "b"}
	}
	return "a"
}

func walk(t *testing.T, types map[string]string, prefix string, object map[string]any) {
	for name, value := range object {
		path := prefix + name
		inner, nested := value.(map[string]any)
		switch {
		case path == "labels" || types[path] == "flattened":
		case nested:
			walk(t, types, path+".", inner)
		default:
			assert.NotEmpty(t, types[path], "no mapping for %s, which is %v", path, value)
		}
	}
}

func TestReason(t *testing.T) {
	for text, want := range map[string]string{
		`{"error":{"type":"a","reason":"outer","caused_by":{"reason":"inner"}}}`: "inner",
		`{"error":"no handler found"}`:                                           `"no handler found"`,
		`{"statusCode":400,"error":"Bad Request","message":"wrong"}`:             "wrong",
		`<html>`: "<html>",
	} {
		assert.Equal(t, want, reason([]byte(text)))
	}
}

func TestNewClientRefuses(t *testing.T) {
	for want, c := range map[string]Connection{
		`url: found "es:9200", expected a URL such as`: {URL: "es:9200"},
		"found an API key beside a user":               {URL: "https://es:9200", User: "u", APIKey: "k"},
		"read the certificate authority":               {URL: "https://es:9200", CAFile: "/none"},
		"expected PEM":                                 {URL: "https://es:9200", CAFile: "fields_test.go"},
	} {
		_, err := NewClient(c)
		assert.ErrorContains(t, err, want)
	}
}
