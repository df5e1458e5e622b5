// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"path"
	"strings"
)

// PAMLine is a module in the stack of a service, with what includes bring in its place.
type PAMLine struct {
	Type, Control, Module string // Module without directory: pam_unix.so
	Args                  []string
	Place                 Place
}

// PAM gives the stack of a service in order; none where the service has no file.
func (h *Host) PAM(service string) ([]PAMLine, error) {
	stack, err := h.pamFile(service, "", deepestInclude)
	if err != nil {
		return nil, fmt.Errorf("reading the PAM stack of %s: %w", service, err)
	}
	return stack, nil
}

// pamFile reads a file of which only lines of one type count; "" for all.
func (h *Host) pamFile(service, only string, depth int) ([]PAMLine, error) {
	name := service
	if !path.IsAbs(name) {
		name = path.Join("/etc/pam.d", service)
	}
	if depth == 0 {
		return nil, fmt.Errorf("%s: found more than %d files inside of each other", name, deepestInclude)
	}
	lines, err := h.Lines(name)
	if err != nil {
		return nil, err
	}
	var stack []PAMLine
	for _, line := range content(continued(lines), "#") {
		parsed, include, err := parsePAM(line)
		if err != nil {
			return nil, err
		}
		switch {
		case only != "" && parsed.Type != "" && parsed.Type != only:
		case include != "":
			of := only
			if parsed.Type != "" {
				of = parsed.Type
			}
			included, err := h.pamFile(include, of, depth-1)
			if err != nil {
				return nil, err
			}
			stack = append(stack, included...)
		default:
			stack = append(stack, parsed)
		}
	}
	return stack, nil
}

// parsePAM reads a line; include is the file that it brings in.
func parsePAM(line Line) (parsed PAMLine, include string, err error) {
	text, _, _ := strings.Cut(line.Text, " #")
	fields := pamFields(text)
	if len(fields) == 2 && fields[0] == "@include" {
		return PAMLine{}, fields[1], nil
	}
	if len(fields) < 3 {
		return PAMLine{}, "", fmt.Errorf("%s:%d: found %q, expected type, control and module", line.File, line.Line, line.Text)
	}
	parsed = PAMLine{strings.ToLower(strings.TrimPrefix(fields[0], "-")), fields[1], path.Base(fields[2]), fields[3:], line.Place}
	if fields[1] == "include" || fields[1] == "substack" {
		include = fields[2]
	}
	return parsed, include, nil
}

// pamFields splits at white space, but not inside of brackets.
func pamFields(text string) []string {
	var fields []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		end := strings.IndexAny(text, " \t")
		if text[0] == '[' {
			if end = strings.IndexByte(text, ']'); end >= 0 {
				end++
			}
		}
		if end < 0 {
			end = len(text)
		}
		fields, text = append(fields, strings.Trim(text[:end], "[]")), text[end:]
	}
	return fields
}
