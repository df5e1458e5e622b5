// SPDX-License-Identifier: Apache-2.0

// Command gen writes cmd/vedette/main.go and cmd/vedette/components.go from builder-config.yaml
// with ocb, the OpenTelemetry Collector Builder.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// builder is ocb at the version of the Collector that builder-config.yaml names.
const builder = "go.opentelemetry.io/collector/cmd/builder@v0.155.0"

const licence = "// SPDX-License-Identifier: Apache-2.0\n\n"

// kept are the files that are taken from what ocb writes. It also writes a go.mod, which would
// make a second module, and main_others.go and main_windows.go, in whose place run.go is.
var kept = []string{"main.go", "components.go"}

func main() {
	root := flag.String("root", ".", "root directory of the repository")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := generate(filepath.Join(root, "builder-config.yaml"))
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(root, "cmd", "vedette", name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the content of the kept files by their names.
func generate(config string) (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "vedette-gen-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	redirected, err := redirect(config, dir)
	if err != nil {
		return nil, err
	}
	command := exec.Command("go", "run", builder, "--config", redirected, "--skip-get-modules", "--skip-compilation")
	command.Env = append(os.Environ(), "TMPDIR="+dir) // it makes a directory there that it leaves behind
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("run %s: %w\n%s", builder, err, bytes.TrimSpace(output))
	}
	files := map[string][]byte{}
	for _, name := range kept {
		source, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if files[name], err = format.Source(append([]byte(licence), source...)); err != nil {
			return nil, fmt.Errorf("format %s: %w", name, err)
		}
	}
	return files, nil
}

// redirect writes a copy of the configuration whose output goes to dir.
func redirect(config, dir string) (string, error) {
	content, err := os.ReadFile(config)
	if err != nil {
		return "", err
	}
	var settings map[string]any
	if err := yaml.Unmarshal(content, &settings); err != nil {
		return "", fmt.Errorf("%s: %w", config, err)
	}
	dist, ok := settings["dist"].(map[string]any)
	if !ok {
		return "", fmt.Errorf("%s: no map under the key dist", config)
	}
	dist["output_path"] = dir
	if content, err = yaml.Marshal(settings); err != nil {
		return "", fmt.Errorf("%s: %w", config, err)
	}
	path := filepath.Join(dir, "builder-config.yaml")
	return path, os.WriteFile(path, content, 0o600)
}
