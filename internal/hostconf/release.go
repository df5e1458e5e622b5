// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Release is what os-release says.
type Release struct {
	ID, VersionID string
	Like          []string
}

// Is reports whether the distribution is the one with an id, or one that is made like it.
func (r Release) Is(id string) bool { return r.ID == id || slices.Contains(r.Like, id) }

// HasVersion reports whether the version is the one that is named or below it: 8.9 is 8.
func (r Release) HasVersion(version string) bool {
	rest, ok := strings.CutPrefix(r.VersionID, version)
	return ok && (rest == "" || rest[0] == '.')
}

// Release gives the host's distribution.
func (h *Host) Release() (Release, error) {
	return cached(h, "release", func(h *Host) (Release, error) {
		data, err := h.Read("/etc/os-release")
		if errors.Is(err, fs.ErrNotExist) {
			data, err = h.Read("/usr/lib/os-release")
		}
		if err != nil {
			return Release{}, fmt.Errorf("reading the host's distribution: %w", err)
		}
		return parseRelease(data), nil
	})
}

func parseRelease(data []byte) Release {
	var r Release
	for _, line := range content(linesOf("", data), "#") {
		key, value, _ := strings.Cut(line.Text, "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			r.ID = value
		case "ID_LIKE":
			r.Like = strings.Fields(value)
		case "VERSION_ID":
			r.VersionID = value
		}
	}
	return r
}

// IsContainer reports whether the host is a container, by what the common engines leave in it.
func (h *Host) IsContainer() bool {
	for _, path := range []string{"/.dockerenv", "/run/.containerenv", "/run/systemd/container"} {
		if h.Exists(path) {
			return true
		}
	}
	return false
}
