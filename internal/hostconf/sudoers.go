// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"path"
	"strings"
)

// Sudoers is a default or a grant of sudo.
type Sudoers struct {
	Default, Value string // of a Defaults line; "" for grants
	Negated        bool   // the default is switched off
	Who            string // of a grant; of a default whom it is about, "" for all
	Commands       string // of a grant: what may be run, with tags
	NoPassword     bool
	Place          Place
}

// Sudoers gives what sudoers and the files that it includes say, in order; none where sudo has no configuration.
func (h *Host) Sudoers() ([]Sudoers, error) {
	all, err := h.sudoersFile("/etc/sudoers", deepestInclude)
	if err != nil {
		return nil, fmt.Errorf("reading sudoers: %w", err)
	}
	return all, nil
}

func (h *Host) sudoersFile(name string, depth int) ([]Sudoers, error) {
	if depth == 0 {
		return nil, fmt.Errorf("%s: found more than %d files inside of each other", name, deepestInclude)
	}
	lines, err := h.Lines(name)
	if err != nil {
		return nil, err
	}
	var all []Sudoers
	for _, line := range content(continued(lines), "") {
		files, err := h.sudoersInclude(line.Text, path.Dir(name))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			included, err := h.sudoersFile(file, depth-1)
			if err != nil {
				return nil, err
			}
			all = append(all, included...)
		}
		all = append(all, parseSudoers(line)...)
	}
	return all, nil
}

// sudoersInclude gives the files that a line brings in. "#include" is no comment.
func (h *Host) sudoersInclude(text, dir string) ([]string, error) {
	f := strings.Fields(text)
	if len(f) != 2 {
		return nil, nil
	}
	target := strings.Trim(f[1], `"`)
	if !path.IsAbs(target) {
		target = path.Join(dir, target)
	}
	switch strings.TrimLeft(f[0], "#@") {
	case "include":
		return []string{target}, nil
	case "includedir":
		names, err := h.Names(target)
		if err != nil {
			return nil, err
		}
		var files []string
		for _, name := range names {
			// Names that end with ~ or have a dot are left out by sudo.
			if !strings.HasSuffix(name, "~") && !strings.Contains(name, ".") {
				files = append(files, path.Join(target, name))
			}
		}
		return files, nil
	}
	return nil, nil
}

func parseSudoers(line Line) []Sudoers {
	text := line.Text
	if i := strings.IndexByte(text, '#'); i == 0 || i > 0 && text[i-1] == ' ' {
		text = strings.TrimSpace(text[:i])
	}
	first, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case first == "" || strings.HasPrefix(first, "@") || strings.HasSuffix(first, "_Alias"):
		return nil
	case strings.HasPrefix(first, "Defaults"):
		return sudoersDefaults(strings.TrimLeft(strings.TrimPrefix(first, "Defaults"), ":@!>"), rest, line.Place)
	case !strings.Contains(rest, "="):
		return nil
	}
	_, commands, _ := strings.Cut(rest, "=")
	return []Sudoers{{Who: first, Commands: strings.TrimSpace(commands), NoPassword: strings.Contains(commands, "NOPASSWD:"), Place: line.Place}}
}

// sudoersDefaults parts a list at the commas that are not in quotes.
func sudoersDefaults(who, list string, at Place) []Sudoers {
	var all []Sudoers
	quoted := false
	parts := strings.FieldsFunc(list, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
	for _, part := range parts {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		name = strings.TrimRight(strings.TrimSpace(name), "+-")
		bare := strings.TrimLeft(name, "!")
		if bare != "" {
			all = append(all, Sudoers{Default: bare, Value: strings.Trim(strings.TrimSpace(value), `"`), Negated: bare != name, Who: who, Place: at})
		}
	}
	return all
}
