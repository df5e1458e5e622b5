// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/container"
	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/pkg/policy"
)

var proc = process.ProcFS{Root: "/proc"}

// tickNanos is the unit of start times in /proc.
const tickNanos = 10_000_000

// deepest is how many ancestors of a process are looked at.
const deepest = 100

type words = [mostPrograms / 64]uint64

func set(w *words, p *program)      { w[p.number/64] |= 1 << (p.number % 64) }
func has(w *words, p *program) bool { return w[p.number/64]&(1<<(p.number%64)) != 0 }

// backfill tells the kernel side of the processes that ran before it was there, or before these programs were named: by what they
// run now and what their ancestors do.
func (k *kernelSide) backfill(programs *registry) error {
	pids, err := proc.List()
	if err != nil {
		return err
	}
	tasks := k.maps.Maps[bpf.FallbackMapTasks]
	for _, pid := range pids {
		state, ok := k.guess(pid, programs)
		if !ok {
			continue
		}
		var known bpf.FallbackTaskState
		if tasks.Lookup(pid, &known) == nil && sameStart(known.StartTime, state.StartTime) {
			state = merge(known, state, programs, k.backfilled)
		}
		if err := tasks.Put(pid, state); err != nil {
			return fmt.Errorf("tell the kernel side of process %d: %w", pid, err)
		}
	}
	k.backfilled = len(programs.byNumber)
	return nil
}

func sameStart(nanos, other uint64) bool { return nanos/tickNanos == other/tickNanos }

// merge keeps what was seen of a process, and adds what is guessed about programs that are new.
func merge(seen, guessed bpf.FallbackTaskState, programs *registry, from int) bpf.FallbackTaskState {
	for _, p := range programs.byNumber[from:] {
		for _, w := range []struct{ to, from *words }{
			{&seen.Own, &guessed.Own}, {&seen.Trusted, &guessed.Trusted}, {&seen.Chain, &guessed.Chain},
		} {
			if has(w.from, p) {
				set(w.to, p)
			}
		}
	}
	return seen
}

// guess judges a process by what /proc shows of it and its ancestors.
func (k *kernelSide) guess(pid uint32, programs *registry) (bpf.FallbackTaskState, bool) {
	stat, err := proc.ReadStat(pid)
	if err != nil || stat.KernelThread {
		return bpf.FallbackTaskState{}, false
	}
	state := bpf.FallbackTaskState{StartTime: stat.Key.Start * tickNanos}
	trusted := true
	at := pid
	for depth := range deepest {
		p, clean, known := running(at, programs)
		trusted = trusted && clean
		if depth == 0 && trusted {
			state.Flags |= uint32(bpf.FallbackTaskFlagsTASK_TRUSTED)
		}
		if known {
			if depth == 0 {
				set(&state.Own, p)
			}
			set(&state.Chain, p)
			if trusted {
				set(&state.Trusted, p)
			}
		}
		above, err := proc.ReadStat(at)
		if err != nil || above.ParentPID == 0 {
			break
		}
		at = above.ParentPID
	}
	if pid == 1 {
		state.Flags |= uint32(bpf.FallbackTaskFlagsTASK_INIT)
	}
	return state, true
}

// running tells what a process runs, and whether nobody untrusted could have written that.
func running(pid uint32, programs *registry) (p *program, trusted, known bool) {
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	var stat unix.Stat_t
	if unix.Stat(exe, &stat) != nil {
		return nil, false, false
	}
	key, err := keyOf(exe)
	if err != nil {
		return nil, false, false
	}
	p, known = programs.byKey[key]
	return p, stat.Uid == 0 && stat.Mode&0o022 == 0, known
}

// actor is who acts: what policies ask about, and what verdicts tell.
type actor struct {
	policy policy.Actor
	tgid   uint32
	tid    uint32
	start  uint64
	comm   string
	cgroup uint64
}

// actorOf gives what is known of a thread, or of a process that has just ended.
func (k *kernelSide) actorOf(tid uint32, programs *registry) actor {
	a := actor{tgid: tid, tid: tid}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err == nil {
		readStatus(string(status), &a)
	}
	state, running := k.state(a.tgid)
	a.start = state.StartTime
	a.policy.Lineage = lineage(&state, programs)
	a.policy.Init = state.Flags&uint32(bpf.FallbackTaskFlagsTASK_INIT) != 0
	if err != nil || !running {
		a.policy.UID, a.cgroup = state.Euid, state.Cgroup
		a.comm = unix.ByteSliceToString(state.Comm[:])
		return a
	}
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", tid)) // the process may be gone
	a.policy.Cgroup = container.SystemdCgroup(content)
	a.policy.Container, _ = container.FromProcCgroup(content)
	a.cgroup = k.cgroupID(content)
	return a
}

func readStatus(status string, a *actor) {
	for line := range strings.Lines(status) {
		name, rest, _ := strings.Cut(line, ":")
		var real uint32
		switch name {
		case "Name":
			a.comm = strings.TrimSpace(rest)
		case "Tgid":
			_, _ = fmt.Sscan(rest, &a.tgid) // the kernel writes a number
		case "Uid":
			_, _ = fmt.Sscan(rest, &real, &a.policy.UID)
		}
	}
}

func (k *kernelSide) state(tgid uint32) (state bpf.FallbackTaskState, running bool) {
	if k.maps.Maps[bpf.FallbackMapTasks].Lookup(tgid, &state) == nil {
		return state, true
	}
	_ = k.maps.Maps[bpf.FallbackMapEnded].Lookup(tgid, &state) // nothing is known of it then
	return state, false
}

// cgroupID gives the number of the cgroup of version 2 that a process is in, from the content of /proc/PID/cgroup; 0 for none.
func (k *kernelSide) cgroupID(content []byte) uint64 {
	for line := range strings.Lines(string(content)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			var stat unix.Stat_t
			if unix.Stat(filepath.Join(k.cgroupRoot, path), &stat) == nil {
				return stat.Ino
			}
		}
	}
	return 0
}

// lineage gives programs that policies judge as they would judge those that led to the process: what it runs, then what is trusted,
// then, behind one that is not, the others.
func lineage(state *bpf.FallbackTaskState, programs *registry) []policy.Program {
	trusted := state.Flags&uint32(bpf.FallbackTaskFlagsTASK_TRUSTED) != 0
	all := []policy.Program{{Trusted: trusted}}
	var behind []policy.Program
	for _, p := range programs.byNumber {
		one := policy.Program{Executable: p.name, Trusted: true}
		switch {
		case has(&state.Own, p):
			all[0].Executable = p.name
		case has(&state.Trusted, p):
			all = append(all, one)
		case has(&state.Chain, p):
			behind = append(behind, one)
		}
	}
	if len(behind) > 0 {
		all = append(append(all, policy.Program{}), behind...)
	}
	return all
}

// findCgroups tells the kernel side what each cgroup is inside of, and by which names it knows later ones.
func (k *kernelSide) findCgroups(programs *registry) error {
	units := k.maps.Maps[bpf.FallbackMapUnits]
	for i, name := range programs.units {
		var key bpf.FallbackUnitName
		copy(key.Text[:], name)
		if err := units.Put(key, uint64(1)<<i); err != nil {
			return fmt.Errorf("name the unit %s to the kernel side: %w", name, err)
		}
	}
	for i, id := range programs.containers {
		var key bpf.FallbackContainerId
		if copy(key.Digits[:], id) < len(key.Digits) {
			continue // a name, and no id: such containers are known when policies are loaded
		}
		if err := k.maps.Maps[bpf.FallbackMapContainers].Put(key, uint64(1)<<i); err != nil {
			return fmt.Errorf("name the container %s to the kernel side: %w", id, err)
		}
	}
	places := k.maps.Maps[bpf.FallbackMapCgroups]
	return filepath.WalkDir(k.cgroupRoot, func(path string, entry fs.DirEntry, err error) error {
		var stat unix.Stat_t
		if err != nil || !entry.IsDir() || unix.Stat(path, &stat) != nil {
			return nil // it is gone, as cgroups go
		}
		place := placeOf("/"+strings.TrimPrefix(strings.TrimPrefix(path, k.cgroupRoot), "/"), programs)
		if err := places.Put(stat.Ino, place); err != nil {
			return fmt.Errorf("tell the kernel side of cgroup %s: %w", path, err)
		}
		return nil
	})
}

func placeOf(path string, programs *registry) bpf.FallbackCgroupPlace {
	place := bpf.FallbackCgroupPlace{Open: 1}
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part != "" && !strings.HasSuffix(part, ".slice") {
			place.Open = 0
		}
	}
	for i, unit := range programs.units {
		if policy.InUnit(path, unit) {
			place.Units |= 1 << i
		}
	}
	id, _ := container.FromCgroup(path)
	for i, wanted := range programs.containers {
		if id != "" && (id == wanted || len(wanted) >= 12 && strings.HasPrefix(id, wanted)) {
			place.Containers |= 1 << i
		}
	}
	return place
}

// initPrograms are what policy.Host.InitPrograms says, with init as process 1 has it.
func initPrograms() []string {
	host := policy.NewHost("/")
	all := host.InitPrograms()
	if at := slices.Index(all, host.Init()); at >= 0 {
		all[at] = "/proc/1/exe"
	}
	return all
}

// tellPrograms gives the kernel side the numbers of programs.
func (k *kernelSide) tellPrograms(programs *registry) error {
	out := k.maps.Maps[bpf.FallbackMapPrograms]
	values := map[fileKey]bpf.FallbackProgramValue{}
	for key, p := range programs.byKey {
		values[key] = bpf.FallbackProgramValue{Flags: uint32(p.number + 1), Generation: p.generation}
	}
	for _, name := range initPrograms() {
		if key, err := keyOf(name); err == nil {
			value := values[key]
			value.Flags |= uint32(bpf.FallbackProgramFlagsPROGRAM_OF_INIT)
			value.Generation = generationOf(name)
			values[key] = value
		}
	}
	for key, value := range values {
		if err := out.Put(key.bpf(), value); err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
			return fmt.Errorf("tell the kernel side of a program: %w", err)
		}
	}
	return nil
}
