// SPDX-License-Identifier: Apache-2.0

package kernel

// An Ability is a thing the kernel lets this process do with BPF.
type Ability string

// The abilities that are probed.
const (
	// BTFTracepoint is a raw tracepoint with typed arguments (tp_btf).
	BTFTracepoint Ability = "tp_btf"
	// SyscallTracepoint is the tracepoint of one system call, through a perf event.
	SyscallTracepoint Ability = "syscall_tracepoint"
	// Kprobe is a breakpoint at a kernel function.
	Kprobe Ability = "kprobe"
	// Fentry is a trampoline at a kernel function.
	Fentry Ability = "fentry"
	// LSM is a program at a security hook.
	LSM Ability = "lsm"
	// RingBuffer is the channel from programs to the agent.
	RingBuffer Ability = "ring_buffer"
	// TaskStorage is storage that belongs to a task.
	TaskStorage Ability = "task_storage"
)

// Abilities lists all abilities in the order they are reported.
var Abilities = []Ability{RingBuffer, BTFTracepoint, SyscallTracepoint, Kprobe, Fentry, LSM, TaskStorage}

// Probe is the outcome of trying an ability.
type Probe struct {
	Ability Ability `json:"ability"`
	OK      bool    `json:"ok"`
	// Step is where it failed: create (a map), load (a program), attach, or run, the last where a
	// program was attached and the kernel did not call it.
	Step string `json:"step,omitempty"`
	// Reason is the error at that step, in one line.
	Reason string `json:"reason,omitempty"`
}
