// SPDX-License-Identifier: Apache-2.0

// Command gen writes what Elasticsearch and Kibana are set up with as files in config, for those who read
// it or put it there themselves.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vedette-sec/vedette/internal/elastic"
	"github.com/vedette-sec/vedette/internal/elastic/kibana"
)

func main() {
	root := flag.String("root", ".", "root directory of the repository")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// folders name the assets of Elasticsearch by their kind.
var folders = map[elastic.Kind]string{
	elastic.LifecyclePolicy: "ilm", elastic.IngestPipeline: "pipelines",
	elastic.ComponentTemplate: "component-templates", elastic.IndexTemplate: "index-templates",
}

// generate returns the content of every file by its path.
func generate(root string) (map[string][]byte, error) {
	source := filepath.Join(root, "config", "kibana", "dashboards.yaml")
	text, err := os.ReadFile(source)
	if err != nil {
		return nil, err
	}
	spec, err := kibana.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	objects, err := kibana.Objects(spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if _, err := kibana.Mark(objects); err != nil {
		return nil, err
	}
	lines, err := kibana.Lines(objects)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{filepath.Join(root, "config", "kibana", "vedette.ndjson"): lines}
	for _, a := range elastic.Assets() {
		var body bytes.Buffer
		enc := json.NewEncoder(&body)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(a.Body); err != nil {
			return nil, err
		}
		files[filepath.Join(root, "config", "elasticsearch", folders[a.Kind], a.Name+".json")] = body.Bytes()
	}
	return files, nil
}
