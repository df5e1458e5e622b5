// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// location is where a file is on its file system, whatever is mounted where.
type location struct {
	device uint32 // as the kernel has it
	path   string // from the root of the file system
}

// mounts is what is mounted where, as this process sees it.
type mounts []*mountinfo.Info

const minorBits = 20

func readMounts() (mounts, error) {
	all, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, fmt.Errorf("read what is mounted: %w", err)
	}
	return all, nil
}

func deviceOf(m *mountinfo.Info) uint32 { return uint32(m.Major)<<minorBits | uint32(m.Minor) }

// root is the mount that the root directory is on, below all that is mounted over it.
func (t mounts) root() *mountinfo.Info {
	for _, m := range t {
		if m.Mountpoint == "/" && (m.Parent == m.ID || !t.has(m.Parent)) {
			return m
		}
	}
	return nil
}

func (t mounts) has(id int) bool {
	for _, m := range t {
		if m.ID == id {
			return true
		}
	}
	return false
}

// over is what is mounted at a place on a mount, nil for nothing.
func (t mounts) over(m *mountinfo.Info, place string) *mountinfo.Info {
	for _, o := range t {
		if o.Parent == m.ID && o.ID != m.ID && o.Mountpoint == place {
			return o
		}
	}
	return nil
}

// locations are where a path without symbolic links leads: last the object, before that what is hidden below mounts at this path.
func (t mounts) locations(name string) []location {
	at := t.root()
	if at == nil {
		return nil
	}
	var found []location
	for _, place := range prefixes(name) {
		for over := t.over(at, place); over != nil; over = t.over(at, place) {
			if place == name {
				found = append(found, locate(at, name))
			}
			at = over
		}
	}
	return append(found, locate(at, name))
}

func locate(m *mountinfo.Info, name string) location {
	return location{deviceOf(m), path.Join(m.Root, strings.TrimPrefix(name, m.Mountpoint))}
}

// names are all paths that lead to a location, whether or not something else is mounted over them.
func (t mounts) names(l location) []string {
	var all []string
	for _, m := range t {
		if deviceOf(m) == l.device && isWithin(l.path, m.Root) {
			all = append(all, path.Join(m.Mountpoint, strings.TrimPrefix(l.path, m.Root)))
		}
	}
	return all
}

// name is the path that leads to a location, or the path on its file system where none does.
func (t mounts) name(l location) string {
	all := t.names(l)
	for _, name := range all {
		if found := t.locations(name); found[len(found)-1] == l {
			return name
		}
	}
	if len(all) > 0 {
		return all[0]
	}
	return l.path
}

// below are the places in a directory, at any depth, where something is mounted.
func (t mounts) below(dir string) []string {
	var places []string
	for _, m := range t {
		if m.Mountpoint != dir && isWithin(m.Mountpoint, dir) {
			places = append(places, m.Mountpoint)
		}
	}
	return places
}

// views are file systems that show what the kernel has, and keep no files with several names.
var views = []string{"proc", "sysfs", "cgroup", "cgroup2", "tracefs", "debugfs", "securityfs", "configfs", "bpf", "devpts", "mqueue", "pstore",
	"efivarfs", "binfmt_misc", "fusectl"}

// shows tells whether such a file system is mounted at a place.
func (t mounts) shows(place string) bool {
	return slices.ContainsFunc(t, func(m *mountinfo.Info) bool { return m.Mountpoint == place && slices.Contains(views, m.FSType) })
}

// isWithin tells whether a path is a directory or below it.
func isWithin(name, dir string) bool {
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}

// prefixes are the directories that lead to an absolute path, from the root on, and the path itself.
func prefixes(name string) []string {
	all := []string{"/"}
	for i := 1; i < len(name); i++ {
		if name[i] == '/' {
			all = append(all, name[:i])
		}
	}
	if name != "/" {
		all = append(all, name)
	}
	return all
}
