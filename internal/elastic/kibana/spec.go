// SPDX-License-Identifier: Apache-2.0

// Package kibana makes Kibana's saved objects from config/kibana/dashboards.yaml.
package kibana

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/elastic"
)

// Spec is dashboards.yaml.
type Spec struct {
	Searches   []Search    `yaml:"searches"`
	Dashboards []Dashboard `yaml:"dashboards"`
}

// Search is a saved search.
type Search struct {
	ID          string   `yaml:"id"`
	Title       string   `yaml:"title"`
	Description string   `yaml:"description"`
	Datasets    []string `yaml:"datasets"`
	Query       string   `yaml:"query"`
	Columns     []string `yaml:"columns"`
}

// Dashboard is a page of panels.
type Dashboard struct {
	ID          string  `yaml:"id"`
	Title       string  `yaml:"title"`
	Description string  `yaml:"description"`
	Panels      []Panel `yaml:"panels"`
}

// Panel is one picture.
type Panel struct {
	Title    string   `yaml:"title"`
	Kind     string   `yaml:"kind"`
	Datasets []string `yaml:"datasets"`
	Query    string   `yaml:"query"`
	Search   string   `yaml:"search"` // of kind search: its id
	By       []By     `yaml:"by"`
	Value    Value    `yaml:"value"`
	At       [4]int   `yaml:"at"` // x, y, width, height
}

// By is what is counted apart.
type By struct {
	Time  bool   `yaml:"time"`
	Field string `yaml:"field"`
	Size  int    `yaml:"size"`
	Label string `yaml:"label"`
}

// Value is what is counted.
type Value struct {
	Op    string `yaml:"op"`
	Field string `yaml:"field"`
}

// dimensions is how many By each kind of panel takes, from and to.
var dimensions = map[string][2]int{
	"metric": {0, 0}, "bar": {1, 2}, "line": {1, 2}, "donut": {1, 1}, "table": {1, 3}, "heatmap": {2, 2}, "search": {0, 0},
}

// Parse reads and checks the text of dashboards.yaml.
func Parse(text []byte) (*Spec, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var s Spec
	if err := dec.Decode(&s); err != nil {
		return nil, err
	}
	for _, d := range s.Dashboards {
		for _, p := range d.Panels {
			if err := p.check(&s); err != nil {
				return nil, fmt.Errorf("dashboard %s, panel %q: %w", d.ID, p.Title, err)
			}
		}
	}
	return &s, nil
}

func (p Panel) check(s *Spec) error {
	takes, ok := dimensions[p.Kind]
	switch {
	case !ok:
		return fmt.Errorf("found kind %q, expected metric, bar, line, donut, table, heatmap or search", p.Kind)
	case len(p.By) < takes[0] || len(p.By) > takes[1]:
		return fmt.Errorf("found %d by, expected %d to %d for a %s", len(p.By), takes[0], takes[1], p.Kind)
	case p.Kind == "search":
		if !slices.ContainsFunc(s.Searches, func(o Search) bool { return o.ID == p.Search }) {
			return fmt.Errorf("found search %q, expected the id of one", p.Search)
		}
		return nil
	case len(p.Datasets) == 0:
		return fmt.Errorf("found no datasets, expected some")
	}
	for _, b := range p.By {
		if b.Time != (b.Field == "") {
			return fmt.Errorf("found a by with time %t and field %q, expected one of the two", b.Time, b.Field)
		}
	}
	_, err := p.Value.operation()
	return err
}

// operation is Lens's name for what is counted.
func (v Value) operation() (string, error) {
	name, ok := map[string]string{"": "count", "count": "count", "unique": "unique_count", "sum": "sum", "max": "max", "last": "last_value"}[v.Op]
	switch {
	case !ok:
		return "", fmt.Errorf("found value op %q, expected count, unique, sum, max or last", v.Op)
	case (name == "count") != (v.Field == ""):
		return "", fmt.Errorf("found value op %q with field %q, expected a field for all but count", v.Op, v.Field)
	}
	return name, nil
}

// Query is the KQL of a panel: its classes of events and what narrows them.
func Query(p Panel) string { return query(p.Datasets, p.Query) }

// query is the KQL of a panel: its classes of events and what narrows them.
func query(datasets []string, more string) string {
	quoted := make([]string, len(datasets))
	for i, d := range datasets {
		quoted[i] = `"vedette.` + d + `"`
	}
	q := "data_stream.dataset : " + quoted[0]
	if len(quoted) > 1 {
		q = "data_stream.dataset : (" + strings.Join(quoted, " or ") + ")"
	}
	if more != "" {
		q += " and (" + more + ")"
	}
	return q
}

// dataType is Lens's word for the type of a field.
func dataType(field string) string {
	for _, f := range elastic.Fields() {
		if f.Path == field {
			switch f.Type {
			case "long", "float":
				return "number"
			case "ip", "date", "boolean":
				return f.Type
			}
		}
	}
	return "string"
}
