// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// sysctlDirs are where settings of the kernel are kept. A file of a directory hides those with its name in later ones.
var sysctlDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"}

// Sysctl gives a kernel setting as it is; exists is false where this kernel has no such setting.
func (h *Host) Sysctl(key string) (value string, exists bool, err error) {
	data, err := h.Read(sysctlPath(key))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !h.Exists("/proc/sys/kernel") {
			return "", false, fmt.Errorf("reading %s: /proc/sys is not there: %w", key, err)
		}
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("reading %s: %w", key, err)
	}
	return strings.Join(strings.Fields(string(data)), " "), true, nil
}

func sysctlPath(key string) string { return "/proc/sys/" + strings.ReplaceAll(key, ".", "/") }

// PersistedSysctl gives what a kernel setting will be after the next start; found is false where no file has it.
func (h *Host) PersistedSysctl(key string) (setting Setting, found bool, err error) {
	all, err := cached(h, "sysctls", (*Host).persistedSysctls)
	if err != nil {
		return Setting{}, false, err
	}
	exact := false
	for _, s := range all {
		switch {
		case s.Key == key:
			setting, found, exact = s, true, true
		case !exact && strings.Contains(s.Key, "*"):
			if ok, err := path.Match(strings.ReplaceAll(s.Key, ".", "/"), strings.ReplaceAll(key, ".", "/")); ok && err == nil {
				setting, found = s, true
			}
		}
	}
	return setting, found, nil
}

func (h *Host) persistedSysctls() ([]Setting, error) {
	files, err := h.dropins(sysctlDirs, ".conf")
	if err != nil {
		return nil, fmt.Errorf("reading settings of the kernel: %w", err)
	}
	all, err := h.Settings(append(files, "/etc/sysctl.conf"))
	for i, s := range all {
		all[i].Key = strings.ReplaceAll(strings.TrimPrefix(s.Key, "-"), "/", ".")
	}
	return all, err
}

// dropins gives the files of directories in the order of their names. Of several with one name it gives the first.
func (h *Host) dropins(dirs []string, suffix string) ([]string, error) {
	byName := map[string]string{}
	for _, dir := range dirs {
		names, err := h.Names(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if _, hidden := byName[name]; !hidden && strings.HasSuffix(name, suffix) {
				byName[name] = path.Join(dir, name)
			}
		}
	}
	var names, files []string
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		files = append(files, byName[name])
	}
	return files, nil
}
