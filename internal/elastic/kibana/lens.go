// SPDX-License-Identifier: Apache-2.0

package kibana

import "fmt"

// layerID is that of the only layer each picture has.
const layerID = "layer"

// valueID is the column of what is counted.
const valueID = "value"

// lens makes the picture of a panel.
func (p Panel) lens(id string) Object {
	columns := map[string]any{valueID: p.Value.column()}
	var order []string
	for i, b := range p.By {
		name := fmt.Sprintf("by%d", i)
		columns[name] = b.column()
		order = append(order, name)
	}
	layer := map[string]any{
		"columnOrder": append(order, valueID), "columns": columns, "incompleteColumns": map[string]any{}, "sampling": 1,
	}
	typ, state := p.visualization(order)
	return newObject("lens", id, map[string]any{
		"title": p.Title, "description": "", "visualizationType": typ,
		"state": map[string]any{
			"adHocDataViews": map[string]any{}, "internalReferences": []any{}, "filters": []any{},
			"query":            kql(query(p.Datasets, p.Query)),
			"datasourceStates": map[string]any{"formBased": map[string]any{"layers": map[string]any{layerID: layer}}},
			"visualization":    state,
		},
	}, Reference{viewID, "indexpattern-datasource-layer-" + layerID, "index-pattern"})
}

// visualization is how the columns are drawn.
func (p Panel) visualization(by []string) (typ string, state map[string]any) {
	switch p.Kind {
	case "metric":
		return "lnsMetric", map[string]any{"layerId": layerID, "layerType": "data", "metricAccessor": valueID}
	case "donut":
		return "lnsPie", map[string]any{"shape": "donut", "layers": []any{map[string]any{
			"layerId": layerID, "layerType": "data", "primaryGroups": by, "metrics": []string{valueID},
			"categoryDisplay": "default", "legendDisplay": "default", "nestedLegend": false, "numberDisplay": "percent",
		}}}
	case "table":
		columns := []any{}
		for _, id := range append(by, valueID) {
			columns = append(columns, map[string]any{"columnId": id})
		}
		return "lnsDatatable", map[string]any{"layerId": layerID, "layerType": "data", "columns": columns}
	case "heatmap":
		return "lnsHeatmap", heatmap(by)
	case "line":
		return "lnsXY", xy("line", by)
	default:
		return "lnsXY", xy("bar_stacked", by)
	}
}

func xy(series string, by []string) map[string]any {
	layer := map[string]any{
		"layerId": layerID, "layerType": "data", "accessors": []string{valueID}, "xAccessor": by[0],
		"position": "top", "seriesType": series, "showGridlines": false,
	}
	if len(by) > 1 {
		layer["splitAccessor"] = by[1]
	}
	return map[string]any{
		"layers": []any{layer}, "preferredSeriesType": series, "valueLabels": "hide", "fittingFunction": "None",
		"legend": map[string]any{"isVisible": true, "position": "right"},
	}
}

func heatmap(by []string) map[string]any {
	return map[string]any{
		"shape": "heatmap", "layerId": layerID, "layerType": "data", "xAccessor": by[0], "yAccessor": by[1], "valueAccessor": valueID,
		"legend": map[string]any{"isVisible": true, "position": "right", "type": "heatmap_legend"},
		"gridConfig": map[string]any{
			"type": "heatmap_grid", "isCellLabelVisible": true, "isXAxisLabelVisible": true, "isXAxisTitleVisible": true,
			"isYAxisLabelVisible": true, "isYAxisTitleVisible": false,
		},
	}
}

func (b By) column() map[string]any {
	if b.Time {
		return map[string]any{
			"label": "@timestamp", "dataType": "date", "isBucketed": true, "operationType": "date_histogram", "scale": "interval",
			"sourceField": "@timestamp", "params": map[string]any{"interval": "auto", "includeEmptyRows": true, "dropPartials": false},
		}
	}
	return map[string]any{
		"label": b.Label, "customLabel": true, "dataType": dataType(b.Field), "isBucketed": true, "operationType": "terms", "scale": "ordinal",
		"sourceField": b.Field, "params": map[string]any{
			"size": b.Size, "orderBy": map[string]any{"type": "column", "columnId": valueID}, "orderDirection": "desc",
			"missingBucket": false, "otherBucket": false, "parentFormat": map[string]any{"id": "terms"},
			"include": []any{}, "exclude": []any{}, "includeIsRegex": false, "excludeIsRegex": false,
		},
	}
}

func (v Value) column() map[string]any {
	operation, _ := v.operation() // Parse has checked it.
	column := map[string]any{
		"dataType": "number", "isBucketed": false, "operationType": operation, "scale": "ratio",
		"sourceField": v.Field, "params": map[string]any{"emptyAsNull": operation != "count"},
	}
	switch operation {
	case "count":
		column["label"], column["sourceField"] = "Count", "___records___"
	case "unique_count":
		column["label"] = "Unique " + v.Field
	case "sum":
		column["label"] = "Sum of " + v.Field
	case "last_value":
		column["label"], column["params"] = "Last "+v.Field, map[string]any{"sortField": "@timestamp"}
	default:
		column["label"], column["params"] = "Maximum of "+v.Field, map[string]any{}
	}
	return column
}
