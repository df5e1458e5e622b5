// SPDX-License-Identifier: Apache-2.0

package kibana

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"

	"github.com/vedette-sec/vedette/internal/elastic"
)

// Mark gives the data view a name that says which version of the objects it came with, and returns it.
func Mark(objects []Object) (string, error) {
	lines, err := Lines(objects[1:])
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(lines)
	name := fmt.Sprintf("Vedette (%d, %s)", elastic.Version, hex.EncodeToString(digest[:4]))
	objects[0].Attributes["name"] = name
	return name, nil
}

// space is the path of a Kibana space; that of the default one is empty.
func space(name string) string {
	if name == "" || name == "default" {
		return ""
	}
	return "s/" + name + "/"
}

// Install imports the objects into a space unless they are there. It can be run again at any time.
func Install(ctx context.Context, c *elastic.Client, spaceName string, objects []Object, dryRun bool) (*elastic.Report, error) {
	report := &elastic.Report{DryRun: dryRun}
	mark, err := Mark(objects)
	if err != nil {
		return nil, err
	}
	have, err := installed(ctx, c, spaceName)
	if err != nil {
		return nil, err
	}
	outcome := elastic.Created
	switch have {
	case "":
	case mark:
		outcome = elastic.Unchanged
	default:
		outcome = elastic.Updated
	}
	for _, o := range objects {
		report.Changes = append(report.Changes, elastic.Change{Kind: o.Type, Name: o.ID, Outcome: outcome})
	}
	if dryRun || outcome == elastic.Unchanged {
		return report, nil
	}
	return report, importAll(ctx, c, spaceName, objects)
}

// installed returns the name of the data view, or nothing where there is none.
func installed(ctx context.Context, c *elastic.Client, spaceName string) (string, error) {
	var answer struct {
		DataView struct {
			Name string `json:"name"`
		} `json:"data_view"`
	}
	err := c.Call(ctx, http.MethodGet, space(spaceName)+"api/data_views/data_view/"+viewID, nil, &answer)
	if elastic.HasStatus(err, http.StatusNotFound) {
		return "", nil
	}
	return answer.DataView.Name, err
}

// importAll imports the objects in one request, which Kibana carries out as a whole or tells what it refuses.
func importAll(ctx context.Context, c *elastic.Client, spaceName string, objects []Object) error {
	lines, err := Lines(objects)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "vedette.ndjson")
	if err != nil {
		return err
	}
	if _, err := part.Write(lines); err != nil {
		return err
	}
	if err := form.Close(); err != nil {
		return err
	}
	var answer struct {
		Success bool              `json:"success"`
		Errors  []json.RawMessage `json:"errors"`
	}
	err = c.Send(ctx, http.MethodPost, space(spaceName)+"api/saved_objects/_import?overwrite=true", form.FormDataContentType(), body.Bytes(), &answer)
	if err != nil {
		return err
	}
	if !answer.Success {
		return fmt.Errorf("%d of %d objects are refused by Kibana, the first so: %s", len(answer.Errors), len(objects), first(answer.Errors))
	}
	return nil
}

func first(errors []json.RawMessage) string {
	if len(errors) == 0 {
		return "without a reason"
	}
	return string(errors[0])
}

// Remove deletes the objects, dashboards before what they show.
func Remove(ctx context.Context, c *elastic.Client, spaceName string, objects []Object, dryRun bool) (*elastic.Report, error) {
	report := &elastic.Report{DryRun: dryRun}
	for i := len(objects) - 1; i >= 0; i-- {
		o := objects[i]
		change := elastic.Change{Kind: o.Type, Name: o.ID, Outcome: elastic.Removed}
		// Whoever may not delete learns from a dry run what is there, all the same.
		method, path := http.MethodDelete, space(spaceName)+"api/saved_objects/"+o.Type+"/"+o.ID
		if dryRun {
			method = http.MethodGet
		} else {
			path += "?force=true"
		}
		switch err := c.Call(ctx, method, path, nil, nil); {
		case elastic.HasStatus(err, http.StatusNotFound):
			change.Outcome = elastic.Absent
		case err != nil:
			return report, fmt.Errorf("remove %s %s: %w", o.Type, o.ID, err)
		}
		report.Changes = append(report.Changes, change)
	}
	return report, nil
}
