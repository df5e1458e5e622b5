// SPDX-License-Identifier: Apache-2.0

// Package agent runs the program itself for tests of what leaves it.
package agent

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/internal/port"
)

// Patience is how long a test waits for what has to come; it is no measure of speed.
const Patience = 2 * time.Minute

// built is the program: VEDETTE_BIN, or one that is built once in the test's process.
var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("VEDETTE_BIN"); path != "" {
		return filepath.Abs(path)
	}
	root, err := ring.ModuleRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "build", "test", "vedette")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/vedette")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the agent: %w: %s", err, out)
	}
	return path, nil
})

// lockedBuffer takes what a process says while the test looks at it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Agent is the running program, which may be killed and started again.
type Agent struct {
	t    testing.TB
	args []string
	env  []string
	cmd  *exec.Cmd
	said *lockedBuffer
}

// Start runs the program with configurations, each a file or yaml:TEXT, and more environment variables, until the
// test ends.
func Start(t testing.TB, configs, env []string) *Agent {
	t.Helper()
	a := &Agent{t: t, env: env, said: &lockedBuffer{}}
	for _, c := range configs {
		a.args = append(a.args, "--config", c)
	}
	t.Cleanup(func() {
		a.Kill()
		if t.Failed() {
			said := a.Said()
			t.Logf("the agent said:\n%s", said[max(0, len(said)-6000):])
		}
	})
	a.Up()
	return a
}

// Up starts the program, and waits until it is ready.
func (a *Agent) Up() {
	a.t.Helper()
	program, err := built()
	require.NoError(a.t, err)
	const ready = "Everything is ready"
	before := strings.Count(a.Said(), ready)
	a.cmd = exec.Command(program, a.args...)
	a.cmd.Env = append(os.Environ(), a.env...)
	a.cmd.Stdout, a.cmd.Stderr = io.Discard, a.said
	require.NoError(a.t, a.cmd.Start())
	require.Eventually(a.t, func() bool { return strings.Count(a.Said(), ready) > before },
		Patience, 20*time.Millisecond, "the agent did not become ready")
}

// Said is what the program has written to standard error.
func (a *Agent) Said() string { return a.said.String() }

// Kill ends the program as a power failure would.
func (a *Agent) Kill() {
	if a.cmd != nil && a.cmd.ProcessState == nil {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
	}
}

// Stop ends the program in order.
func (a *Agent) Stop() {
	a.t.Helper()
	require.NoError(a.t, a.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(a.t, a.cmd.Wait())
}

// Resident is the memory of the program, in MiB.
func (a *Agent) Resident() int {
	a.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", a.cmd.Process.Pid))
	require.NoError(a.t, err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(a.t, err)
	return pages * os.Getpagesize() >> 20
}

// FreePort returns a port of this machine that nothing listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	free, err := port.Free()
	require.NoError(t, err)
	return free
}
