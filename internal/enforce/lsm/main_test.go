// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// Where the tests have their programs: trusted is a copy of the test binary that policies allow.
const (
	programs = "/opt/vedette-test"
	trusted  = programs + "/service"
	stranger = programs + "/stranger"
	second   = programs + "/second"
	script   = programs + "/script"
	unfit    = programs + "/unfit" // no program, though it may be run
)

func TestMain(m *testing.M) {
	if act := os.Getenv(actVariable); act != "" {
		os.Exit(perform(act))
	}
	code := m.Run()
	for _, w := range []waiting{opened.trusted, opened.stranger} {
		if w.command != nil {
			_ = w.in.Close()
			_ = w.command.Wait()
		}
	}
	if opened.enforcer != nil {
		if err := opened.enforcer.Release(); err != nil {
			println("release:", err.Error())
			code = 1
		}
	}
	os.Exit(code)
}

const sharedPins = "/sys/fs/bpf/vedette-shared"

// opened is the one enforcer of all tests: opening one takes a guest's kernel long.
var opened struct {
	once     sync.Once
	enforcer *Enforcer
	err      error

	trusted, stranger waiting // processes that were there before
}

// waiting is a program that waits to be told what to write to.
type waiting struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func wait(program string) (w waiting, err error) {
	w.command = command(program, "wait")
	if w.in, err = w.command.StdinPipe(); err != nil {
		return w, err
	}
	out, err := w.command.StdoutPipe()
	if err != nil {
		return w, err
	}
	w.out = bufio.NewReader(out)
	if err := w.command.Start(); err != nil {
		return w, err
	}
	_, err = w.out.ReadString('\n')
	return w, err
}

// tell gives what became of its writing.
func (w waiting) tell(name string) error {
	if _, err := io.WriteString(w.in, name+"\n"); err != nil {
		return err
	}
	var number int
	if _, err := fmt.Fscanln(w.out, &number); err != nil {
		return err
	}
	if number != done {
		return unix.Errno(number)
	}
	return nil
}

func shared(t testing.TB) *Enforcer {
	t.Helper()
	opened.once.Do(func() {
		opened.err = prepared()
		if opened.err == nil {
			opened.trusted, opened.err = wait(trusted)
		}
		if opened.err == nil {
			opened.stranger, opened.err = wait(stranger)
		}
		if opened.err == nil {
			opened.enforcer, opened.err = Open(Options{Host: policy.NewHost("/"), Pins: sharedPins})
		}
	})
	var ve *ebpf.VerifierError
	if errors.As(opened.err, &ve) {
		t.Logf("%+v", ve)
	}
	require.NoError(t, opened.err)
	return opened.enforcer
}

var prepared = sync.OnceValue(preparePrograms)

// preparePrograms makes them, and lets the clock of file systems go on, so that they count as unchanged.
func preparePrograms() error {
	if err := os.MkdirAll(programs, 0o755); err != nil {
		return err
	}
	for _, name := range []string{trusted, stranger, second} {
		if err := copyFile("/proc/self/exe", name); err != nil {
			return err
		}
	}
	if err := errors.Join(os.WriteFile(script, []byte("#!"+stranger+"\n"), 0o755), os.WriteFile(unfit, []byte("none"), 0o755), prepareModel()); err != nil {
		return err
	}
	info, err := os.Stat(script)
	if err != nil {
		return err
	}
	for {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now); err != nil {
			return err
		}
		if now.Nano() > info.ModTime().UnixNano() {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// load puts policies in force until the test ends.
func load(t *testing.T, e *Enforcer, text string) {
	t.Helper()
	policies, err := policy.Parse("test.yaml", []byte(text))
	require.NoError(t, err)
	require.NoError(t, e.Load(&policy.Set{Policies: policies}))
	t.Cleanup(func() {
		require.NoError(t, e.Load(&policy.Set{}))
		drain(t, e)
	})
}

// next waits for a verdict that is like one that is wanted.
func next(t *testing.T, e *Enforcer, like func(enforce.Verdict) bool) enforce.Verdict {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		v, err := e.Next(ctx)
		require.NoError(t, err, "no such verdict was told")
		if like(v) {
			return v
		}
	}
}

// drain reads what was told and nobody asked for.
func drain(t *testing.T, e *Enforcer) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		if _, err := e.Next(ctx); err != nil {
			require.ErrorIs(t, err, context.Canceled)
			return
		}
	}
}

func TestLoads(t *testing.T) {
	ring.Require(t, ring.VM)
	e := shared(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("content"), 0o644))
	load(t, e, `
policy: test
mode: enforce
rules:
  - name: tree
    files: {paths: [`+dir+`/**], operations: tamper}
    allow: [{executable: `+trusted+`}]
`)
	require.ErrorIs(t, os.Remove(file), unix.EPERM)
	v := next(t, e, func(v enforce.Verdict) bool { return v.Hook == "inode_unlink" })
	require.Equal(t, file, v.Object.Path)
}
