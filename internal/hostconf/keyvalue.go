// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"strings"
)

// Setting is a key with a value at a place.
type Setting struct {
	Section, Key, Value string
	Place               Place
}

// Settings gives what files of "key = value", "key value" or "key" lines set, with sections in brackets; in the order of the
// files and lines. A file that is not there sets nothing.
func (h *Host) Settings(files []string) ([]Setting, error) {
	var all []Setting
	for _, file := range files {
		lines, err := h.Lines(file)
		if err != nil {
			return nil, fmt.Errorf("reading settings: %w", err)
		}
		all = append(all, parseSettings(lines)...)
	}
	return all, nil
}

func parseSettings(lines []Line) []Setting {
	var all []Setting
	section := ""
	for _, line := range content(lines, "#;") {
		if inner, ok := strings.CutPrefix(line.Text, "["); ok && strings.HasSuffix(inner, "]") {
			section = strings.TrimSuffix(inner, "]")
			continue
		}
		key, value := CutSetting(line.Text)
		all = append(all, Setting{section, key, value, line.Place})
	}
	return all
}

// CutSetting parts a line of settings at its first equals sign or white space, whichever is first.
func CutSetting(text string) (key, value string) {
	text = strings.TrimPrefix(text, "export ")
	i := strings.IndexAny(text, "= \t")
	if i < 0 {
		return text, ""
	}
	key, value = text[:i], strings.TrimSpace(text[i:])
	value = strings.TrimSpace(strings.TrimPrefix(value, "="))
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return key, value
}
