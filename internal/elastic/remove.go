// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Remove takes away what Install has put, in the other order. Data streams stay, and with them what they need to take
// documents as before; what is not Vedette's stays as well.
func (c *Client) Remove(ctx context.Context, dryRun bool) (*Report, error) {
	assets := Assets()
	slices.Reverse(assets)
	users, err := c.users(ctx, assets)
	if err != nil {
		return nil, fmt.Errorf("find out what is in use: %w", err)
	}
	report := &Report{DryRun: dryRun}
	for _, a := range assets {
		change, err := c.remove(ctx, a, users, dryRun)
		if err != nil {
			return report, fmt.Errorf("remove %s %s: %w", a.Kind, a.Name, err)
		}
		if change.Outcome == Kept {
			users = append(users, user{string(a.Kind) + " " + a.Name, a.Body})
		}
		report.Changes = append(report.Changes, change)
	}
	return report, nil
}

func (c *Client) remove(ctx context.Context, a Asset, users []user, dryRun bool) (Change, error) {
	change := Change{Kind: string(a.Kind), Name: a.Name, Outcome: Removed}
	have, err := c.signature(ctx, a)
	switch {
	case have == "" && err == nil, isRefusal(err):
		change.Outcome = Absent
		return change, nil
	case err != nil:
		return change, err
	case have == foreign:
		change.Outcome, change.Reason = Kept, "it is not Vedette's"
		return change, nil
	}
	if by := usersOf(a, users); len(by) > 0 {
		change.Outcome, change.Reason = Kept, "used by "+strings.Join(by, ", ")
		return change, nil
	}
	if dryRun {
		return change, nil
	}
	// The server knows of more, such as indices with the setting of their own.
	if err := c.Call(ctx, "DELETE", a.path(), nil, nil); isRefusal(err) {
		change.Outcome, change.Reason = Kept, err.Error()
	} else if err != nil {
		return change, err
	}
	return change, nil
}

// user is something that stays, and the body in which it names what it needs.
type user struct {
	name string
	body any
}

// usersOf names those that name the asset.
func usersOf(a Asset, users []user) []string {
	var names []string
	for _, u := range users {
		if contains(u.body, a.Name) {
			names = append(names, u.name)
		}
	}
	return names
}

// contains tells whether a text is anywhere among the values of a decoded body.
func contains(body any, text string) bool {
	switch v := body.(type) {
	case string:
		return v == text
	case []string:
		return slices.Contains(v, text)
	case []any:
		return slices.ContainsFunc(v, func(inner any) bool { return contains(inner, text) })
	case map[string]any:
		for _, inner := range v {
			if contains(inner, text) {
				return true
			}
		}
	}
	return false
}

// users returns the data streams, each with the index template of the assets that it is made by, and the index
// templates that others have put.
func (c *Client) users(ctx context.Context, assets []Asset) ([]user, error) {
	var resolved struct {
		DataStreams []struct {
			Name string `json:"name"`
		} `json:"data_streams"`
	}
	if err := c.Call(ctx, "GET", "_resolve/index/logs-vedette.*?expand_wildcards=all", nil, &resolved); err != nil {
		return nil, err
	}
	var users []user
	for _, stream := range resolved.DataStreams {
		users = append(users, user{"data stream " + stream.Name, templateOf(stream.Name, assets)})
	}
	var templates struct {
		All []struct {
			Name string         `json:"name"`
			Body map[string]any `json:"index_template"`
		} `json:"index_templates"`
	}
	if err := c.Call(ctx, "GET", "_index_template", nil, &templates); err != nil {
		return nil, err
	}
	for _, template := range templates.All {
		if !isOneOf(template.Name, assets) {
			users = append(users, user{string(IndexTemplate) + " " + template.Name, template.Body})
		}
	}
	return users, nil
}

// templateOf returns the name of the index template that a data stream of that name is made by: of those whose patterns
// match, the one with the highest priority.
func templateOf(stream string, assets []Asset) string {
	name, highest := "", -1
	for _, a := range assets {
		if a.Kind != IndexTemplate {
			continue
		}
		matches := slices.ContainsFunc(a.Body["index_patterns"].([]string), func(pattern string) bool {
			match, _ := path.Match(pattern, stream)
			return match
		})
		if priority := a.Body["priority"].(int); matches && priority > highest {
			name, highest = a.Name, priority
		}
	}
	return name
}

func isOneOf(name string, assets []Asset) bool {
	return slices.ContainsFunc(assets, func(a Asset) bool { return a.Kind == IndexTemplate && a.Name == name })
}
