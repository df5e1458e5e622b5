// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

func init() {
	acts["protect-code"] = func(args []string) error { // maps a file, makes that code and then acts
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		memory, err := unix.Mmap(int(file.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		if err := unix.Mprotect(memory, unix.PROT_READ|unix.PROT_EXEC); err != nil {
			return err
		}
		return appendTo(args[1])
	}
	acts["memory-code"] = func(args []string) error { // maps memory with a name as code, as a library that nobody sees, and then acts
		fd, err := unix.MemfdCreate("library", 0)
		if err != nil {
			return err
		}
		if err := unix.Ftruncate(fd, 4096); err != nil {
			return err
		}
		if _, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE); err != nil {
			return err
		}
		return appendTo(args[0])
	}
	acts["memory"] = func(args []string) error { // runs a program from memory
		fd, err := unix.MemfdCreate("program", 0)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
		if err := copyFile(args[0], name); err != nil {
			return err
		}
		return runs(name, args[1:]...)
	}
}

// renamed takes a copy of a program to the name of one that is trusted, and gives the name back.
func renamed(s *scene) error {
	copied := s.outside + "/copied"
	if err := copyFile(trusted, copied); err != nil {
		return err
	}
	if err := os.Rename(second, s.outside+"/second"); err != nil {
		return err
	}
	if err := os.Rename(copied, second); err != nil {
		return err
	}
	return runs(second, "write", s.file)
}

func TestBypassSubjects(t *testing.T) {
	ring.Require(t, ring.VM)
	tests := []struct {
		name  string
		steps map[string]func(s *scene) error
	}{
		{"16 disguise", steps{
			"a copy":             func(s *scene) error { return runs(s.changed(), "write", s.file) },
			"a copy by its name": renamed,
			"another name for it": func(s *scene) error {
				c := command(stranger, "write", s.file)
				c.Args = []string{trusted}
				return outcomeOf(c)
			},
			"the name of its thread": func(s *scene) error { return runs(stranger, "rename-self", s.file) },
			"a script":               func(s *scene) error { return runs(script, "write", s.file) },
			"from memory":            func(s *scene) error { return runs(stranger, "memory", trusted, "write", s.file) },
			"code in it":             func(s *scene) error { return runs(trusted, "map-code", s.changed(), s.file) },
			"code in it, made so later": func(s *scene) error {
				return runs(trusted, "protect-code", s.changed(), s.file)
			},
			"a library from memory": func(s *scene) error { return runs(trusted, "memory-code", s.file) },
		}},
		{"17 lineage", steps{
			"a stranger that leaves its session": func(s *scene) error { return runs(stranger, "twice", stranger, "write", s.file) },
			"a changed program that it starts":   func(s *scene) error { return runs(trusted, "start", s.changed(), "write", s.file) },
			"what a changed program starts":      func(s *scene) error { return runs(trusted, "start", s.changed(), "start", stranger, "write", s.file) },
			"itself, by a stranger that it does not trust": func(s *scene) error {
				return runs(stranger, "write", s.file)
			},
		}},
		{"18 races", steps{
			"an exec by a thread":            func(s *scene) error { return runs(stranger, "thread", stranger, "write", s.file) },
			"a changed program, by a thread": func(s *scene) error { return runs(trusted, "thread", s.changed(), "write", s.file) },
			"many forks": func(s *scene) error {
				for range 20 {
					if err := runs(stranger, "start", stranger, "write", s.file); err == nil {
						return err
					}
				}
				return unix.EPERM
			},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.protect()
			for what, step := range test.steps {
				s.refuses(what, func() error { return step(s) })
			}
			for what, act := range map[string][]string{
				"it starts a program":    {"start", stranger, "write", s.file},
				"it leaves":              {"twice", stranger, "write", s.file},
				"by a thread":            {"thread", stranger, "write", s.file},
				"a script that it calls": {"start", script, "write", s.file},
			} {
				assert.NoError(t, runs(trusted, act...), what)
			}
			require.NoError(t, restore(s.file))
		})
	}
}

// changed is a program that was written after the agent began to look.
func (s *scene) changed() string {
	name := s.outside + "/changed"
	if _, err := os.Stat(name); err == nil {
		return name
	}
	require.NoError(s.t, copyFile(stranger, name))
	return name
}

func TestBypass19ProcessesFromBefore(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	s.protect()
	assert.NoError(t, opened.trusted.tell(s.file), "the trusted program that ran before")
	require.NoError(t, restore(s.file))
	s.refuses("a stranger that ran before", func() error { return opened.stranger.tell(s.file) })
}
