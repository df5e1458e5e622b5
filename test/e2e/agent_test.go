// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

// patience is how long a test waits for what has to come; it is no measure of speed.
const patience = 3 * time.Minute

// endAtOnce makes the test binary a program that does nothing.
const endAtOnce = "VEDETTE_TEST_END"

func TestMain(m *testing.M) {
	if os.Getenv(endAtOnce) != "" {
		os.Exit(0)
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the program under test, made once.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// program gives the path of the vedette binary: VEDETTE_BIN, the one a guest was given, or one that
// is built now.
func program(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.path = os.Getenv("VEDETTE_BIN"); built.path != "" {
			built.path, built.err = filepath.Abs(built.path)
			return
		}
		if ring.InGuest() {
			built.path, built.err = exec.LookPath("vedette")
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "vedette-e2e"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "vedette")
		cmd := exec.Command("go", "build", "-o", built.path, "../../cmd/vedette")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	require.NoError(t, built.err)
	return built.path
}

// agent is a running vedette.
type agent struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    string
	stderr lockedBuffer
	read   int64
	marks  int
}

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

const shippedConfig = "../../config/vedette.yaml"

func startAgent(t *testing.T, extra ...string) *agent {
	t.Helper()
	return startAgentWith(t, shippedConfig, extra...)
}

func startAgentWith(t *testing.T, config string, extra ...string) *agent {
	t.Helper()
	dir := t.TempDir()
	a := &agent{t: t, log: filepath.Join(dir, "alerts.jsonl")}
	a.cmd = exec.Command(program(t), append([]string{"--config", config}, extra...)...)
	a.cmd.Env = append(os.Environ(), "VEDETTE_LOG_DIR="+dir, "VEDETTE_RUN_DIR="+dir)
	a.cmd.Stderr = &a.stderr
	a.cmd.Stdout = io.Discard
	require.NoError(t, a.cmd.Start())
	t.Cleanup(func() {
		if a.cmd.ProcessState == nil {
			a.stop(syscall.SIGTERM)
		}
		if t.Failed() {
			t.Logf("the agent said:\n%s", a.stderr.String())
		}
	})
	require.Eventually(t, func() bool {
		return strings.Contains(a.stderr.String(), "Everything is ready")
	}, patience, 20*time.Millisecond, "the agent did not become ready")
	a.settle() // the agent reports what it finds on the host when it starts
	return a
}

// stop ends the agent and gives how it ended.
func (a *agent) stop(signal syscall.Signal) error {
	_ = a.cmd.Process.Signal(signal)
	return a.cmd.Wait()
}

// alert is what the tests look at in a line of the security log.
type alert struct {
	Time    time.Time `json:"@timestamp"`
	Message string    `json:"message"`
	Rule    struct {
		Name string `json:"name"`
	} `json:"rule"`
	Log struct {
		Level string `json:"level"`
	} `json:"log"`
	Threat struct {
		Technique struct {
			ID           []string `json:"id"`
			Subtechnique struct {
				ID []string `json:"id"`
			} `json:"subtechnique"`
		} `json:"technique"`
	} `json:"threat"`
	Process struct {
		PID        int      `json:"pid"`
		Executable string   `json:"executable"`
		Command    string   `json:"command_line"`
		Ancestors  []string `json:"ancestors"`
		User       struct {
			Name string `json:"name"`
		} `json:"user"`
	} `json:"process"`
	Source      end `json:"source"`
	Destination end `json:"destination"`
	File        struct {
		Path string `json:"path"`
	} `json:"file"`
	seen time.Time
}

type end struct {
	IP   string `json:"ip"`
	Port int    `json:"port"`
}

func (a alert) String() string {
	return fmt.Sprintf("%s (%s): %s", a.Rule.Name, a.Process.Executable, a.Message)
}

// next gives the alerts that were written since it was last asked, of those that this test and what
// it started caused: others may be at work on the host.
func (a *agent) next() []alert {
	a.t.Helper()
	f, err := os.Open(a.log)
	if err != nil {
		return nil
	}
	defer f.Close()
	_, err = f.Seek(a.read, io.SeekStart)
	require.NoError(a.t, err)
	self := fmt.Sprintf("[%d]", os.Getpid())
	var out []alert
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return out // a line without its end is still being written
		}
		a.read += int64(len(line))
		one := alert{seen: time.Now()}
		require.NoError(a.t, json.Unmarshal([]byte(line), &one), line)
		if strings.Contains(strings.Join(one.Process.Ancestors, " "), self) {
			out = append(out, one)
		}
	}
}

// wait gives the alerts up to and with the first that matches.
func (a *agent) wait(what string, match func(alert) bool) []alert {
	a.t.Helper()
	var all []alert
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, one := range a.next() {
			all = append(all, one)
			if match(one) {
				return all
			}
		}
	}
	require.Fail(a.t, "no alert for "+what, "there were: %v", all)
	return nil
}

// settle gives the alerts for all that happened until now. It runs a program from shared memory,
// which is an alert of its own: alerts come in the order of their events, so those before it are all.
func (a *agent) settle() []alert {
	a.t.Helper()
	a.marks++
	name := fmt.Sprintf("/dev/shm/vedette-test-%d-%d", os.Getpid(), a.marks)
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(a.t, err)
	require.NoError(a.t, os.WriteFile(name, self, 0o700))
	defer os.Remove(name)
	cmd := exec.Command(name)
	cmd.Env = append(os.Environ(), endAtOnce+"=1")
	require.NoError(a.t, cmd.Run())
	all := a.wait(name, func(one alert) bool { return one.Process.Executable == name })
	return all[:len(all)-1]
}

// need skips the test where a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			ring.Cannot(t, name+" is not installed")
		}
	}
}
