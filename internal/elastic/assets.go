// SPDX-License-Identifier: Apache-2.0

package elastic

// Version is the version of the assets. It goes up when they change in what they mean.
const Version = 1

// Kind is a kind of asset, named as Elasticsearch's path for it.
type Kind string

// The kinds, in the order in which they build on each other.
const (
	LifecyclePolicy   Kind = "_ilm/policy"
	IngestPipeline    Kind = "_ingest/pipeline"
	ComponentTemplate Kind = "_component_template"
	IndexTemplate     Kind = "_index_template"
)

// Asset is one thing that Elasticsearch is set up with.
type Asset struct {
	Kind Kind
	Name string
	Body map[string]any
}

// names of assets that others name.
const (
	pipelineName   = "logs-vedette@pipeline"
	mappingsName   = "logs-vedette@mappings"
	customName     = "logs-vedette@custom"
	alertsSettings = "logs-vedette.alerts@settings"
	eventsSettings = "logs-vedette.events@settings"
	alertsPolicy   = "logs-vedette.alerts"
	eventsPolicy   = "logs-vedette.events"
)

// retention is how long documents are kept, by what they are.
const (
	alertsRetention = "365d"
	eventsRetention = "30d"
)

// Assets returns all of them, in the order in which they are put. They are as a complete Elasticsearch takes them.
func Assets() []Asset {
	return []Asset{
		lifecycle(alertsPolicy, "30d", alertsRetention),
		lifecycle(eventsPolicy, "1d", eventsRetention),
		{IngestPipeline, pipelineName, map[string]any{
			"description": "Says when a document of Vedette arrived.",
			"version":     Version,
			"processors": []any{
				map[string]any{"set": map[string]any{"field": "event.ingested", "value": "{{{_ingest.timestamp}}}"}},
			},
		}},
		{ComponentTemplate, mappingsName, map[string]any{"template": map[string]any{"mappings": mappings()}}},
		settings(alertsSettings, alertsPolicy, alertsRetention),
		settings(eventsSettings, eventsPolicy, eventsRetention),
		index("logs-vedette.events", 300, eventsSettings, "logs-vedette.*-*"),
		index("logs-vedette.alerts", 310, alertsSettings,
			"logs-vedette.alert-*", "logs-vedette.enforcement-*", "logs-vedette.baseline-*", "logs-vedette.dead_letter-*"),
	}
}

func lifecycle(name, rollover, retention string) Asset {
	return Asset{LifecyclePolicy, name, map[string]any{"policy": map[string]any{"phases": map[string]any{
		"hot": map[string]any{"actions": map[string]any{
			"rollover": map[string]any{"max_age": rollover, "max_primary_shard_size": "50gb"},
		}},
		"delete": map[string]any{"min_age": retention, "actions": map[string]any{"delete": map[string]any{}}},
	}}}}
}

// mappings are those of all of Vedette's documents. What the vocabulary does not have is searchable nevertheless.
func mappings() map[string]any {
	return map[string]any{
		"date_detection":    false,
		"numeric_detection": false,
		"dynamic_templates": []any{
			map[string]any{"labels": map[string]any{
				"path_match": "labels.*", "mapping": map[string]any{"type": "keyword", "ignore_above": maxKeyword},
			}},
			map[string]any{"strings": map[string]any{
				"match_mapping_type": "string", "mapping": map[string]any{"type": "keyword", "ignore_above": maxKeyword},
			}},
		},
		"properties": properties(Fields()),
	}
}

func settings(name, policy, retention string) Asset {
	return Asset{ComponentTemplate, name, map[string]any{"template": map[string]any{
		"settings": map[string]any{"index": map[string]any{
			"codec":          "best_compression",
			"lifecycle":      map[string]any{"name": policy},
			"final_pipeline": pipelineName,
			"mapping":        map[string]any{"total_fields": map[string]any{"ignore_dynamic_beyond_limit": true}},
		}},
		"lifecycle":           map[string]any{"data_retention": retention},
		"data_stream_options": map[string]any{"failure_store": map[string]any{"enabled": true}},
	}}}
}

// index templates come before Elasticsearch's own for logs, whose priority is 100.
func index(name string, priority int, settings string, patterns ...string) Asset {
	return Asset{IndexTemplate, name, map[string]any{
		"index_patterns":                     patterns,
		"data_stream":                        map[string]any{},
		"priority":                           priority,
		"composed_of":                        []string{"ecs@mappings", mappingsName, settings, customName},
		"ignore_missing_component_templates": []string{"ecs@mappings", customName},
	}}
}
