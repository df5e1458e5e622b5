// SPDX-License-Identifier: Apache-2.0

package process

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
	for _, p := range t.byKey {
		t.report(p)
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
	if s.ParentPID != 0 {
		parent := t.byPID[s.ParentPID]
		if parent == nil {
			if above := t.host.Read(s.ParentPID); above != nil {
				parent = t.addSnapshot(above)
			}
		}
		p.setParent(parent)
	}
	t.index(p)
	return p
}
