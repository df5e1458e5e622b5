// SPDX-License-Identifier: Apache-2.0

// Package users turns user ids into names by reading the passwd file, without cgo.
//
// Only users in the file are known: those that LDAP, SSSD or another name service supplies keep
// their number.
package users

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bounds on what is read, so that a huge or hostile passwd file costs little.
const (
	maxFileSize = 16 << 20
	maxUsers    = 65536
)

// checkInterval is the least time between two looks at whether the file changed.
const checkInterval = time.Second

// Table maps user ids to names. It is safe for concurrent use.
type Table struct {
	path string
	now  func() time.Time

	mu      sync.RWMutex
	names   map[uint32]string
	state   fileState
	checked time.Time
}

// fileState is what tells one content of the file from another.
type fileState struct {
	inode, device uint64
	size          int64
	modified      time.Time
}

// New returns a table of the users in the passwd file at path, usually /etc/passwd. The file is
// read at the first lookup, and again when a lookup at least one second later finds it changed.
// The clock is time.Now outside of tests.
func New(path string, now func() time.Time) *Table {
	return &Table{path: path, now: now}
}

// Name returns the user's name, or the id in decimal where the file does not have it or cannot
// be read.
func (t *Table) Name(uid uint32) string {
	now := t.now()
	t.mu.RLock()
	due := t.due(now)
	name, ok := t.names[uid]
	t.mu.RUnlock()
	if due {
		name, ok = t.refresh(now, uid)
	}
	if !ok {
		return strconv.FormatUint(uint64(uid), 10)
	}
	return name
}

// due also holds when the clock went backwards.
func (t *Table) due(now time.Time) bool {
	since := now.Sub(t.checked)
	return since >= checkInterval || since < 0
}

func (t *Table) refresh(now time.Time, uid uint32) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.due(now) {
		t.checked = now
		t.reload()
	}
	name, ok := t.names[uid]
	return name, ok
}

// reload reads the file if it is another than before. A file that cannot be read leaves the
// names as they were: editors replace it by a rename, so its absence passes.
func (t *Table) reload() {
	file, err := os.Open(t.path)
	if err != nil {
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return
	}
	state := stateOf(info)
	if state == t.state {
		return
	}
	names, err := parse(io.LimitReader(file, maxFileSize))
	if err != nil {
		return
	}
	t.names, t.state = names, state
}

func stateOf(info os.FileInfo) fileState {
	state := fileState{size: info.Size(), modified: info.ModTime()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		state.inode, state.device = stat.Ino, uint64(stat.Dev)
	}
	return state
}

// parse reads passwd lines, name:password:uid:gid:comment:home:shell. The first name of an id
// wins, as it does for getpwuid. Lines that are not of that form are passed over.
func parse(r io.Reader) (map[uint32]string, error) {
	names := map[uint32]string{}
	lines := bufio.NewReader(r)
	for len(names) < maxUsers {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read passwd lines: %w", err)
		}
		if name, uid, ok := parseLine(line); ok {
			if _, known := names[uid]; !known {
				names[uid] = name
			}
		}
		if err == io.EOF {
			break
		}
	}
	return names, nil
}

func parseLine(line string) (name string, uid uint32, ok bool) {
	fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 4)
	if len(fields) < 4 || fields[0] == "" || strings.ContainsAny(fields[0][:1], "#+-") {
		return "", 0, false
	}
	id, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		return "", 0, false
	}
	return fields[0], uint32(id), true
}
