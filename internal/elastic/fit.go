// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// substitutes stand for types of fields that a server may lack: OpenSearch has other names, and a
// server without Elastic's own modules has the plain types only. The last one, nil, every server has.
var substitutes = map[string][]map[string]any{
	"wildcard":         {{"type": "keyword", "ignore_above": maxKeyword}},
	"match_only_text":  {{"type": "text"}},
	"constant_keyword": {{"type": "keyword"}},
	"flattened":        {{"type": "flat_object"}, {"type": "object", "enabled": false}},
}

// option is a part of the templates that a server may lack.
type option struct {
	name   string
	loses  string         // what a user has to do without
	sample map[string]any // a template with it
	api    string         // a path that a server has which does what the template says; empty where the template tells
	drop   func(template map[string]any)
}

var options = []option{
	{
		"ILM", "documents are not rolled over and deleted by ILM",
		map[string]any{"settings": map[string]any{"index.lifecycle.name": alertsPolicy}}, "",
		func(t map[string]any) { delete(indexSettings(t), "lifecycle") },
	},
	{
		"data stream lifecycle", "retention is not set by the data stream",
		map[string]any{"lifecycle": map[string]any{"data_retention": "1d"}}, "_data_stream/logs-vedette.*/_lifecycle",
		func(t map[string]any) { delete(t, "lifecycle") },
	},
	{
		"failure store", "documents that cannot be indexed are dead letters",
		map[string]any{"data_stream_options": map[string]any{"failure_store": map[string]any{"enabled": true}}}, "_data_stream/logs-vedette.*/_options",
		func(t map[string]any) { delete(t, "data_stream_options") },
	},
	{
		"ignore_dynamic_beyond_limit", "documents with very many labels are refused",
		map[string]any{"settings": map[string]any{"index.mapping.total_fields.ignore_dynamic_beyond_limit": true}}, "",
		func(t map[string]any) { delete(indexSettings(t), "mapping") },
	},
}

func indexSettings(template map[string]any) map[string]any {
	settings, _ := template["settings"].(map[string]any)
	index, _ := settings["index"].(map[string]any)
	return index
}

// fit changes the assets to what the server can, which it is asked, and says what it had to leave out.
func (c *Client) fit(ctx context.Context, assets []Asset) ([]Asset, []string, error) {
	assets, err := clone(assets)
	if err != nil {
		return nil, nil, err
	}
	var notes []string
	types := map[string]map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(substitutes)) {
		with, err := c.substitute(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		if with != nil {
			types[name] = with
			notes = append(notes, fmt.Sprintf("the server has no fields of type %s; they are %v", name, with["type"]))
		}
	}
	var drops []func(map[string]any)
	for _, o := range options {
		switch can, err := c.has(ctx, o); {
		case err != nil:
			return nil, nil, err
		case !can:
			drops = append(drops, o.drop)
			notes = append(notes, fmt.Sprintf("the server has no %s; %s", o.name, o.loses))
		}
	}
	ignores, err := c.ignoresMissing(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range assets {
		if template, ok := a.Body["template"].(map[string]any); ok {
			for _, drop := range drops {
				drop(template)
			}
			replaceTypes(template["mappings"], types)
		}
		if a.Kind == IndexTemplate && !ignores {
			if err := c.composeOfPresent(ctx, a.Body); err != nil {
				return nil, nil, err
			}
		}
	}
	return assets, notes, nil
}

// clone copies by way of JSON, so that bodies are made of maps and lists alone.
func clone(assets []Asset) ([]Asset, error) {
	var copied []Asset
	text, err := json.Marshal(assets)
	if err != nil {
		return nil, err
	}
	return copied, json.Unmarshal(text, &copied)
}

// can asks the server whether it takes a template, without leaving one there.
func (c *Client) can(ctx context.Context, template map[string]any) (bool, error) {
	return c.simulate(ctx, map[string]any{"template": template})
}

func (c *Client) ignoresMissing(ctx context.Context) (bool, error) {
	return c.simulate(ctx, map[string]any{"composed_of": []string{customName}, "ignore_missing_component_templates": []string{customName}})
}

func (c *Client) simulate(ctx context.Context, body map[string]any) (bool, error) {
	// Above every other template, as two of the same priority may not overlap.
	body = maps.Clone(body)
	body["index_patterns"], body["data_stream"], body["priority"] = []string{"logs-vedette.probe-*"}, map[string]any{}, 999999
	err := c.Call(ctx, "POST", "_index_template/_simulate", body, nil)
	switch {
	case err == nil:
		return true, nil
	case isRefusal(err):
		return false, nil
	default:
		return false, fmt.Errorf("ask the server what it can: %w", err)
	}
}

// has tells whether the server takes a template with the option, and does what it says.
func (c *Client) has(ctx context.Context, o option) (bool, error) {
	can, err := c.can(ctx, o.sample)
	if !can || err != nil || o.api == "" {
		return can, err
	}
	switch err := c.Call(ctx, "GET", o.api, nil, nil); {
	case err == nil, HasStatus(err, http.StatusForbidden), HasStatus(err, http.StatusNotFound) && !isUnknownPath(err):
		return true, nil
	case isRefusal(err):
		return false, nil
	default:
		return false, fmt.Errorf("ask the server what it can: %w", err)
	}
}

// substitute finds what stands for a type; nil where the server has it.
func (c *Client) substitute(ctx context.Context, name string) (map[string]any, error) {
	with := func(mapping map[string]any) map[string]any {
		return map[string]any{"mappings": map[string]any{"properties": map[string]any{"f": mapping}}}
	}
	can, err := c.can(ctx, with(map[string]any{"type": name}))
	if can || err != nil {
		return nil, err
	}
	for _, s := range substitutes[name] {
		if can, err = c.can(ctx, with(s)); can || err != nil {
			return s, err
		}
	}
	return nil, fmt.Errorf("the server takes fields neither of type %s nor of what stands for it", name)
}

// replaceTypes walks the mappings.
func replaceTypes(mapping any, types map[string]map[string]any) {
	switch m := mapping.(type) {
	case []any:
		for _, inner := range m {
			replaceTypes(inner, types)
		}
	case map[string]any:
		if name, ok := m["type"].(string); ok && types[name] != nil {
			delete(m, "type")
			delete(m, "ignore_above")
			maps.Copy(m, types[name])
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			replaceTypes(m[key], types)
		}
	}
}

// composeOfPresent leaves out component templates that are not there, for a server that does not do so itself.
func (c *Client) composeOfPresent(ctx context.Context, template map[string]any) error {
	ignored, _ := template["ignore_missing_component_templates"].([]any)
	delete(template, "ignore_missing_component_templates")
	var present []any
	for _, name := range template["composed_of"].([]any) {
		if slices.Contains(ignored, name) {
			err := c.Call(ctx, "GET", string(ComponentTemplate)+"/"+name.(string), nil, nil)
			if HasStatus(err, 404) {
				continue
			}
			if err != nil {
				return err
			}
		}
		present = append(present, name)
	}
	template["composed_of"] = present
	return nil
}
