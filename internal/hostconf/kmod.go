// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"path"
	"strings"
)

// Module is what the host has and allows of a kernel module.
type Module struct {
	Loaded, BuiltIn, Available bool  // Available: a kernel that is installed has it as a file
	InstallDenied, Blacklisted bool  // by modprobe's configuration
	Place                      Place // of what denies it
}

// Loadable reports whether the module can get into the kernel, or is there for good.
func (m Module) Loadable() bool {
	return m.BuiltIn || m.Available && !(m.InstallDenied && m.Blacklisted)
}

type modules struct {
	loaded, builtIn, available map[string]bool
	installDenied, blacklisted map[string]Place
}

// Module gives what is known of a module. Dashes and underscores in names are the same.
func (h *Host) Module(name string) (Module, error) {
	all, err := cached(h, "modules", (*Host).readModules)
	if err != nil {
		return Module{}, fmt.Errorf("reading kernel modules: %w", err)
	}
	name = moduleName(name)
	at, denied := all.installDenied[name]
	black, blacklisted := all.blacklisted[name]
	if !denied {
		at = black
	}
	return Module{all.loaded[name], all.builtIn[name], all.available[name], denied, blacklisted, at}, nil
}

func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// modprobeDirs are where modprobe is configured, the strongest first.
var modprobeDirs = []string{"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"}

func (h *Host) readModules() (*modules, error) {
	m := &modules{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]Place{}, map[string]Place{}}
	loaded, err := h.Lines("/proc/modules")
	if err != nil {
		return nil, err
	}
	for _, line := range content(loaded, "#") {
		m.loaded[moduleName(strings.Fields(line.Text)[0])] = true
	}
	for file, into := range map[string]map[string]bool{"modules.dep": m.available, "modules.builtin": m.builtIn} {
		if err := h.readModuleLists(file, into); err != nil {
			return nil, err
		}
	}
	files, err := h.dropins(modprobeDirs, ".conf")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		lines, err := h.Lines(file)
		if err != nil {
			return nil, err
		}
		m.configure(content(continued(lines), "#"))
	}
	return m, nil
}

func (h *Host) readModuleLists(file string, into map[string]bool) error {
	lists, err := h.Glob("/lib/modules/*/" + file)
	if err != nil {
		return err
	}
	for _, list := range lists {
		lines, err := h.Lines(list)
		if err != nil {
			return err
		}
		for _, line := range lines {
			name, _, _ := strings.Cut(line.Text, ":")
			name, _, _ = strings.Cut(path.Base(name), ".ko")
			into[moduleName(name)] = true
		}
	}
	return nil
}

// configure notes what "install" replaces by a program that does nothing, and what is not loaded by aliases.
func (m *modules) configure(lines []Line) {
	for _, line := range lines {
		f := strings.Fields(line.Text)
		switch {
		case len(f) >= 2 && f[0] == "blacklist":
			m.blacklisted[moduleName(f[1])] = line.Place
		case len(f) == 3 && f[0] == "install" && (path.Base(f[2]) == "false" || path.Base(f[2]) == "true"):
			m.installDenied[moduleName(f[1])] = line.Place
		}
	}
}
