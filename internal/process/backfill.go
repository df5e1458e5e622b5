// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"cmp"
	"maps"
	"slices"
)

// Backfill adds the processes that were there before. Records of processes that started meanwhile
// are handed to the table after it. A process whose streams are a network connection already is told
// by TakeRemoteStdio.
func (t *Table) Backfill(pids []uint32) {
	for _, pid := range pids {
		if _, known := t.byPID[pid]; known {
			continue
		}
		if s := t.host.Read(pid); s != nil {
			t.addSnapshot(s)
		}
	}
	// Parents first: what a remote shell has started is not reported again.
	older := func(a, b *Process) int {
		return cmp.Or(cmp.Compare(a.Key.Start, b.Key.Start), cmp.Compare(a.depth, b.depth))
	}
	for _, p := range slices.SortedFunc(maps.Values(t.byKey), older) {
		t.report(p, false)
	}
}

// addSnapshot adds a process and those above it that are not known yet.
func (t *Table) addSnapshot(s *Snapshot) *Process {
	if p := t.byKey[s.Key]; p != nil {
		return p
	}
	p := t.add(s.Key, s.Key.Start*tick)
	id, key, started := p.EntityID, p.Key, p.Started
	*p = s.Process
	p.EntityID, p.Key, p.Started = id, key, started
	p.programs = 1
	p.setParent(t.parentOf(s))
	t.index(p)
	return p
}

// parentOf finds the parent of a process that /proc told of. The id it told may have been given to
// another process since; a parent is never the younger one.
func (t *Table) parentOf(s *Snapshot) *Process {
	if s.ParentPID == 0 {
		return nil
	}
	parent := t.byPID[s.ParentPID]
	if parent == nil || parent.exited {
		above := t.host.Read(s.ParentPID)
		if above == nil || above.Key.Start > s.Key.Start {
			return nil
		}
		return t.addSnapshot(above)
	}
	if parent.Key.Start > s.Key.Start {
		return nil
	}
	return parent
}
