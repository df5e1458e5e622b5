// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
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
)

// sign is memory that the test and its workers share: which set is in force, and whether to go on.
type sign struct{ memory []byte }

func openSign() (sign, error) {
	fd, err := unix.Open(stormRoot+"/sign", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return sign{}, err
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, 4096); err != nil {
		return sign{}, err
	}
	memory, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return sign{memory}, err
}

func (s sign) word(i int) *uint64 { return (*uint64)(unsafe.Pointer(&s.memory[8*i])) }

// turn is odd while a set is being loaded; half of it is the number of the set.
func (s sign) turn() uint64  { return atomic.LoadUint64(s.word(0)) }
func (s sign) next()         { atomic.AddUint64(s.word(0), 1) }
func (s sign) stop()         { atomic.StoreUint64(s.word(1), 1) }
func (s sign) stopped() bool { return atomic.LoadUint64(s.word(1)) != 0 }

// worker acts as fast as it can and knows what must become of each act.
type worker struct {
	sign
	name                  string
	tried, refused, wrong uint64
	first                 string // of what was wrong
}

// judge does something that the first or second set refuses, or both or none.
func (w *worker) judge(what string, first, second bool, act func() error) {
	before := w.turn()
	err := act()
	after := w.turn()
	is := errors.Is(err, unix.EPERM)
	right := is == first || is == second
	if before == after && before%2 == 0 {
		right = is == [2]bool{first, second}[before/2%2]
	}
	w.tried++
	if is {
		w.refused++
	}
	if !right || err != nil && !is {
		w.wrong++
		w.first = fmt.Sprintf("%s ended with %v in turn %d to %d", what, err, before, after)
	}
}

func (w *worker) must(what string, act func() error) { w.judge(what, false, false, act) }
func (w *worker) not(what string, act func() error)  { w.judge(what, true, true, act) }

func opensAt(name string, flags int) func() error {
	return func() error {
		fd, err := unix.Open(name, flags, 0o600)
		return errors.Join(err, closed(fd))
	}
}

// trustedRound is what the trusted program does.
func (w *worker) trustedRound() {
	file := filepath.Join(stormRoot, "guarded", w.name)
	w.must("open", opensAt(file, unix.O_WRONLY))
	w.must("link", func() error { return unix.Link(file, file+".link") })
	w.must("rename", func() error { return unix.Rename(file+".link", file+".moved") })
	w.must("unlink", func() error { return unix.Unlink(file + ".moved") })
}

// strangerRound is what anybody else does.
func (w *worker) strangerRound() {
	guarded, own := filepath.Join(stormRoot, "guarded", w.name), filepath.Join(stormRoot, "free", w.name)
	first, second := filepath.Join(stormRoot, "first", w.name), filepath.Join(stormRoot, "second", w.name)
	w.not("open guarded", opensAt(guarded, unix.O_WRONLY))
	w.not("rename guarded", func() error { return unix.Rename(guarded, own+"/x") })
	w.not("link guarded", func() error { return unix.Link(guarded, own+"/x") })
	w.not("unlink guarded", func() error { return unix.Unlink(guarded) })
	w.must("create", opensAt(own+"/f", unix.O_WRONLY|unix.O_CREAT))
	w.must("link", func() error { return unix.Link(own+"/f", own+"/l") })
	w.must("rename", func() error { return unix.Rename(own+"/l", own+"/m") })
	w.must("unlink", func() error { return errors.Join(unix.Unlink(own+"/m"), unix.Unlink(own+"/f")) })
	w.judge("open first", true, false, opensAt(first, unix.O_WRONLY))
	w.judge("open second", false, true, opensAt(second, unix.O_WRONLY))
	w.not("rename first to second", func() error { return unix.Rename(first, second+".x") })
	linked := filepath.Join(stormRoot, "written", w.name)
	w.must("link what must not be written", func() error { return unix.Link(linked, own+"/alias") })
	w.not("write it by its new name", opensAt(own+"/alias", unix.O_WRONLY))
	w.must("unlink its new name", func() error { return unix.Unlink(own + "/alias") })
}

func init() {
	acts["storm"] = func(args []string) error {
		runtime.LockOSThread()
		s, err := openSign()
		if err != nil {
			return err
		}
		// So that the one who loads policies gets its share of the guest's few processors.
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 10); err != nil {
			return err
		}
		w := &worker{sign: s, name: args[1]}
		round := map[string]func(){"trusted": w.trustedRound, "stranger": w.strangerRound}[args[0]]
		for !s.stopped() {
			round()
		}
		_, err = fmt.Printf("%d %d %d %s\n", w.tried, w.refused, w.wrong, w.first)
		return err
	}
}

// storm is workers that run.
type storm struct {
	sign
	commands []*exec.Cmd
	said     []io.Reader
}

func startStorm(t *testing.T) *storm {
	t.Helper()
	for _, dir := range []string{"guarded", "free", "first", "second", "written"} {
		require.NoError(t, os.MkdirAll(filepath.Join(stormRoot, dir), 0o755))
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(stormRoot)) })
	var s storm
	var err error
	s.sign, err = openSign()
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

func (s *storm) begin(t *testing.T) {
	t.Helper()
	for i := range stormWorkers {
		program, kind := stranger, "stranger"
		if i%4 == 0 {
			program, kind = trusted, "trusted"
		}
		c := command(program, "storm", kind, strconv.Itoa(i))
		out, err := c.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, c.Start())
		s.commands, s.said = append(s.commands, c), append(s.said, out)
	}
}

// end gives the sums of what the workers say.
func (s *storm) end(t *testing.T) (tried, refused uint64) {
	t.Helper()
	s.stop()
	for i, c := range s.commands {
		line, err := bufio.NewReader(s.said[i]).ReadString('\n')
		require.NoError(t, err)
		var one worker
		_, err = fmt.Sscan(line, &one.tried, &one.refused, &one.wrong)
		require.NoError(t, err, line)
		assert.Zero(t, one.wrong, "wrong verdicts of %d: %s", one.tried, strings.TrimSpace(line))
		assert.NotZero(t, one.tried)
		tried, refused = tried+one.tried, refused+one.refused
		require.NoError(t, c.Wait())
	}
	return tried, refused
}

// stormSets are two sets that differ in what one rule protects.
func stormSets(t *testing.T) [2]*policy.Set {
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
	s := startStorm(t)
	sets := stormSets(t)
	drain(t, e)
	lost := e.Status().Lost
	require.NoError(t, e.Load(sets[0]))
	t.Cleanup(func() { require.NoError(t, e.Load(&policy.Set{})) })
	denied := stormDenied(e)
	told := startTally(e)
	s.begin(t)
	begun := time.Now()
	for i := range *stormReloads {
		s.next()
		require.NoError(t, e.Load(sets[(i+1)%2]))
		s.next()
	}
	tried, refused := s.end(t)
	took := time.Since(begun)
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
	t.Logf("%d acts in %s, %.0f a second, during %d loads; %d refused, %d told, %d lost", tried, took, float64(tried)/took.Seconds(),
		*stormReloads, refused, told.told, lost)
	assert.Equal(t, refused, denied, "each refusal is counted")
	assert.Equal(t, refused, told.told+lost, "each refusal is told, or counted as lost")
}

func stormDenied(e *Enforcer) (sum uint64) {
	for _, s := range e.Status().Rules {
		sum += s.Denied
	}
	return sum
}
