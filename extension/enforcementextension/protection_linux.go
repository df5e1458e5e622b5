// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package enforcementextension

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/enforce/keeper"
)

// started says how this process was started: one with other arguments has other settings.
func started() string {
	dir, err := os.Getwd()
	if err != nil {
		dir = "" // it is gone, and relative paths lead nowhere
	}
	return strings.Join(append([]string{dir}, os.Args[1:]...), "\x00")
}

// protection says what of this agent is to be protected; nil where nothing is.
func protection(cfg *Config) *keeper.Protection {
	program, err := os.Executable()
	if !cfg.Policies.ProtectAgent || err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	p := &keeper.Protection{
		Executable: program, Pins: cfg.Policies.Pins,
		Settings: slices.Concat(configFiles(os.Args[1:]), cfg.Policies.Directories, units(filepath.Base(program))),
		State:    []string{cfg.StateDirectory},
	}
	for _, path := range []string{cfg.Policies.StatusFile, cfg.Policies.Socket} {
		if path != "" {
			p.State = append(p.State, filepath.Dir(path))
		}
	}
	if p.Pins != "" {
		p.State = append(p.State, p.Pins)
	}
	return p
}

// configFiles are the files that the command line takes settings from.
func configFiles(args []string) []string {
	var files []string
	for i, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		if name != "--config" && name != "-config" {
			continue
		}
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		value = strings.TrimPrefix(value, "file:")
		if scheme, _, other := strings.Cut(value, ":"); other && !strings.Contains(scheme, "/") {
			continue // it is no file
		}
		if path, err := filepath.Abs(value); err == nil && value != "" {
			files = append(files, path)
		}
	}
	return files
}

// units are the places where systemd looks for the service of a program.
func units(program string) []string {
	var all []string
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"} {
		unit := filepath.Join(dir, program+".service")
		if _, err := os.Stat(unit); err == nil {
			all = append(all, unit)
		}
		if _, err := os.Stat(dir); err == nil {
			all = append(all, unit+".d")
		}
	}
	return all
}
