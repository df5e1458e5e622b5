// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package target

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/extension/enforcementextension/enforcement"
	"github.com/vedette-sec/vedette/internal/process"
)

const (
	// stopWait is how long a tree is hunted for that forks faster than it is stopped.
	stopWait = 10 * time.Second
	// maxTree bounds the descriptors that a tree may take.
	maxTree = 4096
)

// tree is a process and what descends from it, each held and stopped.
type tree struct {
	processes Processes
	protected protectedNow
	members   map[process.Key]handle
	order     []process.Key // parents first
	standing  map[process.Key]bool
	spared    map[process.Key]bool
}

// KillTree ends a process and all its descendants. They are stopped first, from the top down and
// until no new ones are found, so that none can fork away while the others end. Protected descendants
// are spared, and what descends from them.
func (p Processes) KillTree(wanted enforcement.Process, protected Protection) (note string, err error) {
	root, err := p.find(wanted)
	if err != nil {
		return "", err
	}
	t := &tree{processes: p, protected: protected.snapshot(p), members: map[process.Key]handle{},
		standing: map[process.Key]bool{}, spared: map[process.Key]bool{}}
	defer t.close()
	t.add(root)
	if err := t.protected.refuse(root.stat); err != nil {
		return "", err
	}
	if err := root.signal(unix.SIGSTOP); err != nil {
		return "", err
	}
	stable, err := t.stop(time.Now().Add(stopWait))
	note = t.kill()
	if stable {
		return note, nil
	}
	more, late := t.killLate()
	note += fmt.Sprintf(", %d more that came while they ended", more)
	if late != nil || more > 0 {
		note += ", and perhaps not all: they forked faster than they could be stopped"
	}
	return note, errors.Join(err, late)
}

// lateRounds is how often a tree that never stood still is looked for again.
const lateRounds = 10

// killLate ends what a tree that never stood still has left behind, as far as a session shows that it
// belongs to it.
func (t *tree) killLate() (int, error) {
	killed := 0
	for range lateRounds {
		known := len(t.order)
		if _, err := t.round(); err != nil || known == len(t.order) {
			return killed, err
		}
		for _, key := range t.order[known:] {
			if t.members[key].signal(unix.SIGKILL) == nil {
				killed++
			}
		}
	}
	return killed, nil
}

func (t *tree) add(h handle) {
	t.members[h.stat.Key] = h
	t.order = append(t.order, h.stat.Key)
}

func (t *tree) close() {
	for _, h := range t.members {
		h.close()
	}
}

// stop stops what descends from the members until there is nothing new and all stand still. It tells
// whether it came to that.
func (t *tree) stop(deadline time.Time) (bool, error) {
	for time.Now().Before(deadline) && len(t.members) < maxTree {
		found, err := t.round()
		if err != nil {
			return false, err
		}
		if !found && t.still() {
			// What was forked by a process before it stood still is in the next look.
			if found, err = t.round(); !found {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// round looks once at all processes and stops those that are new in the tree.
func (t *tree) round() (bool, error) {
	pids, err := t.processes.Proc.List()
	if err != nil {
		return false, err
	}
	now := map[uint32]process.Key{}
	children := map[uint32][]process.Stat{}
	sessions := map[uint32][]process.Stat{}
	for _, pid := range pids {
		stat, err := t.processes.Proc.ReadStat(pid)
		if err != nil {
			continue
		}
		now[pid] = stat.Key
		children[stat.ParentPID] = append(children[stat.ParentPID], stat)
		sessions[stat.Session] = append(sessions[stat.Session], stat)
	}
	found := false
	for i := 0; i < len(t.order); i++ { // grows as it goes
		member := t.members[t.order[i]].stat
		key, exists := now[member.Key.PID]
		if exists && key != member.Key {
			continue // a later process with the id of one that ended
		}
		below := children[member.Key.PID]
		// A session has no other members than descendants of its leader, orphans among them. Its id
		// is not given to another process as long as it has members.
		if member.Session == member.Key.PID {
			below = append(below, sessions[member.Session]...)
		}
		for _, stat := range below {
			found = t.hold(stat) || found
		}
	}
	return found, nil
}

// hold stops a process unless it is held or spared. It tells whether it is new.
func (t *tree) hold(stat process.Stat) bool {
	if _, held := t.members[stat.Key]; held || t.spared[stat.Key] || stat.State == 'Z' || stat.State == 'X' {
		return false
	}
	h, err := t.processes.open(stat.Key.PID)
	if err != nil {
		return false
	}
	if h.stat.Key != stat.Key {
		h.close()
		return false
	}
	if t.protected.refuse(h.stat) != nil {
		t.spared[stat.Key] = true
		h.close()
		return false
	}
	if err := h.signal(unix.SIGSTOP); err != nil {
		h.close()
		return false
	}
	t.add(h)
	return true
}

// still tells whether no thread of a member runs. One that waits in the kernel cannot fork.
func (t *tree) still() bool {
	for key := range t.members {
		if t.standing[key] {
			continue
		}
		threads := filepath.Join(t.processes.Proc.Root, strconv.Itoa(int(key.PID)))
		entries, err := os.ReadDir(filepath.Join(threads, "task"))
		if err != nil {
			continue // it has ended
		}
		for _, entry := range entries {
			tid, _ := strconv.ParseUint(entry.Name(), 10, 32)
			stat, err := process.ProcFS{Root: filepath.Join(threads, "task")}.ReadStat(uint32(tid))
			if err == nil && (stat.State == 'R' || stat.State == 'S') {
				return false
			}
		}
		t.standing[key] = true
	}
	return true
}

func (t *tree) kill() string {
	killed, failed := 0, 0
	for _, key := range t.order {
		switch err := t.members[key].signal(unix.SIGKILL); {
		case err == nil:
			killed++
		case !errors.Is(err, ErrGone):
			failed++
		}
	}
	ending := 0
	deadline := t.processes.endsUntil()
	for _, h := range t.members {
		if !h.ended(deadline) {
			ending++
		}
	}
	note := fmt.Sprintf("%d processes", killed)
	for _, part := range []struct {
		count int
		text  string
	}{{len(t.spared), "%d protected ones spared"}, {failed, "%d could not be signalled"}, {ending, "%d have not ended yet"}} {
		if part.count > 0 {
			note += ", " + fmt.Sprintf(part.text, part.count)
		}
	}
	return note
}
