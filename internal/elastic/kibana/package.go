// SPDX-License-Identifier: Apache-2.0

package kibana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vedette-sec/vedette/internal/elastic"
)

// packageVersion is that of the content package.
var packageVersion = fmt.Sprintf("%d.0.0", elastic.Version)

// WritePackage writes the objects as the folder of an Elastic content package, which `elastic-package` builds
// and Fleet installs.
func WritePackage(dir string, objects []Object) error {
	files := map[string][]byte{
		"manifest.yml": []byte(`format_version: 3.3.0
name: vedette
title: Vedette
version: ` + packageVersion + `
type: content
description: Dashboards for the documents of Vedette, host security on OpenTelemetry.
categories: [security, edr_xdr]
conditions:
  kibana:
    version: ^8.9.0 || ^9.0.0
owner:
  github: vedette-sec/vedette
  type: community
source:
  license: Apache-2.0
`),
		"changelog.yml": []byte(`- version: ` + packageVersion + `
  changes:
    - description: Dashboards, saved searches and the data view of Vedette.
      type: enhancement
      link: https://github.com/vedette-sec/vedette/pull/1
`),
		"docs/README.md": []byte("# Vedette\n\nDashboards for the documents that Vedette's elasticsearch exporter writes. " +
			"`vedette setup elasticsearch` installs the templates they need.\n"),
	}
	for _, o := range objects {
		folder := o.Type
		if folder == "index-pattern" {
			folder = "index_pattern"
		}
		text, err := packaged(o)
		if err != nil {
			return err
		}
		files[filepath.Join("kibana", folder, o.ID+".json")] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// packaged is an object as a package holds it: what is JSON within JSON elsewhere is plain here.
func packaged(o Object) ([]byte, error) {
	attributes, err := unpacked(o.Attributes)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", o.Type, o.ID, err)
	}
	o.Attributes = attributes
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	err = enc.Encode(o)
	return b.Bytes(), err
}

// packedKeys are attributes that hold JSON as text.
var packedKeys = map[string]bool{"panelsJSON": true, "optionsJSON": true, "searchSourceJSON": true, "ignoreParentSettingsJSON": true}

func unpacked(object map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(object))
	for key, value := range object {
		switch v := value.(type) {
		case map[string]any:
			inner, err := unpacked(v)
			if err != nil {
				return nil, err
			}
			out[key] = inner
		case string:
			out[key] = v
			if packedKeys[key] {
				var plain any
				if err := json.Unmarshal([]byte(v), &plain); err != nil {
					return nil, fmt.Errorf("%s: %w", key, err)
				}
				out[key] = plain
			}
		default:
			out[key] = value
		}
	}
	return out, nil
}
