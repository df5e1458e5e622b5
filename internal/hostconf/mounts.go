// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"strings"
)

// Mount is where a file system is: now, in fstab, or both.
type Mount struct {
	Path, Source, Type string
	Mounted            bool
	Options            []string // of the mount that is there
	Persisted          bool     // fstab has it
	PersistedOptions   []string
	Place              Place // in fstab, or else among the mounts
}

// Mounts gives what is mounted and what fstab says. Of several mounts on one path the last is the one that is seen.
func (h *Host) Mounts() ([]Mount, error) {
	return cached(h, "mounts", func(h *Host) ([]Mount, error) {
		mounted, err := h.Read("/proc/self/mounts")
		if err != nil {
			return nil, fmt.Errorf("reading what is mounted: %w", err)
		}
		fstab, err := h.Lines("/etc/fstab")
		if err != nil {
			return nil, fmt.Errorf("reading fstab: %w", err)
		}
		return parseMounts(linesOf("/proc/self/mounts", mounted), fstab), nil
	})
}

func parseMounts(mounted, fstab []Line) []Mount {
	byPath := map[string]int{}
	var all []Mount
	at := func(path string) *Mount {
		i, ok := byPath[path]
		if !ok {
			i = len(all)
			byPath[path] = i
			all = append(all, Mount{Path: path})
		}
		return &all[i]
	}
	for _, line := range content(mounted, "#") {
		if f := strings.Fields(line.Text); len(f) >= 4 {
			m := at(unescape(f[1]))
			m.Source, m.Type, m.Mounted, m.Options, m.Place = unescape(f[0]), f[2], true, strings.Split(f[3], ","), line.Place
		}
	}
	for _, line := range content(fstab, "#") {
		if f := strings.Fields(line.Text); len(f) >= 4 && strings.HasPrefix(f[1], "/") {
			m := at(strings.TrimRight(unescape(f[1]), "/") + rootSlash(f[1]))
			m.Persisted, m.PersistedOptions, m.Place = true, strings.Split(f[3], ","), line.Place
		}
	}
	return all
}

func rootSlash(path string) string {
	if path == "/" {
		return "/"
	}
	return ""
}

// unescape reads the octal escapes that the kernel writes for white space and backslashes.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
