// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/vedette-sec/vedette/bpf"
)

// The kinds of what is the agent's own, as in the kernel.
const (
	ownMap     = 0
	ownProgram = 1
)

type ownKey = bpf.EnforceOwnKey

// descriptors is where the kernel tells what this process has open.
const descriptors = "/proc/self/fdinfo"

// claimOwn tells the kernel which maps and programs are the agent's: all that this process has open, the sensor's too.
func (e *Enforcer) claimOwn() error {
	now, err := openObjects(descriptors)
	if err != nil {
		return fmt.Errorf("look for the agent's own maps and programs: %w", err)
	}
	m := e.maps[bpf.EnforceMapOwn]
	before, err := keysOf[ownKey](m)
	if err != nil {
		return err
	}
	for _, key := range before {
		if now[key] {
			delete(now, key)
		} else if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forget what was the agent's own: %w", err)
		}
	}
	for key := range now {
		if err := m.Put(key, uint32(1)); err != nil {
			return fmt.Errorf("tell what is the agent's own: %w", err)
		}
	}
	return nil
}

// claimFirst does so before anything is in force. What the agent makes later is found by the beat, whether or not policies change.
func (e *Enforcer) claimFirst() error {
	if e.wanted != nil {
		return nil
	}
	return e.claimOwn()
}

// openObjects finds the maps and programs that descriptors are of. A link tells its program.
func openObjects(dir string) (map[ownKey]bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := map[ownKey]bool{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was closed meanwhile
		}
		if err != nil {
			return nil, err
		}
		addObject(all, text)
	}
	return all, nil
}

func addObject(all map[ownKey]bool, text []byte) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		kind, known := map[string]uint32{"map_id": ownMap, "prog_id": ownProgram}[name]
		id, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
		if known && err == nil && id != 0 {
			all[ownKey{Kind: kind, Id: uint32(id)}] = true
		}
	}
}
