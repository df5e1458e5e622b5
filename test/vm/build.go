// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the Go module under test.
type module struct {
	path, dir string
}

func findModule(ctx context.Context) (module, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}}\n{{.Dir}}").Output()
	if err != nil {
		return module{}, fmt.Errorf("find the module with `go list -m`: %w", err)
	}
	path, dir, ok := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if !ok {
		return module{}, fmt.Errorf("`go list -m` said %q, expected the module's path and directory", out)
	}
	return module{path: path, dir: dir}, nil
}

// importPath of a package given its directory below the module's root.
func (m module) importPath(rel string) string { return m.path + "/" + rel }

// binaries are the static programs of a run.
type binaries struct {
	runner string
	// program is the module's own, which the guests have in their /usr/bin.
	program string
	// tests holds the test binary of each package, by its directory.
	tests map[string]string
}

// build makes the guest's runner, the program and every test binary below dir, two at a
// time: linking, which dominates, runs on one core.
func (m module) build(ctx context.Context, dir string, packages []testPackage) (binaries, error) {
	b := binaries{
		runner:  filepath.Join(dir, "runner"),
		program: filepath.Join(dir, "vedette"),
		tests:   make(map[string]string),
	}
	program := func(output, source string) func() error {
		return func() error {
			return m.goCommand(ctx, "build", "-ldflags=-s -w", "-o", output, source)
		}
	}
	jobs := []func() error{program(b.runner, "./test/vm/guest"), program(b.program, "./cmd/vedette")}
	for _, p := range packages {
		binary := filepath.Join(dir, strings.ReplaceAll(p.rel, "/", "_")+".test")
		b.tests[p.rel] = binary
		jobs = append(jobs, func() error {
			return m.goCommand(ctx, "test", "-c", "-ldflags=-s -w", "-o", binary, "./"+p.rel)
		})
	}
	return b, inParallel(2, jobs)
}

// goCommand runs go for the guests' platform, whatever this one is.
func (m module) goCommand(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	return output(cmd)
}

// inParallel runs at most limit jobs at once and returns all their errors.
func inParallel(limit int, jobs []func() error) error {
	errs := make([]error, len(jobs))
	slots := make(chan struct{}, limit)
	for i, job := range jobs {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			errs[i] = job()
		}()
	}
	for range limit {
		slots <- struct{}{}
	}
	return errors.Join(errs...)
}
