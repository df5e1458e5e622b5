// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/test/vm/protocol"
)

// dynamicProgram is a program that writes to files it is told and is linked with the C library alone.
const dynamicProgram = "tee"

// libraryPaths are where this host keeps its libraries.
var libraryPaths = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64"}

// findDynamic gives what a guest needs to run a program of this host that is linked dynamically, by where it is in the guest, and a
// library that the program does without.
func findDynamic() (map[string]string, error) {
	program, err := exec.LookPath(dynamicProgram)
	if err != nil {
		return nil, fmt.Errorf("%s not found; install the package coreutils", dynamicProgram)
	}
	found := map[string]string{protocol.DynamicProgram: program}
	interpreter, err := addLibraries(found, program)
	if err != nil {
		return nil, err
	}
	if interpreter == "" {
		return nil, fmt.Errorf("%s is static, expected one that is linked dynamically", program)
	}
	found[interpreter] = interpreter
	library, err := findLibrary(filepath.Base(protocol.SpareLibrary))
	if err != nil {
		return nil, err
	}
	found[protocol.SpareLibrary] = library
	_, err = addLibraries(found, library)
	return found, err
}

// addLibraries adds the libraries of a program or library, and gives the program's interpreter.
func addLibraries(found map[string]string, name string) (interpreter string, err error) {
	f, err := elf.Open(name)
	if err != nil {
		return "", fmt.Errorf("%s is not a program: %w", name, err)
	}
	defer f.Close()
	if section := f.Section(".interp"); section != nil {
		raw, err := section.Data()
		if err != nil {
			return "", fmt.Errorf("read the interpreter of %s: %w", name, err)
		}
		interpreter = strings.TrimRight(string(raw), "\x00")
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		return "", fmt.Errorf("read the libraries of %s: %w", name, err)
	}
	for _, n := range needed {
		library, err := findLibrary(n)
		if err != nil {
			return "", err
		}
		if _, ok := found[library]; ok {
			continue
		}
		found[library] = library
		if _, err := addLibraries(found, library); err != nil {
			return "", err
		}
	}
	return interpreter, nil
}

func findLibrary(name string) (string, error) {
	i := slices.IndexFunc(libraryPaths, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	})
	if i < 0 {
		return "", fmt.Errorf("library %s not found in %s", name, strings.Join(libraryPaths, ", "))
	}
	return filepath.Join(libraryPaths[i], name), nil
}
