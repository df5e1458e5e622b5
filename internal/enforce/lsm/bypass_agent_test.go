// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
)

func init() {
	acts["map-by-id"] = byID(func(id int) error {
		m, err := ebpf.NewMapFromID(ebpf.MapID(id))
		if err != nil {
			return err
		}
		return errors.Join(m.Put(uint32(0), make([]byte, m.ValueSize())), m.Close())
	})
	acts["own-map-by-id"] = func([]string) error { // of a map that is this program's own
		m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
		if err != nil {
			return err
		}
		defer m.Close()
		info, err := m.Info()
		if err != nil {
			return err
		}
		id, _ := info.ID()
		return acts["map-by-id"]([]string{fmt.Sprint(id)})
	}
	acts["program-by-id"] = byID(func(id int) error {
		p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
		if err != nil {
			return err
		}
		return p.Close()
	})
	acts["detach-by-id"] = byID(func(id int) error {
		l, err := link.NewFromID(link.ID(id))
		if err != nil {
			return err
		}
		return errors.Join(l.Detach(), l.Close())
	})
	acts["map-by-pin"] = func(args []string) error {
		m, err := ebpf.LoadPinnedMap(args[0], nil)
		if err != nil {
			return err
		}
		return m.Close()
	}
}

func byID(act func(id int) error) func([]string) error {
	return func(args []string) error {
		id, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return act(id)
	}
}

// refusedBy does something that a policy must refuse, and tell of.
func refusedBy(t *testing.T, e *Enforcer, name, what string, act func() error) {
	t.Helper()
	require.ErrorIs(t, act(), unix.EPERM, what)
	next(t, e, func(v enforce.Verdict) bool { return v.Policy == name && v.Errno == int(unix.EPERM) })
	drain(t, e)
}

func TestBypass27OwnObjects(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	load(t, s.e, `
policy: own
mode: enforce
rules:
  - {name: bpf, kernel: [agent_bpf], allow: [{executable: `+trusted+`}]}
  - {name: file, files: {paths: [`+s.single+`], operations: tamper}}
`)
	info, err := s.e.maps[bpf.EnforceMapActive].Info()
	require.NoError(t, err)
	id, _ := info.ID()
	guard, err := s.e.links[bpf.EnforceProgGuardFileOpen].Info()
	require.NoError(t, err)
	active := filepath.Join(s.e.pins, mapPin+bpf.EnforceMapActive)
	for what, act := range map[string][]string{
		"a map by its id":     {"map-by-id", fmt.Sprint(id)},
		"a map by its pin":    {"map-by-pin", active},
		"a program by its id": {"program-by-id", fmt.Sprint(guard.Program)},
	} {
		refusedBy(t, s.e, "own", what, func() error { return runs(stranger, act...) })
	}
	require.Error(t, runs(stranger, "detach-by-id", fmt.Sprint(guard.ID)), "links of these types cannot be detached")
	require.ErrorIs(t, opens(s.single), unix.EPERM, "all is as before")
	assert.NoError(t, runs(trusted, "map-by-pin", active), "the agent's program")

	assert.NoError(t, runs(stranger, "own-map-by-id"), "another map")
}

func TestBypass28Pins(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	load(t, s.e, `
policy: pins
mode: enforce
rules:
  - {name: all, files: {paths: [`+sharedPins+`/**], operations: tamper}, allow: [{executable: `+trusted+`}]}
`)
	pin := filepath.Join(s.e.pins, linkPin+bpf.EnforceProgGuardFileOpen)
	for what, act := range map[string]func() error{
		"unlink a pin":             func() error { return os.Remove(pin) },
		"rename a pin":             func() error { return os.Rename(pin, "/sys/fs/bpf/away") },
		"rename the directory":     func() error { return os.Rename(s.e.pins, "/sys/fs/bpf/away") },
		"remove all":               func() error { return os.RemoveAll(sharedPins) },
		"mount over them":          func() error { return unix.Mount("none", s.e.pins, "tmpfs", 0, "") },
		"mount over bpffs":         func() error { return unix.Mount("none", "/sys/fs/bpf", "tmpfs", 0, "") },
		"unmount bpffs":            func() error { return unix.Unmount("/sys/fs/bpf", unix.MNT_DETACH) },
		"mount with other options": func() error { return unix.Mount("none", "/sys/fs/bpf", "", unix.MS_REMOUNT|unix.MS_RDONLY, "") },
	} {
		refusedBy(t, s.e, "pins", what, act)
	}
	assert.FileExists(t, pin)
}

func TestBypass29Ftrace(t *testing.T) {
	ring.Require(t, ring.VM)
	const name = "/proc/sys/kernel/ftrace_enabled"
	e := shared(t)
	load(t, e, `
policy: ftrace
mode: enforce
rules:
  - {name: all, files: {paths: [`+name+`], operations: [write]}}
`)
	refusedBy(t, e, "ftrace", "turn off what is attached to functions", func() error { return os.WriteFile(name, []byte("0"), 0) })
	found, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, "1\n", string(found))
}
