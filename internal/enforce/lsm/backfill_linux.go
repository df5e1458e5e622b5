// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/process"
)

// passes bounds how often /proc is read until no process is new.
const passes = 20

// ancestry tells of processes what /proc knows of the programs that led to them.
type ancestry struct {
	e     *Enforcer
	next  *loaded
	fresh programSet // the programs that the kernel did not know of before
	proc  process.ProcFS
	known map[uint32]bpf.EnforceGiven
}

// backfill gives the kernel the lineages of processes that it did not see start, and for all processes what concerns programs that
// no policy named before. It looks at no process where there are neither.
func (e *Enforcer) backfill(next *loaded) error {
	fresh := programSet{}
	for _, bit := range next.programs {
		if bit >= e.told {
			fresh.add(bit)
		}
	}
	if fresh == (programSet{}) && e.former == nil && e.looked != nil && *e.looked == e.unknown() {
		return nil
	}
	e.looked = nil
	for range passes {
		before := e.unknown()
		a := &ancestry{e: e, next: next, fresh: fresh, proc: process.ProcFS{Root: "/proc"}, known: map[uint32]bpf.EnforceGiven{}}
		added, err := a.pass()
		if err != nil {
			return err
		}
		if added == 0 {
			e.looked = &before
			break
		}
	}
	e.told = len(next.programs)
	return nil
}

// unknown is how many programs have begun in processes of which the kernel knew nothing.
func (e *Enforcer) unknown() uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&e.active[activeUnknown])))
}

// pass looks at every process once and counts those of which nothing was known.
func (a *ancestry) pass() (added int, err error) {
	pids, err := a.proc.List()
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		stat, err := a.proc.ReadStat(pid)
		if err != nil || stat.KernelThread {
			continue // it ended, or has no programs
		}
		isNew, err := a.give(pid, stat)
		if err != nil {
			return added, err
		}
		if isNew {
			added++
		}
	}
	return added, nil
}

// give tells the kernel of one process.
func (a *ancestry) give(pid uint32, stat process.Stat) (isNew bool, err error) {
	var before bpf.EnforceGiven
	kernel, seen := lineageOf(a.e.maps[bpf.EnforceMapLineages], pid)
	if seen = seen && kernel.Start/nsPerTick == stat.Key.Start; !seen {
		kernel = bpf.EnforceLineage{} // of an earlier process with the same number
	}
	given := a.e.maps[bpf.EnforceMapGivens].Lookup(pid, &before) == nil && before.Ticks == stat.Key.Start
	complete := seen && ledTo(kernel).Flags&lineageBlank == 0 || given && before.Execs == kernel.Execs
	if complete && a.fresh == (programSet{}) {
		return false, nil
	}
	g := a.of(pid)
	if f := a.e.former; f != nil && !complete {
		if known, ok := f.of(pid, stat); ok {
			mask(&g, a.fresh)
			g = both(g, known)
		}
	}
	g.Ticks, g.Execs = stat.Key.Start, kernel.Execs
	if complete {
		mask(&g, a.fresh)
	}
	if given {
		g.All.Words = union(g.All.Words, before.All.Words)
	}
	if given && before.Execs == kernel.Execs {
		g = both(g, before)
	}
	if g == before {
		return false, nil
	}
	if err := a.e.maps[bpf.EnforceMapGivens].Put(pid, g); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return false, fmt.Errorf("tell the kernel what process %d descends from: %w", pid, err)
	}
	return !complete, nil
}

func union(a, b programSet) programSet {
	a.addAll(b)
	return a
}

// both is what either says of a process's programs.
func both(g, o bpf.EnforceGiven) bpf.EnforceGiven {
	g.All.Words = union(g.All.Words, o.All.Words)
	g.Trusted.Words = union(g.Trusted.Words, o.Trusted.Words)
	g.Running.Words = union(g.Running.Words, o.Running.Words)
	g.Flags |= o.Flags
	return g
}

func mask(g *bpf.EnforceGiven, m programSet) {
	g.All.Words = programSet(g.All.Words).and(m)
	g.Trusted.Words = programSet(g.Trusted.Words).and(m)
	g.Running.Words = programSet(g.Running.Words).and(m)
}

// of is a process's lineage: its program and then its parent's lineage.
func (a *ancestry) of(pid uint32) bpf.EnforceGiven {
	if g, ok := a.known[pid]; ok {
		return g
	}
	a.known[pid] = bpf.EnforceGiven{} // a parent that is its own descendant ends here
	var g bpf.EnforceGiven
	stat, err := a.proc.ReadStat(pid)
	if err != nil || stat.KernelThread {
		return g
	}
	if stat.ParentPID != 0 {
		g = a.of(stat.ParentPID)
	}
	g.Ticks, g.Execs = 0, 0
	is, init, trusted := a.program(pid)
	g.All.Words = union(g.All.Words, is)
	g.Running.Words = is
	g.Trusted.Words = union(g.Trusted.Words, is)
	if !trusted {
		g.Trusted.Words = programSet{}
	}
	g.Flags = 0
	if pid == 1 || stat.ParentPID == 1 && init {
		g.Flags = lineageInit
	}
	a.known[pid] = g
	return g
}

// program tells which program a process runs, and whether nobody could have written it.
func (a *ancestry) program(pid uint32) (is programSet, init, trusted bool) {
	link := fmt.Sprintf("/proc/%d/exe", pid)
	name, err := os.Readlink(link)
	if err != nil {
		return is, false, false
	}
	name, deleted := strings.CutSuffix(name, " (deleted)")
	is, init = a.next.executable(name)
	var stat unix.Stat_t
	if err := unix.Stat(link, &stat); err != nil || deleted {
		return is, init, false
	}
	at := a.next.mounts.locations(name)
	h, ok := a.next.hashes[inode{at[len(at)-1].device, stat.Ino}]
	if ok && h.Changed == uint64(stat.Ctim.Nano()) {
		return union(is, h.Programs.Words), init, true
	}
	return is, init, stat.Ctim.Nano() < a.e.since.UnixNano()
}

// executable finds the node of a program.
func (c *loaded) executable(file string) (is programSet, init bool) {
	at := c.mounts.locations(file)
	l := at[len(at)-1]
	node, ok := c.anchors[l.device]
	for _, part := range strings.FieldsFunc(l.path, func(r rune) bool { return r == '/' }) {
		if ok {
			node, ok = c.compiled.names[name{node, part}]
		}
	}
	if !ok {
		return is, false
	}
	return c.nodes[node].Programs.Words, c.nodes[node].Flags&nodeInit != 0
}
