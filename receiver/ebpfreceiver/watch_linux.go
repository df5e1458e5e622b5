// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/sensor"
)

// How long what the paths lead to is taken for granted: until a name that is part of one changes, but
// not looked at more often than soon, and in any case no longer than late.
const (
	watchSoon = 200 * time.Millisecond
	watchLate = 30 * time.Second
)

// readWatch keeps the kernel's list of watched files right: the kernel knows files by number, and
// paths come to lead to others.
type readWatch struct {
	patterns []string
	byFirst  map[string][][]string // the components of the patterns by their first one
	late     time.Duration
	changed  bool
	last     time.Time
}

func newReadWatch(patterns []string) *readWatch {
	w := &readWatch{patterns: patterns, byFirst: map[string][][]string{}, late: watchLate}
	for _, pattern := range patterns {
		parts := strings.Split(pattern[1:], "/")
		w.byFirst[parts[0]] = append(w.byFirst[parts[0]], parts)
	}
	return w
}

// nameChanged takes note of a name that came into being or now stands for something else.
func (w *readWatch) nameChanged(path string) {
	if w.changed || path == "" || path[0] != '/' {
		return
	}
	first, _, _ := strings.Cut(path[1:], "/")
	for _, parts := range w.byFirst[first] {
		if leadsTo(path[1:], parts) {
			w.changed = true
			return
		}
	}
}

// leadsTo tells whether the path is the pattern's or one of its directories.
func leadsTo(path string, parts []string) bool {
	for _, part := range parts {
		name, rest, more := strings.Cut(path, "/")
		if ok, _ := filepath.Match(part, name); !ok {
			return false
		}
		if !more {
			return true
		}
		path = rest
	}
	return false
}

func (w *readWatch) due(now time.Time) bool {
	since := now.Sub(w.last)
	return since >= w.late || w.changed && since >= watchSoon
}

// resolve finds what the patterns lead to now.
func (w *readWatch) resolve(now time.Time) ([]sensor.FileID, error) {
	w.last, w.changed = now, false
	devices, err := mountDevices("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var files []sensor.FileID
	for _, pattern := range w.patterns {
		paths, _ := filepath.Glob(pattern) // Validate has seen the pattern
		for _, path := range paths {
			if id, ok := fileID(path, devices); ok {
				files = append(files, id)
			}
		}
	}
	return files, nil
}

// fileID gives the number of the device as the kernel has it: what stat tells is another one on some
// file systems, such as btrfs.
func fileID(path string, devices map[uint64]uint32) (id sensor.FileID, ok bool) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_NO_AUTOMOUNT, unix.STATX_INO|unix.STATX_MNT_ID, &st)
	if err != nil {
		return id, false
	}
	device, ok := devices[st.Mnt_id]
	return sensor.FileID{Inode: st.Ino, Device: device}, ok
}

// mountDevices reads the device of each mount: see proc_pid_mountinfo(5).
func mountDevices(name string) (map[uint64]uint32, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the mounts: %w", err)
	}
	devices := map[uint64]uint32{}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		major, minor, _ := strings.Cut(fields[2], ":")
		id, err := strconv.ParseUint(fields[0], 10, 64)
		a, err2 := strconv.ParseUint(major, 10, 12)
		b, err3 := strconv.ParseUint(minor, 10, 20)
		if errors.Join(err, err2, err3) == nil {
			devices[id] = uint32(a)<<20 | uint32(b)
		}
	}
	return devices, nil
}
