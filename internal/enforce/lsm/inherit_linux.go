// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/process"
)

// lineageLayout stands for how lineages, and files that somebody vouches for, are written in their maps. Agents of different versions
// understand each other's where it is the same.
const lineageLayout = 2

// nsPerTick is the unit of start times in /proc.
const nsPerTick = 10_000_000

// former is what an agent of another version knows of processes and files. Its programs go on following them until this one's
// policies are in force.
type former struct {
	maps map[string]*ebpf.Map
	told programSet // the programs that it knows of who descends from them
}

var inherited = []string{bpf.EnforceMapLineages, bpf.EnforceMapGivens, bpf.EnforceMapVouched}

// inherit makes use of what an agent of another version left.
func (e *Enforcer) inherit(dir string, h *handover, spec *ebpf.CollectionSpec) error {
	if h.Layout != lineageLayout {
		return errOtherBuild
	}
	f := &former{maps: map[string]*ebpf.Map{}}
	for _, name := range inherited {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, mapPin+name), &ebpf.LoadPinOptions{ReadOnly: true})
		if err == nil {
			f.maps[name] = m
			if m.ValueSize() != spec.Maps[name].ValueSize {
				err = errOtherBuild
			}
		}
		if err != nil {
			return errors.Join(fmt.Errorf("open the map %s: %w", name, err), f.close())
		}
	}
	e.former, e.told = f, h.Told
	for bit, p := range h.Programs {
		e.numbers.bits[program{p.Path, p.SHA256}] = bit
		if bit < h.Told {
			f.told.add(bit)
		}
	}
	return nil
}

func (f *former) close() error {
	var errs []error
	for _, m := range f.maps {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// lineageOf reads the lineage that the kernel keeps of a process. Programs change it while it is copied: a copy counts that is the same again.
func lineageOf(lineages *ebpf.Map, pid uint32) (l bpf.EnforceLineage, ok bool) {
	for {
		before := l
		if lineages.Lookup(pid, &l) != nil {
			return bpf.EnforceLineage{}, false
		}
		if ok && l == before {
			return l, true
		}
		ok = true
	}
}

// ledTo is what led to the process, and not what will have when an exec succeeds.
func ledTo(l bpf.EnforceLineage) bpf.EnforceLed {
	return l.Led[l.Turn&1]
}

// of gives what is known of a process, as far as it is about programs that are known of.
func (f *former) of(pid uint32, stat process.Stat) (g bpf.EnforceGiven, ok bool) {
	var given bpf.EnforceGiven
	kernel, seen := lineageOf(f.maps[bpf.EnforceMapLineages], pid)
	seen = seen && kernel.Start/nsPerTick == stat.Key.Start
	hasGiven := f.maps[bpf.EnforceMapGivens].Lookup(pid, &given) == nil && given.Ticks == stat.Key.Start
	if !seen {
		kernel = bpf.EnforceLineage{}
	}
	led := ledTo(kernel)
	holds := hasGiven && given.Execs == kernel.Execs
	if !holds && (!seen || led.Flags&lineageBlank != 0) {
		return g, false
	}
	g.All.Words, g.Trusted.Words, g.Running.Words = led.All.Words, led.Trusted.Words, led.Running.Words
	g.Flags = uint32(led.Flags &^ lineageBlank)
	if hasGiven {
		g.All.Words = union(g.All.Words, given.All.Words)
	}
	if holds {
		g.Trusted.Words, g.Running.Words = union(g.Trusted.Words, given.Trusted.Words), union(g.Running.Words, given.Running.Words)
		g.Flags |= given.Flags
	}
	mask(&g, f.told)
	return g, true
}

// vouch takes over for which files somebody vouches whom a policy allows to write them. It is done when this agent's policies are in
// force: from then on its programs notice who else writes them, and until they did those of the former one have.
func (f *former) vouch(to, numbers *ebpf.Map) error {
	from := f.maps[bpf.EnforceMapVouched]
	keys, err := keysOf[bpf.EnforceInodeKey](from)
	if err != nil {
		return err
	}
	// The programs mark numbers at the same time: in memory that is shared neither takes back what the other does.
	some, err := unix.Mmap(numbers.FD(), 0, int(numbers.ValueSize()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the numbers of files that somebody vouches for into memory: %w", err)
	}
	defer unix.Munmap(some)
	for _, key := range keys {
		var yes uint32
		if from.Lookup(key, &yes) != nil {
			continue
		}
		some[key.Inode%uint64(len(some))] = 1 // first: without it nobody looks
		if err := to.Put(key, yes); err != nil {
			return fmt.Errorf("take over for which files somebody vouches: %w", err)
		}
		if from.Lookup(key, &yes) == nil {
			continue
		}
		if err := to.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("take over for which files nobody vouches: %w", err)
		}
	}
	return nil
}
