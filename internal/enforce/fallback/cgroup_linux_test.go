// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// inCgroup runs a program in a new cgroup, and tells what became of it.
func inCgroup(t *testing.T, e *Enforcer, path, name string, args ...string) string {
	t.Helper()
	full := e.kernel.cgroupRoot
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		full = filepath.Join(full, part)
		dir := full
		if err := os.Mkdir(full, 0o755); err == nil {
			t.Cleanup(func() { _ = os.Remove(dir) })
		}
	}
	c := command("/bin/sh", append([]string{"-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, full, name}, args...)...)
	if err := c.Run(); err == nil {
		return "ok"
	}
	return unix.ErrnoName(syscall.Errno(c.ProcessState.ExitCode()))
}

func TestUnitsAndContainersAreKnownByTheirCgroups(t *testing.T) {
	ring.Require(t, ring.Native)
	confined, port := copyOf(t, "confined"), strconv.Itoa(listener(t))
	id := strings.Repeat("0123456789abcdef", 4)
	e := loadedWith(t, `
policy: places
mode: enforce
rules:
  - name: out
    network: {operations: [connect], deny: ["127.0.0.1:%s"]}
    who: [{executable: %s, unit: vedette-test.service}, {executable: %[2]s, container: %[3]s}]
`, port, confined, id[:12])
	for _, one := range []struct{ path, want, why string }{
		{"/vedette-test.service", "EPERM", "the unit"},
		{"/vedette.slice/vedette-test.service", "EPERM", "in a slice"},
		{"/vedette.service/vedette-test.service", "ok", "what is below a unit is no unit"},
		{"/vedette-other.service", "ok", "another unit"},
		{"/docker-" + id + ".scope", "EPERM", "the container"},
		{"/vedette.slice/" + id, "EPERM", "by its bare id"},
		{"/docker-" + strings.Repeat("f", 64) + ".scope", "ok", "another container"},
	} {
		assert.Equal(t, one.want, inCgroup(t, e, one.path, confined, "connect", port), one.why)
	}
}

func TestWhatIsInAUnitIsProtected(t *testing.T) {
	ring.Require(t, ring.Native)
	daemon, intruder := copyOf(t, "daemon"), copyOf(t, "intruder")
	e := loadedWith(t, `
policy: service
mode: enforce
rules:
  - {name: processes, processes: {units: [vedette-victim.service], operations: [signal]}, who: [{executable: %s}]}
`, intruder)
	dir := filepath.Join(e.kernel.cgroupRoot, "vedette-victim.service")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	t.Cleanup(func() { _ = os.Remove(dir) })
	pid := strconv.Itoa(victim(t, daemon))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(pid), 0o600))
	assert.Equal(t, "SIGKILL", outcome(t, intruder, "kill", pid))
}
