// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"strings"
)

const dpkgStatus = "/var/lib/dpkg/status"

// Packages gives the versions of the packages that dpkg has installed, by name without architecture.
func (h *Host) Packages() (map[string]string, error) {
	return cached(h, "packages", func(h *Host) (map[string]string, error) {
		data, err := h.Read(dpkgStatus)
		if err != nil {
			return nil, fmt.Errorf("reading the database of packages: %w", err)
		}
		return parseDpkg(string(data)), nil
	})
}

func parseDpkg(text string) map[string]string {
	all := map[string]string{}
	var name, version string
	installed := false
	keep := func() {
		if installed && name != "" {
			all[name] = version
		}
		name, version, installed = "", "", false
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" {
			keep()
			continue
		}
		if value, ok := strings.CutPrefix(line, "Package: "); ok {
			name = value
		} else if value, ok := strings.CutPrefix(line, "Version: "); ok {
			version = value
		} else if value, ok := strings.CutPrefix(line, "Status: "); ok {
			installed = strings.HasSuffix(value, " installed")
		}
	}
	keep()
	return all
}
