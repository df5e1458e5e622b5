// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

// lineOf parts a line from its end, which may be of DOS or missing.
func lineOf(line string) (text, end string) {
	text = strings.TrimRight(line, "\r\n")
	return text, line[len(text):]
}

// linesOf gives the lines of a text with their ends.
func linesOf(text string) []string { return slices.Collect(strings.Lines(text)) }

// ended gives a text whose last line has an end.
func ended(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// withLines appends the lines that a text does not have.
func withLines(text string, add []string) string {
	have := map[string]bool{}
	for _, line := range linesOf(text) {
		have[strings.TrimSpace(line)] = true
	}
	for _, line := range add {
		if !have[strings.TrimSpace(line)] {
			text = ended(text) + line + "\n"
			have[strings.TrimSpace(line)] = true
		}
	}
	return text
}

// withoutLines takes lines away.
func withoutLines(text string, expr *regexp.Regexp) string {
	var kept strings.Builder
	for _, line := range linesOf(text) {
		if body, _ := lineOf(line); !expr.MatchString(body) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// setting is a key that a file of settings is to have.
type setting struct {
	section, key, value, style string
	keeps                      func(value string, present bool) bool // what is there can stay
}

func (s setting) line() string {
	switch s.style {
	case "spaced":
		return s.key + " = " + s.value
	case "blank":
		return s.key + " " + s.value
	case "bare":
		return s.key
	}
	return s.key + "=" + s.value
}

// in gives the text with the key set. The last setting of a key counts; if it is not good, all that are not become good.
func (s setting) in(text string) string {
	lines := linesOf(text)
	at, sectionEnd := s.places(lines)
	if n := len(at); n > 0 {
		if s.good(lines[at[n-1]]) {
			return text
		}
		for _, i := range at {
			if body, end := lineOf(lines[i]); !s.good(body) {
				lines[i] = s.line() + end
			}
		}
		return strings.Join(lines, "")
	}
	switch {
	case s.section == "":
		return ended(text) + s.line() + "\n"
	case sectionEnd < 0:
		return ended(text) + "[" + s.section + "]\n" + s.line() + "\n"
	}
	lines[sectionEnd-1] = ended(lines[sectionEnd-1])
	return strings.Join(slices.Insert(lines, sectionEnd, s.line()+"\n"), "")
}

func (s setting) good(line string) bool {
	_, value := hostconf.CutSetting(strings.TrimSpace(line))
	return value == s.value || s.keeps != nil && s.keeps(value, true)
}

// places gives the lines that set the key, and where the section ends, -1 where there is none.
func (s setting) places(lines []string) (at []int, sectionEnd int) {
	section := ""
	sectionEnd = -1
	for i, line := range lines {
		body := strings.TrimSpace(line)
		if inner, ok := strings.CutPrefix(body, "["); ok && strings.HasSuffix(inner, "]") {
			section = strings.TrimSuffix(inner, "]")
		} else if key, _ := hostconf.CutSetting(body); key == s.key && !strings.ContainsAny(body[:1], "#;") && (s.section == "" || s.section == section) {
			at = append(at, i)
		}
		// Comments before the next section belong to that one.
		if s.section != "" && section == s.section && body != "" && body[0] != '#' {
			sectionEnd = i + 1
		}
	}
	return at, sectionEnd
}

// pamLine is a line of a file of PAM, parted so that it can be put together as it was.
var pamLine = regexp.MustCompile(`^(\s*-?(\w+)\s+(\[[^\]]*\]|\S+)\s+(\S+))((?:\s+(?:\[[^\]]*\]|[^\s#]\S*))*)(\s*(?:#.*)?)$`)

var pamArgument = regexp.MustCompile(`\[[^\]]*\]|\S+`)

// withPAMOptions gives options to the lines of a module, or takes them away by their names.
func withPAMOptions(text, kind, module string, add, remove []string) string {
	lines := linesOf(text)
	for i, line := range lines {
		body, end := lineOf(line)
		m := pamLine.FindStringSubmatch(body)
		if m == nil || !strings.EqualFold(m[2], kind) || m[4][strings.LastIndex(m[4], "/")+1:] != module || strings.HasSuffix(body, `\`) {
			continue
		}
		have := pamArgument.FindAllString(m[5], -1)
		want := slices.DeleteFunc(slices.Clone(have), func(arg string) bool { return slices.Contains(remove, optionName(arg)) })
		for _, option := range add {
			j := slices.IndexFunc(want, func(arg string) bool { return optionName(arg) == optionName(option) })
			if j < 0 {
				want = append(want, option)
			} else {
				want[j] = option
			}
		}
		if !slices.Equal(have, want) {
			lines[i] = strings.TrimRight(m[1]+" "+strings.Join(want, " "), " ") + m[6] + end
		}
	}
	return strings.Join(lines, "")
}

func optionName(arg string) string {
	name, _, _ := strings.Cut(strings.Trim(arg, "[]"), "=")
	return name
}

// withPAMLine puts a line before all others of its type, but after those by which root needs no password.
func withPAMLine(text, kind, control, module string, args []string) string {
	wanted := strings.Join(append([]string{kind, control, module}, args...), " ")
	lines := linesOf(text)
	place := -1
	for i, line := range lines {
		body, _ := lineOf(line)
		m := pamLine.FindStringSubmatch(body)
		if m == nil || !strings.EqualFold(m[2], kind) {
			continue
		}
		if m[4] == module && m[3] == control {
			return withPAMOptions(text, kind, module, args, nil)
		}
		if m[4] == "pam_rootok.so" {
			place = i + 1
		} else if place < 0 {
			place = i
		}
	}
	if place < 0 {
		return ended(text) + wanted + "\n"
	}
	if place > 0 {
		lines[place-1] = ended(lines[place-1])
	}
	return strings.Join(slices.Insert(lines, place, wanted+"\n"), "")
}

// fstabOptions is a line of fstab up to the end of the options.
var fstabOptions = regexp.MustCompile(`^(\s*\S+\s+\S+\s+\S+\s+)\S+`)

// withMountOptions adds options to a path's line of fstab.
func withMountOptions(text, path string, add []string) (string, error) {
	lines := linesOf(text)
	for i, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.HasPrefix(fields[0], "#") || fields[1] != path {
			continue
		}
		options := strings.Split(fields[3], ",")
		for _, option := range add {
			options = slices.DeleteFunc(options, func(o string) bool { return o == strings.TrimPrefix(option, "no") })
			if !slices.Contains(options, option) {
				options = append(options, option)
			}
		}
		lines[i] = fstabOptions.ReplaceAllLiteralString(line, fstabOptions.FindStringSubmatch(line)[1]+strings.Join(options, ","))
		return strings.Join(lines, ""), nil
	}
	return "", fmt.Errorf("/etc/fstab: found no line for %s, expected one to which options can be added", path)
}
