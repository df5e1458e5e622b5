// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// unitDirs are where systemd finds units, the strongest first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// Unit is what unit files say about a unit, and what it does now.
type Unit struct {
	Exists, Masked bool
	Enabled        bool // something wants or requires it at the start
	Active         bool // it does now what it is there for
	ActiveKnown    bool // of what systemd was not asked about only that of services is, by whether they have processes
	Place          Place
}

// Unit gives what is known of a unit: its files, the links that start it, and what systemd says of it where it answers, or else the control
// group of its processes.
func (h *Host) Unit(name string) (Unit, error) {
	var u Unit
	for _, dir := range unitDirs {
		file := path.Join(dir, name)
		info, err := h.Lstat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return u, fmt.Errorf("looking for %s: %w", name, err)
		}
		u.Exists, u.Place.File = true, file
		if target, err := h.Readlink(file); err == nil && target == "/dev/null" {
			u.Masked = true
		}
		u.Masked = u.Masked || info.Mode().IsRegular() && info.Size() == 0
		break
	}
	enabled, err := h.wanted(name)
	if err != nil {
		return u, fmt.Errorf("finding what starts %s: %w", name, err)
	}
	u.Enabled = enabled && !u.Masked
	if u.Active, u.ActiveKnown = h.isActive(name); !u.ActiveKnown {
		// Of a root in which nothing runs nobody can say what would.
		u.Active, u.ActiveKnown = h.hasProcesses(name), strings.HasSuffix(name, ".service") && h.Exists("/proc/self")
	}
	return u, nil
}

// isActive gives what systemd says of a unit; known is false where it does not answer.
func (h *Host) isActive(name string) (active, known bool) {
	active, known, at := h.askActive(name)
	if known {
		h.note(Look{activityOf, name}, at)
	}
	return active, known
}

// askActive is isActive with the answer as a stamp. All units are asked for at once, and anew for each scan: that does not make rules change
// which ask for others.
func (h *Host) askActive(name string) (active, known bool, at stamp) {
	units, err := cached(h.unnoticed(), "units of systemd", func(h *Host) (map[string]bool, error) {
		h.cannotCompare("systemd")
		return h.ActiveUnits()
	})
	if units == nil || err != nil {
		return false, false, failed(errNoSystemd)
	}
	return units[name], true, stampOfBytes([]byte(strconv.FormatBool(units[name])), nil)
}

// errNoSystemd says that there is no systemd to ask.
var errNoSystemd = errors.New("systemd does not answer")

// wanted looks for the links by which other units start one; of templates for those of any instance.
func (h *Host) wanted(name string) (bool, error) {
	if before, after, ok := strings.Cut(name, "@."); ok {
		name = before + "@*." + after
	}
	for _, dir := range unitDirs {
		for _, kind := range []string{"*.wants", "*.requires"} {
			links, err := h.Glob(path.Join(dir, kind, name))
			if err != nil {
				return false, err
			}
			if len(links) > 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// controlGroups are where the group of a system service is, by the versions of control groups.
var controlGroups = []string{"/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/systemd/system.slice", "/sys/fs/cgroup/unified/system.slice"}

func (h *Host) hasProcesses(name string) bool {
	for _, dir := range controlGroups {
		if h.Exists(path.Join(dir, name)) {
			return true
		}
	}
	return false
}
