// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/bpf"
)

var (
	initial = who{1, 1}
	shell   = who{100, 10}
	child   = who{101, 11}
	other   = who{102, 12}
)

// withInit is a world in which init runs.
func withInit(t testing.TB) world {
	w := newWorld(t)
	w.host.runs(initial, 0, "/sbin/init")
	w.Backfill([]uint32{initial.pid})
	return w
}

func TestLineage(t *testing.T) {
	for name, tc := range map[string]struct {
		happens func(w world) *Process
		program string
		parents []string
	}{
		"a fork runs its parent's program": {
			func(w world) *Process {
				w.start(initial, shell, "/bin/sh")
				return w.fork(shell, child)
			}, "/bin/sh", []string{"/bin/sh", "/sbin/init"},
		},
		"exec after fork": {
			func(w world) *Process {
				w.start(initial, shell, "/bin/sh")
				return w.start(shell, child, "/bin/ls")
			}, "/bin/ls", []string{"/bin/sh", "/sbin/init"},
		},
		"a parent that ended is still told": {
			func(w world) *Process {
				w.start(initial, shell, "/bin/sh")
				p := w.start(shell, child, "/bin/ls")
				w.exit(shell)
				return p
			}, "/bin/ls", []string{"/bin/sh", "/sbin/init"},
		},
		"a parent that was forgotten is still told": {
			func(w world) *Process {
				w.start(initial, shell, "/bin/sh")
				p := w.start(shell, child, "/bin/ls")
				w.exit(shell)
				w.Forget(shell.nanos() + 2*keepExited)
				return p
			}, "/bin/ls", []string{"/bin/sh", "/sbin/init"},
		},
		"an exec after the parent's end keeps the original lineage": {
			func(w world) *Process {
				w.start(initial, shell, "/bin/sh")
				w.fork(shell, child)
				w.exit(shell)
				return w.exec(initial, child, "/usr/bin/sleep") // the record names the new parent
			}, "/usr/bin/sleep", []string{"/bin/sh", "/sbin/init"},
		},
		"a lost fork: the exec names the parent": {
			func(w world) *Process {
				w.start(initial, shell, "/bin/sh")
				return w.exec(shell, child, "/bin/ls")
			}, "/bin/ls", []string{"/bin/sh", "/sbin/init"},
		},
		"a lost fork and a parent that only /proc knows": {
			func(w world) *Process {
				w.host.runs(shell, initial.pid, "/bin/sh")
				return w.exec(shell, child, "/bin/ls")
			}, "/bin/ls", []string{"/bin/sh", "/sbin/init"},
		},
		"a lost fork and a parent nobody knows": {
			func(w world) *Process { return w.exec(shell, child, "/bin/ls") }, "/bin/ls", nil,
		},
		"a parent's id that /proc shows for another process": {
			func(w world) *Process {
				w.host.runs(who{shell.pid, 99}, initial.pid, "/bin/other")
				return w.exec(shell, child, "/bin/ls")
			}, "/bin/ls", nil,
		},
		"activity of a process that /proc knows": {
			func(w world) *Process {
				w.host.runs(shell, initial.pid, "/bin/sh")
				return w.get(shell)
			}, "/bin/sh", []string{"/sbin/init"},
		},
		"activity of a process that is gone": {
			func(w world) *Process { return w.get(shell) }, "", nil,
		},
		"a fork that /proc told of first": {
			func(w world) *Process {
				w.host.runs(shell, initial.pid, "/bin/sh")
				w.Backfill([]uint32{shell.pid})
				return w.fork(initial, shell)
			}, "/bin/sh", []string{"/sbin/init"},
		},
		"backfill of a child before its parents": {
			func(w world) *Process {
				w.host.runs(child, shell.pid, "/bin/ls")
				w.host.runs(shell, initial.pid, "/bin/sh")
				w.Backfill([]uint32{child.pid, shell.pid})
				return w.byPID[child.pid]
			}, "/bin/ls", []string{"/bin/sh", "/sbin/init"},
		},
		"backfill while the parent's id is given to a younger process": {
			func(w world) *Process {
				w.host.runs(child, shell.pid, "/bin/ls")
				w.host.runs(who{shell.pid, 50}, initial.pid, "/bin/younger")
				return w.get(child)
			}, "/bin/ls", nil,
		},
		"backfill after the known holder of the parent's id ended": {
			func(w world) *Process {
				w.start(initial, shell, "/bin/sh")
				w.exit(shell)
				again, youngest := who{shell.pid, 50}, who{103, 51}
				w.host.runs(again, initial.pid, "/bin/again")
				w.host.runs(youngest, shell.pid, "/bin/ls")
				return w.get(youngest)
			}, "/bin/ls", []string{"/bin/again", "/sbin/init"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := tc.happens(withInit(t))
			assert.Equal(t, tc.program, p.Executable)
			assert.Equal(t, tc.parents, names(p))
		})
	}
}

func TestIdentity(t *testing.T) {
	w := withInit(t)
	forked := w.fork(initial, shell)
	id := forked.EntityID
	assert.Len(t, id, 32)
	assert.Equal(t, boot.Add(time.Duration(shell.nanos())), forked.Started)

	// A thread that executes a program takes over the leader's id and start time.
	e := &bpf.SensorExecEvent{Head: shell.head(), Parent: initial.asParent()}
	e.Head.Tid = shell.pid + 7
	execed := w.Exec(e, ExecStrings{Exe: []byte("/bin/sh")})
	assert.Same(t, forked, execed)
	assert.Equal(t, id, execed.EntityID)
	assert.Same(t, forked, w.get(shell))

	again := w.get(who{shell.pid, 77})
	assert.NotEqual(t, id, again.EntityID, "another process with the same id")
	elsewhere := NewTable(w.host, "another boot", boot)
	head := shell.head()
	assert.NotEqual(t, id, elsewhere.Get(&head).EntityID, "another boot")
}

// TestKeysAgree holds the kernel's nanoseconds against what /proc makes of them.
func TestKeysAgree(t *testing.T) {
	w := newWorld(t)
	agree := func(pid uint32, nanos uint64) bool {
		const userHz = 100 // clock ticks a second, as /proc gives start times
		ticks := nanos / (1_000_000_000 / userHz)
		w.host.runs(who{pid, ticks}, 0, "/bin/x")
		snapshot := w.host.Read(pid)
		return KeyOf(pid, nanos) == snapshot.Key &&
			KeyOf(pid, nanos).entityID("b") == snapshot.Key.entityID("b") &&
			KeyOf(pid, nanos/tick*tick) == snapshot.Key && KeyOf(pid, nanos/tick*tick+tick) != snapshot.Key
	}
	require.NoError(t, quick.Check(agree, nil))
}

func TestReuseOfAnID(t *testing.T) {
	t.Run("the end of the first was lost", func(t *testing.T) {
		w := withInit(t)
		first := w.start(initial, shell, "/bin/sh")
		second := w.fork(initial, who{shell.pid, 50})
		assert.NotEqual(t, first.EntityID, second.EntityID)
		assert.True(t, first.exited)
		assert.Equal(t, []string{"/sbin/init"}, names(second))
		assert.Equal(t, "/sbin/init", second.Executable)
		assert.NotContains(t, w.byPID[initial.pid].children, first)
		w.Forget(second.Key.Start*tick + 2*keepExited)
		assert.Equal(t, 2, w.Len(), "init and the second")
		assert.Same(t, second, w.get(who{shell.pid, 50}))
	})
	t.Run("a late record of one that is forgotten does not end its successor", func(t *testing.T) {
		w := withInit(t)
		second := w.start(initial, who{shell.pid, 50}, "/bin/second")
		first := w.get(shell)
		assert.NotEqual(t, second.EntityID, first.EntityID)
		assert.False(t, second.exited)
		assert.Same(t, second, w.get(who{shell.pid, 50}))
		assert.Same(t, second, w.byPID[shell.pid])
	})
}

func TestExec(t *testing.T) {
	for name, tc := range map[string]struct {
		strings ExecStrings
		flags   bpf.SensorExeFlags
		want    Process
	}{
		"a path": {
			ExecStrings{[]byte("/usr/bin/dash"), []byte("/bin/sh"), []byte("/root"), []byte("sh\x00-c\x00id\x00")}, 0,
			Process{Executable: "/usr/bin/dash", Invoked: "/bin/sh", Directory: "/root", Args: []string{"sh", "-c", "id"}, CommandLine: "sh -c id"},
		},
		"a relative path": {
			ExecStrings{[]byte("/opt/tool"), []byte("../opt/./tool"), []byte("/root"), []byte("tool\x00")}, 0,
			Process{Executable: "/opt/tool", Invoked: "/opt/tool", Directory: "/root", Args: []string{"tool"}, CommandLine: "tool"},
		},
		"empty arguments": {
			ExecStrings{[]byte("/a"), []byte("/a"), []byte("/"), []byte("a\x00\x00b\x00\x00")}, 0,
			Process{Executable: "/a", Invoked: "/a", Directory: "/", Args: []string{"a", "", "b", ""}, CommandLine: "a  b "},
		},
		"no arguments": {
			ExecStrings{[]byte("/a"), []byte("/a"), []byte("/"), nil}, 0,
			Process{Executable: "/a", Invoked: "/a", Directory: "/"},
		},
		"arguments that are cut": {
			ExecStrings{[]byte("/a"), []byte("/a"), []byte("/"), []byte("a\x00bc\xc3")}, 0,
			Process{Executable: "/a", Invoked: "/a", Directory: "/", Args: []string{"a", "bc\uFFFD"}, CommandLine: "a bc\uFFFD"},
		},
		"names that are no text": {
			ExecStrings{[]byte("/\xff"), []byte("\xfe"), []byte("/\xfd"), []byte("\xff\x00")}, 0,
			Process{Executable: "/\uFFFD", Invoked: "/\uFFFD/\uFFFD", Directory: "/\uFFFD", Args: []string{"\uFFFD"}, CommandLine: "\uFFFD"},
		},
		"memory": {
			ExecStrings{[]byte("/memfd:hidden"), []byte("/proc/self/fd/3"), []byte("/"), []byte("kworker\x00")}, bpf.SensorExeFlagsEXE_MEMORY | bpf.SensorExeFlagsEXE_DELETED,
			Process{Executable: "memfd:hidden", Invoked: "/proc/self/fd/3", Directory: "/", Args: []string{"kworker"}, CommandLine: "kworker"},
		},
		"memory without a name": {
			ExecStrings{[]byte("/memfd:"), []byte("/proc/self/fd/3"), []byte("/"), nil}, bpf.SensorExeFlagsEXE_MEMORY,
			Process{Executable: "memfd:", Invoked: "/proc/self/fd/3", Directory: "/"},
		},
		"a file named like memory": {
			ExecStrings{[]byte("/memfd:hidden"), []byte("/memfd:hidden"), []byte("/"), nil}, bpf.SensorExeFlagsEXE_DELETED,
			Process{Executable: "/memfd:hidden", Invoked: "/memfd:hidden", Directory: "/"},
		},
		"no name": {
			ExecStrings{[]byte("/a"), nil, []byte("/"), nil}, 0,
			Process{Executable: "/a", Directory: "/"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			e := &bpf.SensorExecEvent{Head: shell.head(), ExeFlags: uint32(tc.flags), Session: 7,
				Tty: [16]int8{'p', 't', 's', '3'}}
			e.Head.Uid, e.Head.Euid, e.Head.Gid, e.Head.Egid = 1, 2, 3, 4
			p := w.Exec(e, tc.strings)
			want := tc.want
			want.Key, want.EntityID, want.Started = p.Key, p.EntityID, p.Started
			want.Session, want.TTY = 7, "pts3"
			want.UID, want.EUID, want.GID, want.EGID = 1, 2, 3, 4
			want.programs = 1
			assert.Equal(t, want, *p)
		})
	}
}

func TestAncestors(t *testing.T) {
	w := withInit(t)
	parent := w.start(initial, shell, "/bin/sh")
	p := w.start(shell, child, "/bin/ls")
	list, ids := p.Ancestors()
	assert.Equal(t, []string{"/bin/sh[100]", "/sbin/init[1]"}, list)
	assert.Equal(t, []string{parent.EntityID, parent.Parent.EntityID}, ids)

	w.exec(initial, shell, "/bin/bash")
	list, again := p.Ancestors()
	assert.Equal(t, []string{"/bin/bash[100]", "/sbin/init[1]"}, list, "after the parent ran another program")
	assert.Equal(t, ids, again)
	same, _ := p.Ancestors()
	assert.Same(t, &list[0], &same[0], "nothing changed: nothing is made anew")

	w.exec(who{}, initial, "/lib/systemd/systemd")
	list, _ = p.Ancestors()
	assert.Equal(t, []string{"/bin/bash[100]", "/lib/systemd/systemd[1]"}, list, "after a grandparent's")

	list, ids = w.byPID[initial.pid].Ancestors()
	assert.Empty(t, list)
	assert.Empty(t, ids)
}

func TestLongChainsAreBounded(t *testing.T) {
	w := withInit(t)
	last := initial
	const generations = 5 * maxDepth
	for i := range uint64(generations) {
		next := who{uint32(1000 + i), 100 + i}
		p := w.start(last, next, fmt.Sprintf("/bin/p%d", i))
		require.LessOrEqual(t, len(names(p)), maxDepth)
		require.GreaterOrEqual(t, len(names(p)), min(int(i)+1, maxDepth/2), "lineage is cut no more than needed")
		// A branch off every generation must not disturb the chain.
		branch := w.fork(next, who{uint32(10000 + i), 100 + i})
		require.LessOrEqual(t, len(names(branch)), maxDepth)
		w.exit(last)
		last = next
	}
	list, ids := w.byPID[last.pid].Ancestors()
	require.Len(t, list, maxAncestors)
	require.Len(t, ids, maxAncestors)
	assert.Equal(t, fmt.Sprintf("/bin/p%d[%d]", generations-2, last.pid-1), list[0])
	assert.Equal(t, fmt.Sprintf("/bin/p%d[%d]", generations-1-maxAncestors, last.pid-maxAncestors), list[maxAncestors-1])
}

func TestForget(t *testing.T) {
	t.Run("by age", func(t *testing.T) {
		w := withInit(t)
		w.start(initial, shell, "/bin/sh")
		w.exit(shell)
		w.Forget(shell.nanos() + keepExited)
		assert.Equal(t, 2, w.Len(), "an ended process is known for a while")
		assert.Equal(t, "/bin/sh", w.get(shell).Executable)
		w.Forget(shell.nanos() + keepExited + 1)
		assert.Equal(t, 1, w.Len())
		assert.NotContains(t, w.byPID, shell.pid)
		assert.Empty(t, w.gone)
	})
	t.Run("an exit that is told twice", func(t *testing.T) {
		w := withInit(t)
		w.start(initial, shell, "/bin/sh")
		w.exit(shell)
		w.exit(shell)
		assert.Len(t, w.gone, 1)
	})
	t.Run("the exit of an unknown process", func(t *testing.T) {
		w := withInit(t)
		p := w.exit(shell)
		assert.True(t, p.exited)
		w.Forget(shell.nanos() + 2*keepExited)
		assert.Equal(t, 1, w.Len())
	})
	t.Run("by number", func(t *testing.T) {
		w := withInit(t)
		for i := range uint64(maxExited + 10) {
			p := who{uint32(1000 + i), 100}
			w.fork(initial, p)
			w.exit(p)
		}
		w.Forget(100 * tick)
		assert.Equal(t, maxExited+1, w.Len())
		assert.NotContains(t, w.byPID, uint32(1009), "the oldest go first")
		assert.Contains(t, w.byPID, uint32(1010))
		assert.Empty(t, w.byPID[initial.pid].children)
	})
	t.Run("those whose end was lost", func(t *testing.T) {
		w := withInit(t)
		alive := 0
		for i := range uint64(minSweep) {
			p := who{uint32(1000 + i), 100}
			w.fork(initial, p)
			switch i % 4 {
			case 0:
				w.host.runs(p, initial.pid, "/bin/x")
				alive++
			case 1: // its id belongs to another by now
				w.host.runs(who{p.pid, 200}, initial.pid, "/bin/y")
			}
		}
		now := 300 * tick
		w.Forget(now)
		w.Forget(now + keepExited + 1)
		assert.Equal(t, alive+1, w.Len(), "init and those that /proc shows")
		assert.Len(t, w.byPID[initial.pid].children, alive)
	})
}

func TestContainer(t *testing.T) {
	const box = "c0ffee"
	inCgroup := func(p who, cgroup uint64) *bpf.SensorEventHead {
		head := p.head()
		head.Cgroup = cgroup
		return &head
	}
	t.Run("asked once for a cgroup", func(t *testing.T) {
		w := newWorld(t)
		w.host.containers = map[uint32]string{shell.pid: box, child.pid: "wrong"}
		for range 3 {
			p := w.Get(inCgroup(shell, 5))
			assert.Equal(t, box, p.ContainerID)
			assert.Equal(t, "docker", p.ContainerRuntime)
		}
		assert.Equal(t, box, w.Get(inCgroup(child, 5)).ContainerID)
		assert.Equal(t, 1, w.host.asked)
	})
	t.Run("a process that moves", func(t *testing.T) {
		w := newWorld(t)
		w.host.containers = map[uint32]string{shell.pid: ""}
		assert.Empty(t, w.Get(inCgroup(shell, 5)).ContainerID)
		w.host.containers[shell.pid] = box
		assert.Equal(t, box, w.Get(inCgroup(shell, 6)).ContainerID)
		assert.Empty(t, w.Get(inCgroup(shell, 5)).ContainerID)
		assert.Empty(t, w.Get(inCgroup(shell, 5)).ContainerRuntime)
	})
	t.Run("asked again when the process was gone", func(t *testing.T) {
		w := newWorld(t)
		assert.Empty(t, w.Get(inCgroup(shell, 5)).ContainerID)
		w.host.containers[child.pid] = box
		assert.Equal(t, box, w.Get(inCgroup(child, 5)).ContainerID)
		assert.Equal(t, box, w.Get(inCgroup(shell, 5)).ContainerID)
		assert.Equal(t, 2, w.host.asked)
	})
	t.Run("children have the parent's without asking", func(t *testing.T) {
		w := newWorld(t)
		w.host.containers[shell.pid] = box
		w.Get(inCgroup(shell, 5))
		p := w.Fork(&bpf.SensorForkEvent{Head: *inCgroup(child, 5), Parent: shell.asParent()})
		assert.Equal(t, box, p.ContainerID)
		assert.Equal(t, "docker", p.ContainerRuntime)
		assert.Equal(t, 1, w.host.asked)
	})
	t.Run("bounded", func(t *testing.T) {
		w := newWorld(t)
		w.host.containers[shell.pid] = box
		for cgroup := range uint64(maxContainers + 1) {
			w.Get(inCgroup(shell, cgroup+1))
			require.LessOrEqual(t, len(w.containers), maxContainers)
		}
		assert.Equal(t, box, w.Get(inCgroup(shell, 3)).ContainerID)
	})
}

func TestClockIsSet(t *testing.T) {
	w := withInit(t)
	before := w.start(initial, shell, "/bin/sh")
	later := boot.Add(time.Hour)
	w.SetBoot(later)
	assert.Equal(t, later.Add(3), w.Time(3))
	assert.Equal(t, boot.Add(time.Duration(shell.nanos())), before.Started, "what was told stays")
	assert.Equal(t, later.Add(time.Duration(child.nanos())), w.fork(shell, child).Started)
}

// model is the table's promise in the simplest words: who is known, and whose child each one is.
type model struct {
	parent map[Key]Key
	first  map[Key]string // the program, or of whom it is the copy
	ended  map[Key]uint64
}

// TestModel compares random histories with the model: forks, execs, exits and ids that are used again,
// some of them before the end of their holder was told.
func TestModel(t *testing.T) {
	for range 8 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { randomHistory(t, seed) })
	}
}

func randomHistory(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	w := withInit(t)
	m := model{parent: map[Key]Key{}, first: map[Key]string{initial.key(): "/sbin/init"}, ended: map[Key]uint64{}}
	living := []who{initial}
	die := func(i int, at uint64) who {
		p := living[i]
		m.ended[p.key()] = at
		living = append(living[:i], living[i+1:]...)
		return p
	}
	now := uint64(100)
	for step := range 2000 {
		now += 1 + random.Uint64N(20)
		at := random.IntN(len(living))
		p := living[at]
		switch action := random.IntN(10); {
		case action < 5 && len(living) < 60:
			// Few ids, so that they come round while their holders live: then their end was lost.
			next := who{uint32(2 + random.IntN(80)), now}
			if next.pid == p.pid {
				continue
			}
			for i, holder := range living {
				if holder.pid == next.pid {
					die(i, next.nanos())
					break
				}
			}
			w.fork(p, next)
			m.parent[next.key()], m.first[next.key()] = p.key(), m.first[p.key()]
			living = append(living, next)
		case action < 7:
			program := fmt.Sprintf("/bin/%d", step)
			w.exec(who{}, p, program)
			m.first[p.key()] = program
		case action < 9 && at != 0:
			die(at, now*tick)
			w.exitAt(p, now*tick)
		default:
			w.Forget(now * tick)
			for key, end := range m.ended {
				if end+keepExited < now*tick {
					delete(m.ended, key)
				}
			}
			require.Equal(t, len(living)+len(m.ended), w.Len(), "step %d", step)
		}
		m.compare(t, w, living[random.IntN(len(living))], step)
	}
}

// compare checks the lineage up to where the table may cut it.
func (m model) compare(t *testing.T, w world, p who, step int) {
	t.Helper()
	have := w.byKey[p.key()]
	require.NotNil(t, have, "step %d: %v", step, p)
	require.Equal(t, m.first[p.key()], have.Executable, "step %d: %v", step, p)
	var want []string
	for key, ok := m.parent[p.key()]; ok && len(want) < maxAncestors; key, ok = m.parent[key] {
		want = append(want, fmt.Sprintf("%s[%d]", m.first[key], key.PID))
	}
	list, ids := have.Ancestors()
	require.Equal(t, strings.Join(want, "\n"), strings.Join(list, "\n"), "step %d: %v", step, p)
	require.Len(t, ids, len(list))
}
