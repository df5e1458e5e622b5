// SPDX-License-Identifier: Apache-2.0

// Command gen writes internal/event/zz_generated.go and docs/events.md from
// internal/event/fields.yaml.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
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

// generate returns the content of every generated file by its path.
func generate(root string) (map[string][]byte, error) {
	source := filepath.Join(root, "internal", "event", "fields.yaml")
	text, err := os.ReadFile(source)
	if err != nil {
		return nil, err
	}
	v, err := load(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	code, err := renderGo(v)
	if err != nil {
		return nil, fmt.Errorf("render Go: %w", err)
	}
	return map[string][]byte{
		filepath.Join(root, "internal", "event", "zz_generated.go"): code,
		filepath.Join(root, "docs", "events.md"):                    renderMarkdown(v),
	}, nil
}
