// SPDX-License-Identifier: Apache-2.0

package kibana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vedette-sec/vedette/internal/elastic"
)

// Object is one saved object, as Kibana exports and imports it.
type Object struct {
	Attributes           map[string]any `json:"attributes"`
	CoreMigrationVersion string         `json:"coreMigrationVersion"`
	ID                   string         `json:"id"`
	Managed              bool           `json:"managed"`
	References           []Reference    `json:"references"`
	Type                 string         `json:"type"`
	TypeMigrationVersion string         `json:"typeMigrationVersion"`
}

// Reference says which object a part of another one means.
type Reference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// The versions of the shapes below, which every Kibana from 8.9 on reads.
const coreVersion = "8.8.0"

var typeVersions = map[string]string{"index-pattern": "8.0.0", "search": "8.0.0", "lens": "8.9.0", "dashboard": "8.9.0"}

// idPrefix is before every id, so that they are Vedette's in any space.
const idPrefix = "vedette-"

const viewID = idPrefix + "logs"

func newObject(typ, id string, attributes map[string]any, references ...Reference) Object {
	if references == nil {
		references = []Reference{}
	}
	return Object{attributes, coreVersion, id, false, references, typ, typeVersions[typ]}
}

// Objects makes all objects. The same spec makes the same objects.
func Objects(s *Spec) ([]Object, error) {
	objects := []Object{dataView()}
	for _, search := range s.Searches {
		o, err := search.object()
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	for _, d := range s.Dashboards {
		o, err := d.objects()
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", d.ID, err)
		}
		objects = append(objects, o...)
	}
	return objects, nil
}

// Lines writes objects as Kibana imports them: one a line.
func Lines(objects []Object) ([]byte, error) {
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	enc.SetEscapeHTML(false)
	for _, o := range objects {
		if err := enc.Encode(o); err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}

func dataView() Object {
	return newObject("index-pattern", viewID, map[string]any{
		"name": "Vedette", "title": "logs-vedette.*", "timeFieldName": "@timestamp",
	})
}

// text writes what Kibana keeps as JSON within JSON.
func text(value any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(value)
	return strings.TrimSuffix(b.String(), "\n"), err
}

func kql(q string) map[string]any { return map[string]any{"language": "kuery", "query": q} }

const searchView = "kibanaSavedObjectMeta.searchSourceJSON.index"

func (s Search) object() (Object, error) {
	source, err := text(map[string]any{"filter": []any{}, "indexRefName": searchView, "query": kql(query(s.Datasets, s.Query))})
	return newObject("search", idPrefix+s.ID, map[string]any{
		"title": s.Title, "description": s.Description, "columns": s.Columns, "sort": []any{[]any{"@timestamp", "desc"}},
		"grid": map[string]any{}, "hideChart": false, "kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": source},
	}, Reference{viewID, searchView, "index-pattern"}), err
}

// objects are the pictures of a dashboard and, behind them, the dashboard itself.
func (d Dashboard) objects() ([]Object, error) {
	var objects []Object
	var panels []any
	references := []Reference{{viewID, "controlGroup_host:optionsListDataView", "index-pattern"}}
	for i, p := range d.Panels {
		index := fmt.Sprintf("p%02d", i)
		grid := map[string]any{"x": p.At[0], "y": p.At[1], "w": p.At[2], "h": p.At[3], "i": index}
		typ, id := "search", idPrefix+p.Search
		if p.Kind != "search" {
			typ, id = "lens", idPrefix+d.ID+"-"+index
			objects = append(objects, p.lens(id))
		}
		panels = append(panels, map[string]any{
			"type": typ, "gridData": grid, "panelIndex": index, "embeddableConfig": map[string]any{"enhancements": map[string]any{}},
			"panelRefName": "panel_" + index, "title": p.Title,
		})
		references = append(references, Reference{id, index + ":panel_" + index, typ})
	}
	attributes, err := d.attributes(panels)
	return append(objects, newObject("dashboard", idPrefix+d.ID, attributes, references...)), err
}

func (d Dashboard) attributes(panels []any) (map[string]any, error) {
	var failed error
	encode := func(value any) string {
		s, err := text(value)
		if err != nil {
			failed = err
		}
		return s
	}
	attributes := map[string]any{
		"title": d.Title, "description": d.Description, "version": elastic.Version,
		"timeRestore": true, "timeFrom": "now-24h", "timeTo": "now",
		"panelsJSON":  encode(panels),
		"optionsJSON": encode(map[string]any{"hidePanelTitles": false, "syncColors": true, "syncCursor": true, "syncTooltips": true, "useMargins": true}),
		"kibanaSavedObjectMeta": map[string]any{
			"searchSourceJSON": encode(map[string]any{"filter": []any{}, "query": kql("")}),
		},
		"controlGroupInput": map[string]any{
			"chainingSystem": "HIERARCHICAL", "controlStyle": "oneLine",
			"ignoreParentSettingsJSON": encode(map[string]any{"ignoreFilters": false, "ignoreQuery": false, "ignoreTimerange": false, "ignoreValidations": false}),
			"panelsJSON": encode(map[string]any{"host": map[string]any{
				"type": "optionsListControl", "order": 0, "grow": true, "width": "medium",
				"explicitInput": map[string]any{"id": "host", "fieldName": "host.name", "title": "Host", "enhancements": map[string]any{}},
			}}),
		},
	}
	return attributes, failed
}
