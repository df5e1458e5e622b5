// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/internal/ring/report"
	"github.com/vedette-sec/vedette/test/internal/debian"
	"github.com/vedette-sec/vedette/test/vm/protocol"
)

// These tests boot real guests that do not behave, to see that each way of
// going wrong is told as a failure.

// bootWith boots the newest cached kernel with an init and a plan.
func bootWith(t *testing.T, init []byte, plan protocol.Plan, patience time.Duration) *guestReport {
	t.Helper()
	k := anyCachedKernel(t)
	busybox, err := findBusybox()
	if err != nil {
		ring.Cannot(t, err.Error())
	}
	if _, err := exec.LookPath(qemu); err != nil {
		ring.Cannot(t, err.Error())
	}
	mod, err := findModule(t.Context())
	require.NoError(t, err)
	bin, err := mod.build(t.Context(), t.TempDir(), nil)
	require.NoError(t, err)
	img := image{kernel: k, module: mod, busybox: busybox, bin: bin, plan: plan, init: init}
	initramfs := filepath.Join(t.TempDir(), "initramfs")
	require.NoError(t, img.write(initramfs))

	g := &guestReport{kernel: k, recorder: &report.Recorder{}}
	g.results = &results{plan: plan, open: func(step string) (sink, error) {
		return newConverter(t.Context(), step, g.recorder)
	}}
	m := machine{vmlinuz: k.vmlinuz(), initramfs: initramfs, memoryMiB: 512, patience: patience}
	g.outcome, err = m.run(t.Context(), g.results)
	require.NoError(t, err)
	g.summary = report.Summarize(g.recorder, mod.path)
	g.problems = g.findProblems(false)
	return g
}

func anyCachedKernel(t *testing.T) kernel {
	t.Helper()
	cache, err := debian.CacheDir(cachePurpose)
	require.NoError(t, err)
	for _, line := range []string{"6.12", "6.1", "5.10"} {
		if k, err := cachedKernel(cache, line); err == nil {
			return k
		}
	}
	ring.Cannot(t, "no kernel is in the cache; `make test-vm` downloads them")
	return kernel{}
}

func shellStep(name, script string, timeout time.Duration) protocol.Step {
	return protocol.Step{Name: name, Dir: "/", Argv: []string{"/bin/sh", "-c", script}, Timeout: timeout}
}

func TestGuestWithHangingAndCrashingSteps(t *testing.T) {
	defer goleak.VerifyNone(t)
	plan := protocol.Plan{Nonce: "N", Steps: []protocol.Step{
		shellStep("leaves-a-child", "sleep 1000 & echo PASS", time.Minute),
		shellStep("hangs", "sleep 1000", time.Second),
		shellStep("crashes", `printf '\026=== RUN   TestCrash\n'; sleep 5; echo c >/proc/sysrq-trigger; sleep 1000`, time.Minute),
		shellStep("never-runs", "true", time.Minute),
	}}
	g := bootWith(t, initScript, plan, 0)
	assert.False(t, g.ok())
	problems := strings.Join(g.problems, "\n")
	assert.Contains(t, problems, "the guest crashed:")
	assert.Contains(t, problems, "Kernel panic - not syncing: sysrq triggered crash")
	assert.Contains(t, problems, "hangs did not end in time and was killed")
	assert.Contains(t, problems, "the guest ended while crashes ran")
	assert.NotContains(t, problems, "leaves-a-child")
	assert.Positive(t, g.results.boot)
	assert.Equal(t, g.kernel.Release, g.results.release)
	assert.Equal(t, []string{"never-runs"}, g.results.notRun()[1:])
	assert.Equal(t, 1, g.summary.Failed, "the test during which the guest crashed")
}

func TestGuestThatSaysNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	g := bootWith(t, []byte("#!/bin/busybox sh\nexec /bin/busybox sleep 1000\n"), protocol.Plan{Nonce: "N"}, 4*time.Second)
	assert.False(t, g.ok())
	assert.Equal(t, 4*time.Second, g.outcome.hung)
	assert.Contains(t, g.problems, "the guest never said that it had booted")
	assert.Contains(t, g.problems, "no test ran")
}

func TestGuestThatEndsAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	g := bootWith(t, []byte("#!/bin/busybox sh\n/bin/busybox reboot -f\n"), protocol.Plan{Nonce: "N"}, 0)
	assert.False(t, g.ok())
	assert.Zero(t, g.outcome.hung)
	assert.Contains(t, g.problems, "the guest never said that it had booted")
}

func TestGuestWithoutInit(t *testing.T) {
	defer goleak.VerifyNone(t)
	g := bootWith(t, []byte("#!/bin/busybox sh\nexit 1\n"), protocol.Plan{Nonce: "N"}, 0)
	assert.False(t, g.ok())
	assert.Contains(t, strings.Join(g.problems, "\n"), "Attempted to kill init")
}
