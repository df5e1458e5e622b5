// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

var stormReloads = flag.Int("reloads", 15, "how often policies are loaded during the storm")

const (
	stormWorkers = 16
	stormRoot    = "/opt/storm"
	stormAlone   = 64 // acts that each set alone judges, between two loads

	stormToldAfter = 100 // loads
)

// sheet is memory that the test and its workers share: which set is in force, whether to go on, and what became of the acts.
type sheet struct {
	turn   uint64 // odd while a set is being loaded; half of it is the number of the set
	ended  uint64
	scores [stormWorkers]score
}

// score is what one worker counts.
type score struct {
	tried, refused, wrong uint64
	alone                 uint64 // acts that one set alone judged, which the other one judges differently

	step, number, before, after uint64 // of what was wrong first
}

func openSheet() (*sheet, error) {
	fd, err := unix.Open(stormRoot+"/sheet", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, int64(unsafe.Sizeof(sheet{}))); err != nil {
		return nil, err
	}
	memory, err := unix.Mmap(fd, 0, int(unsafe.Sizeof(sheet{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*sheet)(unsafe.Pointer(&memory[0])), nil
}

// next begins a turn.
func (s *sheet) next() { atomic.AddUint64(&s.turn, 1) }

// sum adds up what the workers counted.
func (s *sheet) sum(what func(*score) *uint64) (sum uint64) {
	for i := range s.scores {
		sum += atomic.LoadUint64(what(&s.scores[i]))
	}
	return sum
}

// stormStep is a system call of a worker, and whether the first and the second set refuse it.
type stormStep struct {
	what      string
	call      uintptr
	arguments [3]uintptr
	refused   [2]bool
}

// worker acts as fast as it can and knows what must become of each act. Between two acts nothing is allocated and nobody is told.
type worker struct {
	*sheet
	*score
	steps []stormStep
	names [][]byte // that steps point to
}

func (w *worker) name(parts ...string) uintptr {
	name := append([]byte(filepath.Join(parts...)), 0)
	w.names = append(w.names, name)
	return uintptr(pointer(name))
}

func (w *worker) add(what string, call uintptr, first, second bool, arguments ...uintptr) {
	s := stormStep{what: what, call: call, refused: [2]bool{first, second}}
	copy(s.arguments[:], arguments)
	w.steps = append(w.steps, s)
}

func (w *worker) must(what string, call uintptr, arguments ...uintptr) {
	w.add(what, call, false, false, arguments...)
}

func (w *worker) not(what string, call uintptr, arguments ...uintptr) {
	w.add(what, call, true, true, arguments...)
}

// trustedRound is what the trusted program does.
func (w *worker) trustedRound(name string) {
	file, link, moved := w.name(stormRoot, "guarded", name), w.name(stormRoot, "guarded", name+".link"), w.name(stormRoot, "guarded", name+".moved")
	w.must("open", unix.SYS_OPEN, file, unix.O_WRONLY)
	w.must("link", unix.SYS_LINK, file, link)
	w.must("rename", unix.SYS_RENAME, link, moved)
	w.must("unlink", unix.SYS_UNLINK, moved)
}

// freeRound is what no policy is about.
func (w *worker) freeRound(name string) {
	own := func(file string) uintptr { return w.name(stormRoot, "free", name, file) }
	w.must("create", unix.SYS_OPEN, own("f"), unix.O_WRONLY|unix.O_CREAT, 0o600)
	w.must("link", unix.SYS_LINK, own("f"), own("l"))
	w.must("rename", unix.SYS_RENAME, own("l"), own("m"))
	w.must("unlink", unix.SYS_UNLINK, own("m"))
	w.must("unlink the other name", unix.SYS_UNLINK, own("f"))
}

// strangerRound is what anybody else does.
func (w *worker) strangerRound(name string) {
	guarded, written := w.name(stormRoot, "guarded", name), w.name(stormRoot, "written", name)
	first, second := w.name(stormRoot, "first", name), w.name(stormRoot, "second", name)
	own := func(file string) uintptr { return w.name(stormRoot, "free", name, file) }
	w.not("open guarded", unix.SYS_OPEN, guarded, unix.O_WRONLY)
	w.not("rename guarded", unix.SYS_RENAME, guarded, own("x"))
	w.not("link guarded", unix.SYS_LINK, guarded, own("x"))
	w.not("unlink guarded", unix.SYS_UNLINK, guarded)
	w.freeRound(name)
	w.add("open first", unix.SYS_OPEN, true, false, first, unix.O_WRONLY)
	w.add("open second", unix.SYS_OPEN, false, true, second, unix.O_WRONLY)
	w.not("rename first to second", unix.SYS_RENAME, first, w.name(stormRoot, "second", name+".x"))
	w.must("link what must not be written", unix.SYS_LINK, written, own("alias"))
	w.not("write it by its new name", unix.SYS_OPEN, own("alias"), unix.O_WRONLY)
	w.must("unlink its new name", unix.SYS_UNLINK, own("alias"))
}

// perform does a step. What races with a load is judged by the set before it or by the one after it.
func (w *worker) perform(i int) {
	s := &w.steps[i]
	before := atomic.LoadUint64(&w.turn)
	result, _, number := unix.RawSyscall(s.call, s.arguments[0], s.arguments[1], s.arguments[2])
	after := atomic.LoadUint64(&w.turn)
	if number == 0 && s.call == unix.SYS_OPEN {
		unix.RawSyscall(unix.SYS_CLOSE, result, 0, 0)
	}
	is := number == unix.EPERM
	right := is == s.refused[0] || is == s.refused[1]
	if before == after && before%2 == 0 {
		right = is == s.refused[before/2%2]
		if s.refused[0] != s.refused[1] {
			atomic.AddUint64(&w.alone, 1)
		}
	}
	atomic.AddUint64(&w.tried, 1)
	if is {
		atomic.AddUint64(&w.refused, 1)
	}
	if (!right || number != 0 && !is) && atomic.AddUint64(&w.wrong, 1) == 1 {
		w.step, w.number, w.before, w.after = uint64(i), uint64(number), before, after
	}
}

func newWorker(s *sheet, kind string, number int) *worker {
	w := &worker{sheet: s, score: &s.scores[number]}
	map[string]func(string){"trusted": w.trustedRound, "stranger": w.strangerRound, "free": w.freeRound}[kind](strconv.Itoa(number))
	return w
}

func init() {
	acts["storm"] = func(args []string) error {
		s, err := openSheet()
		if err != nil {
			return err
		}
		number, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		// So that the one who loads policies gets its share of the guest's few processors.
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 19); err != nil {
			return err
		}
		w := newWorker(s, args[0], number)
		for atomic.LoadUint64(&s.ended) == 0 {
			for i := range w.steps {
				w.perform(i)
			}
		}
		return nil
	}
}

// storm is workers that run.
type storm struct {
	*sheet
	commands []*exec.Cmd
}

func newStorm(t testing.TB) *storm {
	t.Helper()
	for _, dir := range []string{"guarded", "free", "first", "second", "written"} {
		require.NoError(t, os.MkdirAll(filepath.Join(stormRoot, dir), 0o755))
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(stormRoot)) })
	var s storm
	var err error
	s.sheet, err = openSheet()
	require.NoError(t, err)
	for i := range stormWorkers {
		name := strconv.Itoa(i)
		for _, dir := range []string{"guarded", "first", "second", "written"} {
			require.NoError(t, os.WriteFile(filepath.Join(stormRoot, dir, name), nil, 0o644))
		}
		require.NoError(t, os.Mkdir(filepath.Join(stormRoot, "free", name), 0o755))
	}
	return &s
}

func kindOf(number int) (program, kind string) {
	if number%4 == 0 {
		return trusted, "trusted"
	}
	return stranger, "stranger"
}

// begin returns when all workers work.
func (s *storm) begin(t testing.TB, kindOf func(number int) (program, kind string)) {
	t.Helper()
	*s.sheet, s.commands = sheet{}, nil
	for i := range stormWorkers {
		program, kind := kindOf(i)
		c := command(program, "storm", kind, strconv.Itoa(i))
		// Nothing is to be collected, and nobody to be told that it has run for long.
		c.Env = append(c.Env, "GODEBUG=asyncpreemptoff=1")
		require.NoError(t, c.Start())
		s.commands = append(s.commands, c)
	}
	for i := range s.scores {
		s.await(t, func() bool { return atomic.LoadUint64(&s.scores[i].tried) > 0 })
	}
}

// await returns when something is so.
func (s *storm) await(t testing.TB, is func() bool) {
	t.Helper()
	require.Eventually(t, is, time.Minute, time.Millisecond)
}

// load puts a set in force, for as long as it takes that it alone has judged some acts.
func (s *storm) load(t testing.TB, e *Enforcer, set *policy.Set) {
	t.Helper()
	s.next()
	require.NoError(t, e.Load(set))
	s.next()
	alone := s.alone()
	s.await(t, func() bool { return s.alone() >= alone+stormAlone })
}

func (s *storm) tried() uint64   { return s.sum(func(one *score) *uint64 { return &one.tried }) }
func (s *storm) refused() uint64 { return s.sum(func(one *score) *uint64 { return &one.refused }) }
func (s *storm) wrong() uint64   { return s.sum(func(one *score) *uint64 { return &one.wrong }) }
func (s *storm) alone() uint64   { return s.sum(func(one *score) *uint64 { return &one.alone }) }

// end returns when no worker works any more.
func (s *storm) end(t testing.TB) {
	t.Helper()
	atomic.StoreUint64(&s.ended, 1)
	for i, c := range s.commands {
		require.NoError(t, c.Wait())
		one := &s.scores[i]
		assert.Zero(t, one.wrong, "wrong verdicts of %d acts, the first of which %s", one.tried, s.tell(i))
	}
}

// tell says what was wrong first.
func (s *storm) tell(number int) string {
	_, kind := kindOf(number)
	one := &s.scores[number]
	return fmt.Sprintf("was to %s and ended with %v in turn %d to %d", newWorker(s.sheet, kind, number).steps[one.step].what,
		unix.Errno(one.number), one.before, one.after)
}

// stormSets are two sets that differ in what one rule protects.
func stormSets(t testing.TB) [2]*policy.Set {
	t.Helper()
	var sets [2]*policy.Set
	for i, dir := range []string{"first", "second"} {
		policies, err := policy.Parse("storm.yaml", fmt.Appendf(nil, `
policy: storm
mode: enforce
rules:
  - {name: guarded, files: {paths: [%[1]s/guarded/**], operations: tamper}, allow: [{executable: %[2]s}]}
  - {name: turn, files: {paths: [%[1]s/%[3]s/**], operations: tamper}}
  - {name: written, files: {paths: [%[1]s/written/**], operations: [write]}}
`, stormRoot, trusted, dir))
		require.NoError(t, err)
		sets[i] = &policy.Set{Policies: policies}
	}
	return sets
}

// tally counts verdicts that are told.
type tally struct {
	told uint64
	done sync.WaitGroup
	stop context.CancelFunc
}

func startTally(e *Enforcer) *tally {
	ctx, cancel := context.WithCancel(context.Background())
	c := &tally{stop: cancel}
	c.done.Go(func() { c.read(ctx, e) })
	return c
}

// read returns when the context ends and nothing is left to read.
func (c *tally) read(ctx context.Context, e *Enforcer) {
	for {
		v, err := e.Next(ctx)
		if err != nil {
			return
		}
		c.told += 1 + v.Folded
	}
}

// While policies are replaced each act is judged by one of the two sets, and each refusal is told or counted.
func TestStorm(t *testing.T) {
	ring.Require(t, ring.VM)
	e := shared(t)
	s := newStorm(t)
	sets := stormSets(t)
	drain(t, e)
	lost := e.Status().Lost
	require.NoError(t, e.Load(sets[0]))
	t.Cleanup(func() { require.NoError(t, e.Load(&policy.Set{})) })
	denied := stormDenied(e)
	told := startTally(e)
	s.begin(t, kindOf)
	begun, before := time.Now(), s.tried()
	for i := range *stormReloads {
		s.load(t, e, sets[(i+1)%2])
		if loads := i + 1; loads%stormToldAfter == 0 || loads == *stormReloads {
			took := time.Since(begun)
			t.Logf("%d acts, %.0f a second, during %d loads in %s; %d of those that the sets judge differently by one alone, %d wrong", s.tried(),
				float64(s.tried()-before)/took.Seconds(), loads, took, s.alone(), s.wrong())
		}
	}
	s.end(t)
	denied = stormDenied(e) - denied
	for range 3 { // what was not told of a set is counted when two others have come
		require.NoError(t, e.Load(&policy.Set{}))
	}
	told.stop()
	told.done.Wait()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	told.read(ended, e)
	lost = e.Status().Lost - lost
	t.Logf("of %d acts %d were refused, %d of which told and %d counted as lost", s.tried(), s.refused(), told.told, lost)
	assert.Equal(t, s.refused(), denied, "each refusal is counted")
	assert.Equal(t, s.refused(), told.told+lost, "each refusal is told, or counted as lost")
}

func stormDenied(e *Enforcer) (sum uint64) {
	for _, s := range e.Status().Rules {
		sum += s.Denied
	}
	return sum
}

// BenchmarkStorm tells how many acts a second the machine is good for: acts that policies are not about, without programs for security
// hooks, with them, and with policies, and then acts that they are about.
func BenchmarkStorm(b *testing.B) {
	ring.Require(b, ring.VM)
	require.NoError(b, prepared())
	s := newStorm(b)
	free := func(int) (program, kind string) { return stranger, "free" }
	b.Run("without", func(b *testing.B) { s.measure(b, free) })
	e := shared(b)
	b.Run("attached", func(b *testing.B) { s.measure(b, free) })
	require.NoError(b, e.Load(stormSets(b)[0]))
	told := startTally(e)
	b.Run("beside", func(b *testing.B) { s.measure(b, free) })
	b.Run("judged", func(b *testing.B) { s.measure(b, kindOf) })
	require.NoError(b, e.Load(&policy.Set{}))
	told.stop()
	told.done.Wait()
}

const stormMeasured = 5 * time.Second

func (s *storm) measure(b *testing.B, kindOf func(int) (program, kind string)) {
	for range b.N {
		s.begin(b, kindOf)
		begun, before := time.Now(), s.tried()
		time.Sleep(stormMeasured)
		b.ReportMetric(float64(s.tried()-before)/time.Since(begun).Seconds(), "acts/s")
		s.end(b)
	}
}
