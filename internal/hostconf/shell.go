// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// shellProfiles are what shells read when somebody logs in or opens one.
var shellProfiles = []string{"/etc/profile", "/etc/profile.d/*.sh", "/etc/bash.bashrc", "/etc/bashrc"}

// Assignment is a shell variable that is set in a profile for everybody, or the umask.
type Assignment struct {
	Name, Value string
	ReadOnly    bool
	Place       Place
}

var assignment = regexp.MustCompile(`(?:^|[;&\s])(?:(?:export|readonly|declare|typeset)\s+(?:-\w+\s+)*)?([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^\s;&]*)`)

var umask = regexp.MustCompile(`(?:^|[;&\s])umask\s+([0-7]{3,4})\b`)

var readOnly = regexp.MustCompile(`(?:readonly|(?:declare|typeset)\s+-\w*r\w*)\s+(?:-\w+\s+)*([A-Za-z_][\w ]*)`)

// Shell gives what the profiles assign, and calls of umask under that name, in the order in which the files are read.
func (h *Host) Shell() ([]Assignment, error) {
	files, err := h.Files(shellProfiles)
	if err != nil {
		return nil, fmt.Errorf("finding profiles of shells: %w", err)
	}
	var all []Assignment
	for _, file := range files {
		lines, err := h.Lines(file)
		if err != nil {
			return nil, fmt.Errorf("reading profiles of shells: %w", err)
		}
		all = append(all, parseShell(content(lines, "#"))...)
	}
	return all, nil
}

func parseShell(lines []Line) []Assignment {
	var all []Assignment
	var protected []string
	for _, line := range lines {
		for _, m := range assignment.FindAllStringSubmatch(line.Text, -1) {
			all = append(all, Assignment{Name: m[1], Value: strings.Trim(m[2], `"'`), Place: line.Place})
		}
		for _, m := range umask.FindAllStringSubmatch(line.Text, -1) {
			all = append(all, Assignment{Name: "umask", Value: m[1], Place: line.Place})
		}
		for _, m := range readOnly.FindAllStringSubmatch(line.Text, -1) {
			protected = append(protected, strings.Fields(m[1])...)
		}
	}
	for i, a := range all {
		all[i].ReadOnly = slices.Contains(protected, a.Name)
	}
	return all
}
