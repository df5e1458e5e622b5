// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
)

// requireAbilities fails with the reason of each ability that the kernel does not have.
func requireAbilities(t *testing.T, wanted ...Ability) {
	t.Helper()
	probes := map[Ability]Probe{}
	for _, probe := range Probes() {
		probes[probe.Ability] = probe
	}
	require.Len(t, probes, len(Abilities))
	for _, ability := range wanted {
		assert.Equal(t, Probe{Ability: ability, OK: true}, probes[ability])
	}
}

func TestAbilitiesOfEveryKernel(t *testing.T) {
	ring.Require(t, ring.Native)
	requireAbilities(t, RingBuffer, BTFTracepoint)
}

func TestAbilitiesOfDistributionKernel(t *testing.T) {
	ring.Require(t, ring.VM)
	requireAbilities(t, RingBuffer, BTFTracepoint, SyscallTracepoint, Kprobe, Fentry, LSM)
}

func TestFailureNamesItsStep(t *testing.T) {
	ring.Require(t, ring.Native)
	endless := func(*ebpf.Map) asm.Instructions { return asm.Instructions{asm.Mov.Imm(asm.R0, 0)} }
	err := tryHook(&ebpf.ProgramSpec{Type: ebpf.TracePoint}, endless, attachTracing)
	probe := outcome(SyscallTracepoint, err)
	assert.False(t, probe.OK)
	assert.Equal(t, stepLoad, probe.Step, probe.Reason)
	assert.NotContains(t, probe.Reason, "\n")

	err = tryHook(&ebpf.ProgramSpec{Type: ebpf.TracePoint}, countCalls, attachTracing)
	assert.Equal(t, stepAttach, outcome(SyscallTracepoint, err).Step, "attached as another type")
}

func TestProgramThatIsNotCalledIsNoAbility(t *testing.T) {
	ring.Require(t, ring.Native)
	nothing := func(*ebpf.Map) asm.Instructions {
		return asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	}
	spec := &ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "sys_enter"}
	assert.Equal(t, stepRun, outcome(BTFTracepoint, tryHook(spec, nothing, attachTracing)).Step)
}

func TestOutcome(t *testing.T) {
	assert.Equal(t, Probe{Ability: LSM, Reason: "plain"}, outcome(LSM, errors.New("plain\nmore")))
	assert.Equal(t, Probe{Ability: LSM, Step: stepLoad, Reason: "no"},
		outcome(LSM, fmt.Errorf("wrapped: %w", failed(stepLoad, errors.New("no")))))
	assert.Equal(t, Probe{Ability: Fentry, Step: stepAttach, Reason: "operation not permitted"},
		outcome(Fentry, failed(stepAttach, fmt.Errorf("create link: %w (hint)", unix.EPERM))))
}
