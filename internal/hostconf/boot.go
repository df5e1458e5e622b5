// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Where GRUB has its menu: in one file, or as RHEL 8 has it in a file for each entry, which may refer to parameters that all share.
const (
	BootEntries     = "/boot/loader/entries/*.conf"
	BootEnvironment = "/boot/grub2/grubenv"
	// SharedParameters is before them in the environment; entries name them with a dollar sign.
	SharedParameters = "kernelopts="
)

// BootMenus are the paths of the menu in one file.
var BootMenus = []string{"/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"}

// Boot gives the kernel command lines: what the kernel runs with, and those of the boot loader's menu but for recovery.
func (h *Host) Boot() (running Line, menu []Line, err error) {
	data, err := h.Read("/proc/cmdline")
	if err != nil {
		return Line{}, nil, fmt.Errorf("reading the kernel's command line: %w", err)
	}
	running = Line{Place{"/proc/cmdline", 1}, strings.TrimSpace(string(data))}
	for _, file := range BootMenus {
		lines, err := h.Lines(file)
		if err != nil {
			return running, nil, fmt.Errorf("reading the boot loader's menu: %w", err)
		}
		for _, line := range content(lines, "#") {
			if IsBootEntry(line.Text) {
				menu = append(menu, line)
			}
		}
	}
	entries, err := h.bootEntries()
	if err != nil {
		return running, nil, fmt.Errorf("reading the boot loader's entries: %w", err)
	}
	return running, append(menu, entries...), nil
}

// bootEntries gives the parameters of the entries that have files of their own.
func (h *Host) bootEntries() ([]Line, error) {
	files, err := h.Files([]string{BootEntries})
	if err != nil || len(files) == 0 {
		return nil, err
	}
	environment, err := h.Lines(BootEnvironment)
	if err != nil {
		return nil, err
	}
	shared := ""
	for _, line := range environment {
		if after, ok := strings.CutPrefix(line.Text, SharedParameters); ok {
			shared = after
		}
	}
	var all []Line
	for _, file := range files {
		lines, err := h.Lines(file)
		if err != nil {
			return nil, err
		}
		for _, line := range content(lines, "#") {
			if parameters, ok := BootOptions(file, line.Text); ok {
				line.Text = strings.ReplaceAll(parameters, SharedName, shared)
				all = append(all, line)
			}
		}
	}
	return all, nil
}

// SharedName is how entries refer to the parameters that all share.
const SharedName = "$kernelopts"

// BootOptions gives the parameters that a line of an entry's own file has, and whether it has any that count: entries for rescue do not.
func BootOptions(file, line string) (string, bool) {
	key, parameters := CutSetting(strings.TrimSpace(line))
	return parameters, key == "options" && !strings.Contains(path.Base(file), "-rescue")
}

// IsBootEntry reports whether a line of a boot loader's menu starts a kernel, and not for recovery.
func IsBootEntry(line string) bool {
	f := strings.Fields(line)
	return len(f) > 0 && f[0] == "linux" && !slices.Contains(f, "single") && !slices.Contains(f, "recovery")
}

// BootParameter gives a parameter's last value on a command line; one without value is "".
func BootParameter(line Line, name string) (value string, found bool) {
	for _, word := range strings.Fields(line.Text) {
		if key, v, _ := strings.Cut(word, "="); key == name {
			value, found = v, true
		}
	}
	return value, found
}
