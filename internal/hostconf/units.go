// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"
	"path"
	"strings"
)

// unitDirs are where systemd finds units, the strongest first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// Unit is what unit files say about a unit.
type Unit struct {
	Exists, Masked bool
	Enabled        bool // something wants or requires it at the start
	Active         bool // a service that has processes now
	Place          Place
}

// Unit gives what is known of a unit, without asking systemd: its files, the links that start it, and the control group of its
// processes.
func (h *Host) Unit(name string) (Unit, error) {
	var u Unit
	for _, dir := range unitDirs {
		file := path.Join(dir, name)
		info, err := h.Lstat(file)
		if err != nil {
			continue
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
	u.Active = h.hasProcesses(name)
	return u, nil
}

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
