// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// startField is the place of the start time among the fields after the name.
const startField = 19

// statFields takes a line of /proc/PID/stat apart. The name may hold anything, brackets and spaces
// included, so the fields are counted from its last bracket.
func statFields(stat []byte) (name string, fields []string, err error) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", nil, fmt.Errorf("no name in brackets in %q", stat)
	}
	fields = strings.Fields(string(stat[end+1:]))
	if len(fields) <= startField {
		return "", nil, fmt.Errorf("%d fields after the name, at least %d expected", len(fields), startField+1)
	}
	return string(stat[open+1 : end]), fields, nil
}

// kernelThread is the kernel's PF_KTHREAD.
const kernelThread = 0x00200000

// Stat is what /proc/PID/stat tells of a process.
type Stat struct {
	Key          Key
	State        byte // R, S, D, T, t, Z or X
	ParentPID    uint32
	Session      uint32
	TTY          bool // has a controlling terminal
	KernelThread bool
}

// ReadStat reads a process's state and identity only, which is much less work than Read.
func (h ProcFS) ReadStat(pid uint32) (Stat, error) {
	content, err := os.ReadFile(h.path(pid, "stat"))
	if err != nil {
		return Stat{}, err
	}
	_, fields, err := statFields(content)
	if err != nil {
		return Stat{}, fmt.Errorf("%s: %w", h.path(pid, "stat"), err)
	}
	number := func(i int) uint64 {
		n, _ := strconv.ParseUint(fields[i], 10, 64) // the session is -1 while a process ends
		return n
	}
	const state, ppid, session, tty, flags = 0, 1, 3, 4, 6
	return Stat{
		Key:   Key{PID: pid, Start: number(startField)},
		State: fields[state][0], ParentPID: uint32(number(ppid)), Session: uint32(number(session)),
		TTY: number(tty) != 0, KernelThread: number(flags)&kernelThread != 0,
	}, nil
}

// EntityID identifies the process among all processes of all boots of all hosts.
func (k Key) EntityID(bootID string) string { return k.entityID(bootID) }
