// SPDX-License-Identifier: Apache-2.0

package kibana

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/elastic"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/pkg/baseline"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// The saved objects are checked as Kibana would find them: from the lines alone, with nothing that made them.

// columns is how wide Kibana's grid is.
const gridColumns = 48

type savedObject struct {
	ID, Type   string
	References []Reference
	Attributes json.RawMessage
}

type savedSet map[string]savedObject // by type and id

func readSaved(lines []byte) (savedSet, error) {
	set := savedSet{}
	for i, line := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
		var o savedObject
		if err := json.Unmarshal(line, &o); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		key := o.Type + " " + o.ID
		if _, taken := set[key]; taken {
			return nil, fmt.Errorf("line %d: %s is there twice", i+1, key)
		}
		set[key] = o
	}
	return set, nil
}

// check returns everything that is wrong.
func (set savedSet) check() []error {
	var errs []error
	for key, o := range set {
		for _, err := range set.checkObject(o) {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	return errs
}

func (set savedSet) checkObject(o savedObject) []error {
	var errs []error
	if !strings.HasPrefix(o.ID, "vedette-") {
		errs = append(errs, errors.New("the id does not begin with vedette-"))
	}
	names := map[string]Reference{}
	for _, r := range o.References {
		if _, ok := set[r.Type+" "+r.ID]; !ok {
			errs = append(errs, fmt.Errorf("reference %s leads to %s %s, which is not there", r.Name, r.Type, r.ID))
		}
		if _, taken := names[r.Name]; taken {
			errs = append(errs, fmt.Errorf("reference %s is there twice", r.Name))
		}
		names[r.Name] = r
	}
	switch o.Type {
	case "index-pattern":
		return append(errs, checkView(o)...)
	case "search":
		return append(errs, checkSearch(o, names)...)
	case "lens":
		return append(errs, checkLens(o, names)...)
	case "dashboard":
		return append(errs, checkDashboard(o, names)...)
	}
	return append(errs, errors.New("the type is not one that Vedette has"))
}

func checkView(o savedObject) []error {
	var a struct{ Title, TimeFieldName string }
	if err := json.Unmarshal(o.Attributes, &a); err != nil {
		return []error{err}
	}
	if a.Title != "logs-vedette.*" || a.TimeFieldName != "@timestamp" {
		return []error{fmt.Errorf("found view %q by %q", a.Title, a.TimeFieldName)}
	}
	return nil
}

// fieldTypes are the types of the fields of the documents.
var fieldTypes = func() map[string]string {
	types := map[string]string{}
	for _, f := range elastic.Fields() {
		types[f.Path] = f.Type
	}
	return types
}()

// fieldType is the type of a field of the documents; nothing where there is none of the name.
func fieldType(path string) string { return fieldTypes[path] }

func checkFieldsExist(paths ...string) []error {
	var errs []error
	for _, p := range paths {
		if fieldType(p) == "" {
			errs = append(errs, fmt.Errorf("field %q is in no document", p))
		}
	}
	return errs
}

type kqlQuery struct{ Language, Query string }

// checkDatasets wants the query to be about some classes of events.
func (q kqlQuery) checkDatasets() []error {
	errs := q.checkTerms()
	if q.Language != "kuery" || !strings.HasPrefix(q.Query, "data_stream.dataset : ") {
		errs = append(errs, fmt.Errorf("query %q does not begin with its datasets", q.Query))
	}
	return errs
}

func (q kqlQuery) checkTerms() []error {
	if q.Query == "" {
		return nil
	}
	terms, err := parseKQL(q.Query)
	if err != nil {
		return []error{fmt.Errorf("query %q: %w", q.Query, err)}
	}
	var errs []error
	for _, t := range terms {
		errs = append(errs, checkFieldsExist(t.field)...)
		for _, v := range t.values {
			if known := valuesOf(t.field); known != nil && !slices.Contains(known, v) {
				errs = append(errs, fmt.Errorf("query %q: %s is never %q, only one of %q", q.Query, t.field, v, known))
			}
		}
	}
	return errs
}

// valuesOf returns all that a field can be, where the vocabulary says so.
func valuesOf(field string) []string {
	var values []string
	for _, k := range event.Kinds() {
		switch field {
		case "data_stream.dataset", "event.dataset":
			values = append(values, "vedette."+k.Class, "vedette.dead_letter")
		case "event.action":
			values = append(values, k.ECS.Action)
		case "event.type":
			values = append(values, k.ECS.Type...)
		case "event.category":
			values = append(values, k.ECS.Category...)
		}
	}
	switch field {
	case "event.severity":
		return []string{"21", "47", "73", "99"}
	case "vedette.policy.strength":
		return []string{string(enforce.Prevented), string(enforce.Killed), string(enforce.Detected)}
	case "vedette.policy.mode":
		return []string{string(policy.Audit), string(policy.Enforce)}
	case "vedette.baseline.verdict":
		for _, v := range baseline.Verdicts {
			values = append(values, string(v))
		}
	}
	return values
}

func checkSearch(o savedObject, names map[string]Reference) []error {
	var a struct {
		Title   string
		Columns []string
		Sort    [][2]string
		Meta    struct{ SearchSourceJSON string } `json:"kibanaSavedObjectMeta"`
	}
	if err := json.Unmarshal(o.Attributes, &a); err != nil {
		return []error{err}
	}
	var source struct {
		IndexRefName string
		Query        kqlQuery
	}
	if err := json.Unmarshal([]byte(a.Meta.SearchSourceJSON), &source); err != nil {
		return []error{err}
	}
	errs := append(checkFieldsExist(a.Columns...), source.Query.checkDatasets()...)
	if names[source.IndexRefName].Type != "index-pattern" {
		errs = append(errs, fmt.Errorf("reference %q leads to no data view", source.IndexRefName))
	}
	for _, s := range a.Sort {
		errs = append(errs, checkFieldsExist(s[0])...)
	}
	if a.Title == "" || len(a.Columns) == 0 {
		errs = append(errs, errors.New("it has no title or no columns"))
	}
	return errs
}

type lensColumn struct {
	Label, DataType, OperationType, SourceField string
	IsBucketed                                  bool
	Params                                      struct {
		Size           int
		OrderDirection string
		OrderBy        struct{ Type, ColumnID string }
		SortField      string
	}
}

// operations says which types of fields an operation of Lens takes.
var operations = map[string][]string{
	"date_histogram": {"date"},
	"terms":          {"keyword", "wildcard", "constant_keyword", "ip", "long", "boolean"},
	"unique_count":   {"keyword", "ip", "long"},
	"sum":            {"long", "float"},
	"max":            {"long", "float", "date"},
	"last_value":     {"long", "float"},
}

// lensTypes is Lens's word for the types of fields.
var lensTypes = map[string]string{"long": "number", "float": "number", "ip": "ip", "date": "date", "boolean": "boolean"}

func (c lensColumn) check(all map[string]lensColumn) []error {
	if c.OperationType == "count" {
		if c.SourceField != "___records___" || c.IsBucketed || c.DataType != "number" {
			return []error{fmt.Errorf("column %q counts %q", c.Label, c.SourceField)}
		}
		return nil
	}
	typ := fieldType(c.SourceField)
	errs := checkFieldsExist(c.SourceField)
	if !slices.Contains(operations[c.OperationType], typ) {
		errs = append(errs, fmt.Errorf("column %q: operation %q takes no %s such as %s", c.Label, c.OperationType, typ, c.SourceField))
	}
	if bucketed := c.OperationType == "terms" || c.OperationType == "date_histogram"; bucketed != c.IsBucketed {
		errs = append(errs, fmt.Errorf("column %q: bucketed is %t", c.Label, c.IsBucketed))
	}
	want := lensTypes[typ]
	if want == "" {
		want = "string"
	}
	if !c.IsBucketed {
		want = "number"
	}
	if c.DataType != want {
		errs = append(errs, fmt.Errorf("column %q: found data type %q, expected %q", c.Label, c.DataType, want))
	}
	if c.OperationType == "last_value" && fieldType(c.Params.SortField) != "date" {
		errs = append(errs, fmt.Errorf("column %q: the last by %q, which is no time", c.Label, c.Params.SortField))
	}
	if c.OperationType == "terms" {
		by, ok := all[c.Params.OrderBy.ColumnID]
		if c.Params.Size < 1 || c.Params.OrderBy.Type != "column" || !ok || by.IsBucketed {
			errs = append(errs, fmt.Errorf("column %q: its size is %d and it is ordered by %q", c.Label, c.Params.Size, c.Params.OrderBy.ColumnID))
		}
	}
	return errs
}

type lensState struct {
	Title, VisualizationType string
	State                    struct {
		Query            kqlQuery
		DatasourceStates struct {
			FormBased struct {
				Layers map[string]struct {
					ColumnOrder []string
					Columns     map[string]lensColumn
				}
			}
		}
		Visualization json.RawMessage
	}
}

func checkLens(o savedObject, names map[string]Reference) []error {
	var a lensState
	if err := json.Unmarshal(o.Attributes, &a); err != nil {
		return []error{err}
	}
	errs := a.State.Query.checkDatasets()
	layers := a.State.DatasourceStates.FormBased.Layers
	if len(layers) == 0 || a.Title == "" {
		errs = append(errs, errors.New("it has no layers or no title"))
	}
	used := accessors(a.State.Visualization)
	for id, layer := range layers {
		if names["indexpattern-datasource-layer-"+id].Type != "index-pattern" {
			errs = append(errs, fmt.Errorf("layer %s has no data view", id))
		}
		var known []string
		for name, c := range layer.Columns {
			known = append(known, name)
			errs = append(errs, c.check(layer.Columns)...)
		}
		if !sameElements(known, layer.ColumnOrder) {
			errs = append(errs, fmt.Errorf("layer %s orders the columns %q, and has %q", id, layer.ColumnOrder, known))
		}
		if !sameElements(used[id], known) {
			errs = append(errs, fmt.Errorf("layer %s has the columns %q, and %s draws %q", id, known, a.VisualizationType, used[id]))
		}
	}
	return append(errs, checkVisualization(a, used)...)
}

// checkVisualization wants the layers drawn to be those that are there, in a shape that Lens knows.
func checkVisualization(a lensState, used map[string][]string) []error {
	var errs []error
	for id := range used {
		if _, ok := a.State.DatasourceStates.FormBased.Layers[id]; !ok {
			errs = append(errs, fmt.Errorf("layer %s is drawn and not there", id))
		}
	}
	if !slices.Contains([]string{"lnsMetric", "lnsXY", "lnsPie", "lnsDatatable", "lnsHeatmap"}, a.VisualizationType) {
		errs = append(errs, fmt.Errorf("found visualization %q", a.VisualizationType))
	}
	return errs
}

func sameElements(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// drawn is what any visualization says of one layer.
type drawn struct {
	LayerID                                             string
	MetricAccessor, XAccessor, YAccessor, ValueAccessor string
	SplitAccessor                                       string
	Accessors, PrimaryGroups, Metrics                   []string
	Columns                                             []struct{ ColumnID string }
}

// accessors returns the columns that a visualization draws, by layer.
func accessors(state json.RawMessage) map[string][]string {
	var whole struct {
		drawn
		Layers []drawn
	}
	if json.Unmarshal(state, &whole) != nil {
		return nil
	}
	used := map[string][]string{}
	for _, d := range append(whole.Layers, whole.drawn) {
		if d.LayerID == "" {
			continue
		}
		names := slices.Concat(d.Accessors, d.PrimaryGroups, d.Metrics, []string{d.MetricAccessor, d.XAccessor, d.YAccessor, d.ValueAccessor, d.SplitAccessor})
		for _, c := range d.Columns {
			names = append(names, c.ColumnID)
		}
		used[d.LayerID] = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	}
	return used
}

type grid struct {
	X, Y, W, H int
	I          string
}

func (g grid) overlaps(o grid) bool {
	return g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H
}

func checkDashboard(o savedObject, names map[string]Reference) []error {
	var a struct {
		Title, Description, PanelsJSON string
		ControlGroupInput              struct{ PanelsJSON string }
	}
	if err := json.Unmarshal(o.Attributes, &a); err != nil {
		return []error{err}
	}
	var panels []struct {
		Type, PanelIndex, PanelRefName, Title string
		GridData                              grid
	}
	if err := json.Unmarshal([]byte(a.PanelsJSON), &panels); err != nil {
		return []error{err}
	}
	var errs []error
	if a.Title == "" || a.Description == "" || len(panels) == 0 {
		errs = append(errs, errors.New("it has no title, description or panels"))
	}
	for i, p := range panels {
		g := p.GridData
		if g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > gridColumns || g.I != p.PanelIndex {
			errs = append(errs, fmt.Errorf("panel %q is at %+v on a grid of %d columns", p.Title, g, gridColumns))
		}
		for _, q := range panels[:i] {
			if q.PanelIndex == p.PanelIndex || q.GridData.overlaps(g) {
				errs = append(errs, fmt.Errorf("panels %q and %q are in the same place", q.Title, p.Title))
			}
		}
		if names[p.PanelIndex+":"+p.PanelRefName].Type != p.Type {
			errs = append(errs, fmt.Errorf("panel %q is of type %q, and its reference %s is not", p.Title, p.Type, p.PanelRefName))
		}
	}
	return append(errs, checkControls(a.ControlGroupInput.PanelsJSON, names)...)
}

func checkControls(text string, names map[string]Reference) []error {
	var controls map[string]struct {
		ExplicitInput struct{ ID, FieldName string }
	}
	if err := json.Unmarshal([]byte(text), &controls); err != nil {
		return []error{err}
	}
	var errs []error
	for id, c := range controls {
		errs = append(errs, checkFieldsExist(c.ExplicitInput.FieldName)...)
		if names["controlGroup_"+id+":optionsListDataView"].Type != "index-pattern" || c.ExplicitInput.ID != id {
			errs = append(errs, fmt.Errorf("control %s has no data view", id))
		}
	}
	return errs
}

func shipped(t *testing.T) []byte {
	lines, err := os.ReadFile("../../../config/kibana/vedette.ndjson")
	require.NoError(t, err)
	return lines
}

func TestShippedObjects(t *testing.T) {
	set, err := readSaved(shipped(t))
	require.NoError(t, err)
	for _, err := range set.check() {
		assert.NoError(t, err)
	}
	kinds := map[string]int{}
	for _, o := range set {
		kinds[o.Type]++
	}
	assert.Equal(t, 1, kinds["index-pattern"])
	assert.Equal(t, 5, kinds["search"])
	assert.Equal(t, 8, kinds["dashboard"])
	t.Logf("checked %v", kinds)
}

// TestCheckFinds breaks the shipped objects in the ways that the check is for.
func TestCheckFinds(t *testing.T) {
	for want, change := range map[string][2]string{
		"leads to":                     {`"id":"vedette-logs","name":"index`, `"id":"vedette-gone","name":"index`},
		`is in no document`:            {`"sourceField":"host.name"`, `"sourceField":"host.nome"`},
		`takes no keyword`:             {`"operationType":"unique_count"`, `"operationType":"sum"`},
		`draws`:                        {`"metricAccessor":"value"`, `"metricAccessor":"valve"`},
		"orders the columns":           {`"columnOrder":["value"]`, `"columnOrder":["value","more"]`},
		"does not begin with its":      {`"query":"data_stream.dataset : \"vedette.alert\""`, `"query":"event.severity : 99"`},
		`is never`:                     {`event.action : \"exec\"`, `event.action : \"exek\"`},
		"on a grid of 48 columns":      {`\"w\":48`, `\"w\":49`},
		"are in the same place":        {`\"x\":8,\"y\":0`, `\"x\":7,\"y\":0`},
		"does not begin with vedette-": {`"id":"vedette-overview"`, `"id":"overview"`},
		"found visualization":          {`"visualizationType":"lnsPie"`, `"visualizationType":"lnsCake"`},
		"expected a value":             {`event.severity : 99`, `event.severity : `},
		"is drawn and not there":       {`"layerId":"layer"`, `"layerId":"lair"`},
		"found data type":              {`"dataType":"ip"`, `"dataType":"string"`},
		"has no data view":             {`"name":"controlGroup_host:optionsListDataView"`, `"name":"controlGroup_host:x"`},
		"and its reference":            {`"name":"p00:panel_p00"`, `"name":"p00:panel_p0"`},
		"it is ordered by":             {`"columnId":"value","type":"column"`, `"columnId":"by0","type":"column"`},
	} {
		t.Run(want, func(t *testing.T) {
			lines := shipped(t)
			broken := bytes.ReplaceAll(lines, []byte(change[0]), []byte(change[1]))
			require.NotEqual(t, string(lines), string(broken), "there is nothing to break")
			set, err := readSaved(broken)
			require.NoError(t, err)
			assert.ErrorContains(t, errors.Join(set.check()...), want)
		})
	}
}
