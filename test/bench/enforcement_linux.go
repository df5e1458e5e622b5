// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// enforcementKernel is the guest's, which tells what its maps take.
const enforcementKernel = "6.12"

// enforcementFigures are the figures by the units that the guest's benchmark reports them in.
var enforcementFigures = map[string]string{
	"exec-agent": "enforce_exec", "open-agent": "enforce_open", "save-agent": "enforce_open_write",
	"exec-policies": "enforce_exec_policies", "open-policies": "enforce_open_policies", "save-policies": "enforce_open_write_policies",
	"exec-many": "enforce_exec_many", "open-many": "enforce_open_many", "save-many": "enforce_open_write_many",
	"open-floor": "enforce_open_floor", "save-floor": "enforce_open_write_floor",
	"hook-ns": "enforce_hook", "guard_file_open-ns": "enforce_hook_open", "guard_bprm_check-ns": "enforce_hook_exec",
	"guard_inode_rename-ns": "enforce_hook_rename", "memory-KiB": "enforce_maps",
}

// exitCannotRun is how test/vm says that this machine lacks something.
const exitCannotRun = 3

// enforcement measures in a guest, as few hosts let BPF programs refuse anything. The guest's clock counts instructions, so that the
// figures do not depend on what else this machine does.
func enforcement(ctx context.Context, b *bench) (results, error) {
	b.progress("boots a guest, which takes some minutes")
	c := exec.CommandContext(ctx, "go", "run", "-C", b.root, "./test/vm", "-counted", "-v", "-kernels", enforcementKernel, "-pkg", "./internal/enforce/lsm",
		"-run", "^TestAutomatonLimits$", "-args", "-test.bench=^BenchmarkCost$,-test.benchtime=1x")
	out, err := c.CombinedOutput()
	var ended *exec.ExitError
	if errors.As(err, &ended) && bytes.Contains(out, fmt.Appendf(nil, "exit status %d", exitCannotRun)) {
		return nil, cannot("there can be no guest here: %s", lastLine(out))
	}
	if err != nil {
		return nil, fmt.Errorf("measure in a guest: %w: %s", err, lastLine(out))
	}
	found := results{}
	for line := range strings.Lines(string(out)) {
		if err := addReported(found, line); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// lastLine is the last line but for the exit status that go run adds.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[max(0, len(lines)-2)]
}

// addReported adds the figures of a line of a Go benchmark's results: pairs of a number and a unit.
func addReported(found results, line string) error {
	_, line, ok := strings.Cut(line, "BenchmarkCost")
	if !ok {
		return nil
	}
	words := strings.Fields(line)
	for i, unit := range words {
		name, known := enforcementFigures[unit]
		if !known || i == 0 {
			continue
		}
		value, err := strconv.ParseFloat(words[i-1], 64)
		if err != nil {
			return fmt.Errorf("read %s of the guest's benchmark: %w", unit, err)
		}
		found.add(name, value)
		found.note(name, "instructions in an emulated guest with Linux %s", enforcementKernel)
	}
	return nil
}
