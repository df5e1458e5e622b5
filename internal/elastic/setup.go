// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Outcome is what was done about one asset.
type Outcome string

// The outcomes. With a dry run they say what would be done.
const (
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged"
	Removed   Outcome = "removed"
	Absent    Outcome = "absent"
	LeftOut   Outcome = "left out" // the server cannot
	Kept      Outcome = "kept"     // it is not Vedette's, or still needed
)

// Change is what became of one asset.
type Change struct {
	Kind    string  `json:"kind"`
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
}

// Report is what a set-up did.
type Report struct {
	DryRun  bool     `json:"dry_run"`
	Changes []Change `json:"changes"`
	Notes   []string `json:"notes,omitempty"` // what the server lacks
}

// managedBy marks what is Vedette's. Its version and a digest of the asset are behind it.
const managedBy = "vedette"

// Install puts every asset that is not there as it should be. It can be run again at any time.
func (c *Client) Install(ctx context.Context, dryRun bool) (*Report, error) {
	assets, notes, err := c.fit(ctx, Assets())
	if err != nil {
		return nil, err
	}
	report := &Report{DryRun: dryRun, Notes: notes}
	missing := map[string]bool{}
	for _, a := range assets {
		if template, ok := a.Body["template"].(map[string]any); ok && missing[pipelineName] {
			delete(indexSettings(template), "final_pipeline")
		}
		change, err := c.install(ctx, a, dryRun)
		if err != nil {
			return report, fmt.Errorf("set up %s %s: %w", a.Kind, a.Name, err)
		}
		missing[a.Name] = change.Outcome == LeftOut
		report.Changes = append(report.Changes, change)
	}
	return report, nil
}

func (c *Client) install(ctx context.Context, a Asset, dryRun bool) (Change, error) {
	change := Change{Kind: string(a.Kind), Name: a.Name}
	mark, err := a.sign()
	if err != nil {
		return change, err
	}
	have, err := c.signature(ctx, a)
	switch {
	case isRefusal(err):
		change.Outcome, change.Reason = LeftOut, err.Error()
		return change, nil
	case err != nil:
		return change, err
	case have == mark:
		change.Outcome = Unchanged
		return change, nil
	case have == foreign:
		change.Outcome, change.Reason = Kept, "one of this name is there that is not Vedette's"
		return change, nil
	case have == "":
		change.Outcome = Created
	default:
		change.Outcome = Updated
	}
	if a.Kind == IngestPipeline {
		if err := c.try(ctx, a); isRefusal(err) {
			change.Outcome, change.Reason = LeftOut, err.Error()
			return change, nil
		} else if err != nil {
			return change, err
		}
	}
	if dryRun {
		return change, nil
	}
	if err := c.Call(ctx, "PUT", a.path(), a.Body, nil); isOptional(a.Kind) && isRefusal(err) {
		change.Outcome, change.Reason = LeftOut, err.Error()
	} else if err != nil {
		return change, err
	}
	return change, nil
}

// try has the server run a pipeline on an empty document, which shows whether it has the processors.
func (c *Client) try(ctx context.Context, pipeline Asset) error {
	return c.Call(ctx, "POST", string(IngestPipeline)+"/_simulate", map[string]any{
		"pipeline": pipeline.Body, "docs": []any{map[string]any{"_source": map[string]any{}}},
	}, nil)
}

// isOptional tells what documents arrive without.
func isOptional(k Kind) bool { return k == LifecyclePolicy || k == IngestPipeline }

func (a Asset) path() string { return string(a.Kind) + "/" + a.Name }

// sign writes into the asset whose it is, and which, and returns that.
func (a Asset) sign() (string, error) {
	text, err := json.Marshal(a.Body)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(text)
	mark := fmt.Sprintf("%s %d %s", managedBy, Version, hex.EncodeToString(digest[:8]))
	switch a.Kind {
	case LifecyclePolicy:
		a.Body["policy"].(map[string]any)["_meta"] = map[string]any{"managed_by": mark}
	case IngestPipeline: // OpenSearch takes no _meta here.
		a.Body["description"] = fmt.Sprintf("%v [%s]", a.Body["description"], mark)
	default:
		a.Body["_meta"] = map[string]any{"managed_by": mark}
	}
	return mark, nil
}

// foreign is the signature of what somebody else has put.
const foreign = "?"

// signature returns what the asset that is there is signed with; nothing where there is none.
func (c *Client) signature(ctx context.Context, a Asset) (string, error) {
	var answer map[string]any
	err := c.Call(ctx, "GET", a.path(), nil, &answer)
	if HasStatus(err, 404) && !isUnknownPath(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if mark := findMark(answer); mark != "" {
		return mark, nil
	}
	return foreign, nil
}

// findMark looks through an answer for what sign wrote.
func findMark(value any) string {
	switch v := value.(type) {
	case []any:
		for _, inner := range v {
			if mark := findMark(inner); mark != "" {
				return mark
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			text, ok := v[key].(string)
			switch {
			case ok && key == "managed_by" && strings.HasPrefix(text, managedBy+" "):
				return text
			case ok && key == "description" && strings.Contains(text, "["+managedBy+" "):
				_, mark, _ := strings.Cut(text, "[")
				return strings.TrimSuffix(mark, "]")
			}
			if mark := findMark(v[key]); mark != "" {
				return mark
			}
		}
	}
	return ""
}
