// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ordinaryNames are names of hosts and users that tell nothing.
var ordinaryNames = []string{"localhost", "debian", "ubuntu", "root", "nobody", "admin", "deploy", "oncall", hostName}

// hostNeedles are what a recording must not tell of this machine. It is called where the machine's own
// name and /etc are seen.
func hostNeedles(o options) ([]needle, error) {
	needles := []needle{{"go-build", "how the recorder was built"}}
	add := func(text, what string) {
		// A text of three letters is found everywhere.
		if text = strings.TrimSpace(text); len(text) > 3 && !slices.Contains(ordinaryNames, text) {
			needles = append(needles, needle{text, what})
		}
	}
	directory, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for _, path := range []string{directory, filepath.Dir(o.Root), o.Out, filepath.Dir(o.Agent)} {
		add(path, "a directory of this machine")
	}
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	add(name, "the name of this machine")
	for _, file := range []string{"/etc/machine-id", "/proc/sys/kernel/random/boot_id"} {
		if id, err := os.ReadFile(file); err == nil {
			add(string(id), "an identity of this machine")
		}
	}
	for _, archive := range o.Archives {
		if uri, err := url.Parse(archive); err == nil {
			add(uri.Hostname(), "the mirror of this machine")
		}
	}
	people, err := people("/etc/passwd")
	if err != nil {
		return nil, err
	}
	for _, name := range append(people, os.Getenv("SUDO_USER")) {
		add(name, "a user of this machine")
	}
	return needles, nil
}

// people are the users of a passwd file that are no services.
func people(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var names []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 3 {
			continue
		}
		if id, err := strconv.Atoi(fields[2]); err == nil && id >= 1000 && id < 60000 {
			names = append(names, fields[0])
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return names, nil
}
