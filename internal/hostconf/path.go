// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// PathEntry is a directory in which root's shells look for programs.
type PathEntry struct {
	Directory string // "" where nothing is between two colons, which means the directory one is in
	Literal   bool   // it does not depend on variables that are set elsewhere
	Place     Place
}

// rootProfiles are what root's own shells read, below root's home.
var rootProfiles = []string{".bash_profile", ".bash_login", ".profile", ".bashrc"}

// RootPath gives the directories that files put into root's PATH: those for all logins, and root's own.
func (h *Host) RootPath() ([]PathEntry, error) {
	home, err := h.homeOfRoot()
	if err != nil {
		return nil, err
	}
	assigned, err := h.pathAssignments(home)
	if err != nil {
		return nil, fmt.Errorf("reading root's PATH: %w", err)
	}
	var all []PathEntry
	for _, a := range assigned {
		all = append(all, splitPath(a, home)...)
	}
	return all, nil
}

// homeOfRoot gives the usual one where no account says otherwise.
func (h *Host) homeOfRoot() (string, error) {
	users, err := h.users()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("finding root's home: %w", err)
	}
	for _, a := range users {
		if a.UID == 0 && path.IsAbs(a.Home) {
			return a.Home, nil
		}
	}
	return "/root", nil
}

// pathAssignments gives what files assign to PATH: the one for logins of root, that of the environment, and those of profiles.
func (h *Host) pathAssignments(home string) ([]Assignment, error) {
	all, err := h.Shell()
	if err != nil {
		return nil, err
	}
	files := []string{"/etc/environment"}
	for _, name := range rootProfiles {
		files = append(files, path.Join(home, name))
	}
	for _, file := range files {
		lines, err := h.Lines(file)
		if err != nil {
			return nil, err
		}
		all = append(all, parseShell(content(lines, "#"))...)
	}
	settings, err := h.Settings([]string{"/etc/login.defs"})
	if err != nil {
		return nil, err
	}
	for _, s := range settings {
		if s.Key == "ENV_SUPATH" {
			all = append(all, Assignment{Name: "PATH", Value: strings.TrimPrefix(s.Value, "PATH="), Place: s.Place})
		}
	}
	var paths []Assignment
	for _, a := range all {
		if a.Name == "PATH" {
			paths = append(paths, a)
		}
	}
	return paths, nil
}

// splitPath gives the directories of an assignment but for what PATH had before.
func splitPath(a Assignment, home string) []PathEntry {
	var all []PathEntry
	for directory := range strings.SplitSeq(a.Value, ":") {
		if directory == "$PATH" || directory == "${PATH}" {
			continue
		}
		for _, word := range []string{"$HOME", "${HOME}", "~"} {
			if rest, ok := strings.CutPrefix(directory, word); ok && (rest == "" || rest[0] == '/') {
				directory = home + rest
			}
		}
		all = append(all, PathEntry{directory, !strings.ContainsAny(directory, "$`"), a.Place})
	}
	return all
}
