// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/test/vm/protocol"
)

// tees lets a trusted program that is linked dynamically write to a file, as somebody starts it, and gives what became of it and what
// the program and its loader said.
func tees(environment string, argv ...string) (said string, err error) {
	c := exec.Command(argv[0], argv[1:]...)
	c.Env = strings.Fields(environment)
	var complaint bytes.Buffer
	c.Stdin, c.Stderr = strings.NewReader("!"), &complaint
	err = c.Run()
	if err != nil && strings.Contains(complaint.String(), "Operation not permitted") || errors.Is(err, os.ErrPermission) {
		return complaint.String(), unix.EPERM
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, complaint.String())
	}
	return complaint.String(), err
}

// An intruder starts a trusted program so that its loader maps a library of his as code.
func TestBypass16Preload(t *testing.T) {
	ring.Require(t, ring.VM)
	s := newScene(t)
	const program = protocol.DynamicProgram
	rule := "\npolicy: scene\nmode: enforce\nrules:\n  - {name: all, files: {paths: [" + s.dir + "/**], operations: tamper}, allow: [{executable: " + program + "}, {executable: " + trusted + "}]}\n"
	load(t, s.e, rule)
	evil := s.outside + "/evil.so"
	require.NoError(t, runs(stranger, "copy", protocol.SpareLibrary, evil))
	libc, err := filepath.Glob("/*/*/libc.so.6")
	require.NoError(t, err)
	require.Len(t, libc, 1)
	require.NoError(t, runs(stranger, "copy", libc[0], s.outside+"/libc.so.6"))
	loader, err := filepath.Glob("/lib64/ld-*")
	require.NoError(t, err)
	require.Len(t, loader, 1)

	for what, environment := range map[string]string{"as it is": "", "with a library from before": "LD_PRELOAD=" + protocol.SpareLibrary} {
		_, err = tees(environment, program, "-a", s.file)
		require.NoError(t, err, what)
		require.NoError(t, restore(s.file))
	}
	for what, way := range map[string][]string{
		"LD_PRELOAD":                   {"LD_PRELOAD=" + evil, program},
		"LD_AUDIT":                     {"LD_AUDIT=" + evil, program},
		"LD_LIBRARY_PATH":              {"LD_LIBRARY_PATH=" + s.outside, program},
		"the loader as a program":      {"", loader[0], program},
		"a library that it is told of": {"", loader[0], "--preload", evil, program},
	} {
		s.refuses(what, func() error { _, err := tees(way[0], append(way[1:], "-a", s.file)...); return err })
	}

	// Where only what is known may be mapped the library is refused, and the program stays trusted.
	load(t, s.e, rule+"---\npolicy: libraries\nmode: enforce\nrules:\n  - {name: known, exec: {only: {paths: [/lib/**, /lib64/**, /vedette/**]}}, who: [{executable: "+program+"}]}\n")
	drain(t, s.e)
	said, err := tees("LD_PRELOAD="+evil, program, "-a", s.file)
	require.NoError(t, err)
	assert.Contains(t, said, "cannot be preloaded")
	v := next(t, s.e, func(v enforce.Verdict) bool { return v.Policy == "libraries" })
	assert.Equal(t, []any{"mmap_file", evil, int(unix.EPERM)}, []any{v.Hook, v.Object.Path, v.Errno})
	require.NoError(t, restore(s.file))
}
