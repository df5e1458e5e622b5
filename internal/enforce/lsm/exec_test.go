// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/policy"
)

func fdOf(file *os.File) string { return strconv.Itoa(int(file.Fd())) }

func init() {
	acts["nothing"] = func([]string) error { return nil }
	acts["map"] = func(args []string) error {
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		_, err = unix.Mmap(int(file.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
		return err
	}
	acts["call"] = func(args []string) error { return kernelCalls[args[0]]() }
	acts["become"] = func(args []string) error { // runs a program in this process
		if err := os.Setenv(actVariable, strings.Join(args[1:], "|")); err != nil {
			return err
		}
		return unix.Exec(args[0], []string{args[0]}, os.Environ())
	}
	acts["fail"] = func(args []string) error { // cannot run what is no program, which the kernel finds out late, and acts
		if err := unix.Exec(unfit, []string{unfit}, nil); !errors.Is(err, unix.ENOEXEC) {
			return fmt.Errorf("run %s: found %v, expected %w", unfit, err, unix.ENOEXEC)
		}
		return acts[args[0]](args[1:])
	}
}

// What a process may do is what its program may, however often it has become another one, or tried to.
func TestExecsOfOneProcess(t *testing.T) {
	ring.Require(t, ring.VM)
	shared(t)
	s := newScene(t)
	load(t, s.e, "policy: turns\nmode: enforce\nrules: [{name: all, files: {paths: ["+s.dir+"/**], operations: tamper}, allow: [{executable: "+trusted+
		", lineage: false}, {executable: "+unfit+", lineage: false}]}]\n")
	for act, want := range map[string]error{
		"become|" + trusted:                                                nil,
		"become|" + trusted + "|become|" + stranger:                        unix.EPERM,
		"become|" + trusted + "|become|" + stranger + "|become|" + trusted: nil,
		"fail":                        unix.EPERM,
		"fail|become|" + trusted:      nil,
		"become|" + trusted + "|fail": nil,
		"become|" + trusted + "|fail|become|" + stranger + "|fail":              unix.EPERM,
		"become|" + stranger + "|fail|fail|become|" + trusted + "|fail":         nil,
		"thread|" + trusted + "|fail|thread|" + stranger + "|thread|" + trusted: nil,
	} {
		assert.ErrorIs(t, runs(stranger, append(strings.Split(act, "|"), "write", s.file)...), want, act)
	}
}

func TestExec(t *testing.T) {
	ring.Require(t, ring.VM)
	shared(t)
	raw, err := os.ReadFile(stranger)
	require.NoError(t, err)
	sum := sha256.Sum256(raw)
	require.NoError(t, copyFile(stranger, "/usr/bin/listed"))
	require.NoError(t, copyFile(stranger, "/dev/shm/program"))
	tests := map[string]struct {
		rule    string
		refused []func(s *scene) error
		allowed []func(s *scene) error
	}{
		"by path": {
			"exec: {deny: {paths: [" + programs + "/stranger]}}",
			[]func(s *scene) error{
				func(*scene) error { return runs(stranger, "nothing") },
				func(*scene) error { return runs(script, "nothing") },
				func(*scene) error { return runs(trusted, "map", stranger) },
			},
			[]func(s *scene) error{func(*scene) error { return runs(trusted, "nothing") }},
		},
		"only some": {
			"exec: {only: {paths: [" + trusted + "]}}\n    who: [{executable: " + trusted + "}]",
			[]func(s *scene) error{func(*scene) error { return runs(trusted, "start", stranger, "nothing") }},
			[]func(s *scene) error{
				func(*scene) error { return runs(stranger, "nothing") },
				func(*scene) error { return runs(trusted, "start", trusted, "nothing") },
			},
		},
		"from memory": {
			"exec: {deny: {origins: [memfd]}}",
			[]func(s *scene) error{func(*scene) error { return runs(trusted, "memory", stranger, "nothing") }},
			[]func(s *scene) error{func(*scene) error { return runs("/dev/shm/program", "nothing") }},
		},
		"from a file system in memory": {
			"exec: {deny: {origins: [tmpfs]}}\n    allow: [{user: daemon}]",
			[]func(s *scene) error{func(*scene) error { return runs("/dev/shm/program", "nothing") }},
			nil,
		},
		"changed since boot": {
			"exec: {deny: {changed_since_boot: true}}\n    who: [{executable: " + trusted + "}]",
			[]func(s *scene) error{func(s *scene) error { return runs(trusted, "start", s.changed(), "nothing") }},
			nil,
		},
		"by content": {
			"exec: {deny: {sha256: [" + hex.EncodeToString(sum[:]) + "]}}\n    who: [{executable: " + trusted + "}]",
			[]func(s *scene) error{func(*scene) error { return runs(trusted, "start", "/usr/bin/listed", "nothing") }},
			nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			load(t, s.e, "policy: exec\nmode: enforce\nrules:\n  - name: all\n    "+test.rule+"\n")
			for i, act := range test.refused {
				drain(t, s.e)
				require.ErrorIs(t, act(s), unix.EPERM, i)
				v := next(t, s.e, func(v enforce.Verdict) bool { return v.Errno == int(unix.EPERM) })
				assert.Equal(t, policy.Run, v.Operation)
			}
			for i, act := range test.allowed {
				assert.NoError(t, act(s), i)
			}
		})
	}
}

// kernelCalls are what rules about the kernel forbid; each fails in another way where nothing forbids it.
var kernelCalls = map[string]func() error{
	"modules": func() error { return unix.DeleteModule("no_such_module", 0) },
	"bpf":     func() error { return call(unix.SYS_BPF, 9999, 0, 0) },
	"kexec":   func() error { return call(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0) },
	"mount":   func() error { return unix.Mount("none", "/opt", "no-such-type", 0, "") },
	"ptrace": func() error {
		c := exec.Command("/bin/sleep", "60")
		if err := c.Start(); err != nil {
			return fmt.Errorf("start: %s", err)
		}
		err := unix.PtraceAttach(c.Process.Pid)
		_ = c.Process.Kill() // it may be stopped
		return err
	},
	"raw_devices": func() error {
		fd, err := unix.Open("/dev/mem", unix.O_RDONLY, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	},
	"time": func() error { _, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_TICK}); return err },
}
