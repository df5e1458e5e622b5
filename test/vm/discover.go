// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// testPackage is a package with tests for the guests.
type testPackage struct {
	// rel is the package's directory below the module's root, with slashes.
	rel string
	// tests names the test functions that belong to the native or vm ring.
	tests []string
}

// discover finds the packages below root with tests of the native or vm ring.
// A test belongs to a ring when it, or a function of its package's test files
// that it calls, calls ring.Require with ring.Native or ring.VM.
func discover(root string) ([]testPackage, error) {
	var packages []testPackage
	err := filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); dir != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return fs.SkipDir
		}
		tests, err := ringTests(dir)
		if err != nil || len(tests) == 0 {
			return err
		}
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		packages = append(packages, testPackage{rel: filepath.ToSlash(rel), tests: tests})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for tests: %w", err)
	}
	return packages, nil
}

// ringTests returns the names of a directory's tests for the guests, sorted.
func ringTests(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	calls := make(map[string][]string)
	needsGuest := make(map[string]bool)
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
				calls[f.Name.Name] = append(calls[f.Name.Name], called(f.Body)...)
				needsGuest[f.Name.Name] = needsGuest[f.Name.Name] || requiresGuest(f.Body)
			}
		}
	}
	spread(calls, needsGuest)
	var tests []string
	for name, yes := range needsGuest {
		if yes && strings.HasPrefix(name, "Test") && name != "TestMain" {
			tests = append(tests, name)
		}
	}
	slices.Sort(tests)
	return tests, nil
}

// spread marks every function that calls a marked one.
func spread(calls map[string][]string, marked map[string]bool) {
	for changed := true; changed; {
		changed = false
		for name, callees := range calls {
			if !marked[name] && slices.ContainsFunc(callees, func(c string) bool { return marked[c] }) {
				marked[name], changed = true, true
			}
		}
	}
}

// called returns the names of all functions and methods that body calls.
func called(body *ast.BlockStmt) []string {
	var names []string
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch f := call.Fun.(type) {
		case *ast.Ident:
			names = append(names, f.Name)
		case *ast.SelectorExpr:
			// A selector may be a method of this package or a function of
			// another one; only the former can be found under its name.
			if _, ok := f.X.(*ast.Ident); ok {
				names = append(names, f.Sel.Name)
			}
		}
		return true
	})
	return names
}

// requiresGuest finds ring.Require(t, ring.Native) and ring.Require(t, ring.VM).
func requiresGuest(body *ast.BlockStmt) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if ok && len(call.Args) == 2 && isRing(call.Fun, "Require") &&
			(isRing(call.Args[1], "Native") || isRing(call.Args[1], "VM")) {
			found = true
		}
		return !found
	})
	return found
}

func isRing(e ast.Expr, name string) bool {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	pkg, ok := selector.X.(*ast.Ident)
	return ok && pkg.Name == "ring"
}

// selectPackages keeps the packages that patterns name: "./dir" is one
// package, "./dir/..." all below. A named package without tests for the guests
// is taken with all of its tests.
func selectPackages(root string, all []testPackage, patterns []string) ([]testPackage, error) {
	if len(patterns) == 0 {
		return all, nil
	}
	var out []testPackage
	for _, pattern := range patterns {
		dir, below := strings.CutSuffix(path.Clean(filepath.ToSlash(pattern)), "/...")
		before := len(out)
		for _, p := range all {
			if p.rel == dir || below && strings.HasPrefix(p.rel, dir+"/") {
				out = append(out, p)
			}
		}
		if len(out) > before {
			continue
		}
		if files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go")); err != nil || len(files) == 0 || below {
			return nil, fmt.Errorf("-pkg %s: found no tests for the guests there", pattern)
		}
		out = append(out, testPackage{rel: dir})
	}
	return out, nil
}
