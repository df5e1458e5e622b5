// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/event"
)

// Field is one field of a document, with the type that Elasticsearch has for it.
type Field struct {
	Path string // dotted
	Type string // ip, keyword, wildcard, match_only_text, constant_keyword, long, float, boolean, date or flattened
	Text bool   // it can be searched by its words too, as PATH.text
}

// other are the fields that follow from no single attribute.
var other = []Field{
	{Path: "@timestamp", Type: "date"},
	{Path: "data_stream.dataset", Type: "constant_keyword"},
	{Path: "data_stream.namespace", Type: "constant_keyword"},
	{Path: "data_stream.type", Type: "constant_keyword"},
	{Path: "ecs.version", Type: "keyword"},
	{Path: "error.message", Type: "match_only_text"},
	{Path: "error.type", Type: "keyword"},
	{Path: "event.action", Type: "keyword"},
	{Path: "event.category", Type: "keyword"},
	{Path: "event.created", Type: "date"},
	{Path: "event.dataset", Type: "keyword"},
	{Path: "event.ingested", Type: "date"},
	{Path: "event.kind", Type: "keyword"},
	{Path: "event.module", Type: "keyword"},
	{Path: "event.severity", Type: "long"},
	{Path: "event.type", Type: "keyword"},
	{Path: "log.level", Type: "keyword"},
	{Path: "message", Type: "match_only_text"},
	{Path: "process.args_count", Type: "long"},
	{Path: "process.parent.name", Type: "keyword", Text: true},
	{Path: "related.hosts", Type: "keyword"},
	{Path: "related.ip", Type: "ip"},
	{Path: "related.user", Type: "keyword"},
	{Path: "user.id", Type: "keyword"},
	{Path: "user.name", Type: "keyword", Text: true},
	{Path: "vedette.dead_letter.document", Type: "match_only_text"},
	{Path: "vedette.dead_letter.target", Type: "keyword"},
}

// Fields returns every field of Vedette's documents that has a mapping of its own, ordered by its path.
// Labels are besides: all of them are keywords.
func Fields() []Field {
	fields := slices.Clone(other)
	for _, p := range event.ECSPlan() {
		if !slices.ContainsFunc(other, func(f Field) bool { return f.Path == p.Path }) {
			fields = append(fields, Field{Path: p.Path, Type: typeOf(p), Text: isText(p.Path)})
		}
	}
	slices.SortFunc(fields, func(a, b Field) int { return slices.Compare(strings.Split(a.Path, "."), strings.Split(b.Path, ".")) })
	return fields
}

func typeOf(f event.ECSField) string {
	last := f.Path[strings.LastIndexByte(f.Path, '.')+1:]
	switch {
	case last == "ip":
		return "ip"
	case last == "command_line":
		return "wildcard"
	case strings.HasSuffix(f.Path, "risk_score"), strings.HasSuffix(f.Path, "calculated_score"):
		return "float"
	case f.Type == event.Int && last == "id":
		return "keyword" // of a user or group, as ECS has it
	}
	switch f.Type {
	case event.Int, event.Ints:
		return "long"
	case event.Bool:
		return "boolean"
	case event.Time:
		return "date"
	case event.Map:
		return "flattened"
	default:
		return "keyword"
	}
}

// isText tells for which fields ECS has a text beside the keyword.
func isText(path string) bool {
	switch path[strings.LastIndexByte(path, '.')+1:] {
	case "command_line", "executable", "working_directory":
		return true
	case "name":
		return strings.Contains(path, "process") || strings.Contains(path, "user")
	case "path", "target_path":
		return strings.HasPrefix(path, "file.")
	}
	return false
}

// maxKeyword is the length, in characters, beyond which a text is stored but not found by its whole.
const maxKeyword = 1024

// mapping returns the mapping of one field.
func (f Field) mapping() map[string]any {
	m := map[string]any{"type": f.Type}
	if f.Type == "keyword" || f.Type == "flattened" {
		m["ignore_above"] = maxKeyword
	}
	if f.Text {
		m["fields"] = map[string]any{"text": map[string]any{"type": "match_only_text"}}
	}
	return m
}

// properties nests the mappings of the fields.
func properties(fields []Field) map[string]any {
	root := map[string]any{}
	for _, f := range fields {
		segments := strings.Split(f.Path, ".")
		at := root
		for _, segment := range segments[:len(segments)-1] {
			object, ok := at[segment].(map[string]any)
			if !ok {
				object = map[string]any{"properties": map[string]any{}}
				at[segment] = object
			}
			at = object["properties"].(map[string]any)
		}
		at[segments[len(segments)-1]] = f.mapping()
	}
	return root
}
