// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package fallback

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// remedy is what makes everything better.
const remedy = "; with bpf added to the lsm= kernel parameter it is refused"

// weaknesses are what holds less than it could on every kernel without BPF LSM, by operation. An operation may have several.
var weaknesses = []enforce.Weak{
	{Operation: policy.Write, Strength: enforce.Detected, Reason: "Opening for writing is refused; truncating by path and writing to what was open before are told of when they are done, and in trees of files not seen" + remedy + "."},
	{Operation: policy.Create, Strength: enforce.Detected, Reason: "A new name is told of when it is there" + remedy + "."},
	{Operation: policy.Delete, Strength: enforce.Detected, Reason: "A removed name is told of when it is gone" + remedy + "."},
	{Operation: policy.Rename, Strength: enforce.Detected, Reason: "A moved name is told of when it has moved" + remedy + "."},
	{Operation: policy.Link, Strength: enforce.Detected, Reason: "A further name of a protected file is told of as a change of its attributes" + remedy + "."},
	{Operation: policy.Attributes, Strength: enforce.Detected, Reason: "Changes of mode, owner, times and extended attributes are told of when they are done" + remedy + "."},
	{Operation: policy.Mount, Strength: enforce.Unseen, Reason: "Nothing tells of mounts over a file; a rule kernel: [mount] kills who mounts" + remedy + "."},
	{Operation: policy.Execute, Strength: enforce.Unseen, Reason: "Running it is refused, but not mapping it as code" + remedy + "."},
	{Operation: policy.Run, Strength: enforce.Unseen, Reason: "Running is refused, and of programs in memory killed; mapping a file as code, and what runs from file systems of other mount namespaces, is not seen" + remedy + "."},
	{Operation: policy.Signal, Strength: enforce.Killed, Reason: "The sender is killed when the signal is sent" + remedy + "."},
	{Operation: policy.Ptrace, Strength: enforce.Killed, Reason: "The tracer is killed when the call begins" + remedy + "."},
	{Operation: policy.Memory, Strength: enforce.Killed, Reason: "Who calls process_vm_readv or process_vm_writev is killed when the call begins; opening /proc/PID/mem is not seen" + remedy + "."},
	{Operation: policy.Priority, Strength: enforce.Killed, Reason: "The caller is killed when the call begins; calls about groups and users are not seen" + remedy + "."},
	{Operation: policy.Modules, Strength: enforce.Killed, Reason: killedCaller},
	{Operation: policy.BPF, Strength: enforce.Killed, Reason: killedCaller},
	{Operation: policy.Kexec, Strength: enforce.Killed, Reason: killedCaller},
	{Operation: policy.KernelMount, Strength: enforce.Killed, Reason: killedCaller},
	{Operation: policy.KernelPtrace, Strength: enforce.Killed, Reason: killedCaller},
	{Operation: policy.Time, Strength: enforce.Killed, Reason: killedCaller},
	{Operation: policy.AgentBPF, Strength: enforce.Unseen, Reason: "Nothing tells whose maps and programs are opened" + remedy + "."},
	{Operation: policy.RawDevices, Strength: enforce.Unseen, Reason: "Opening the devices in /dev is refused, but not other nodes for them" + remedy + "."},
}

const killedCaller = "The caller is killed when the call begins, and may have done it" + remedy + "."

// order of strengths, the weakest first.
var order = []enforce.Strength{enforce.Unseen, enforce.Detected, enforce.Killed, enforce.Prevented}

// strengths tell how strongly each rule of a set holds.
func (e *Enforcer) strengths(set *policy.Set, w *watch) []enforce.RuleStatus {
	var all []enforce.RuleStatus
	for _, p := range set.Policies {
		for _, r := range p.Rules {
			s := enforce.RuleStatus{Policy: p.Name, Rule: r.Name, Strength: enforce.Prevented, Weaker: e.weaker(r, w)}
			for _, weak := range s.Weaker {
				if slices.Index(order, weak.Strength) < slices.Index(order, s.Strength) {
					s.Strength = weak.Strength
				}
			}
			all = append(all, s)
		}
	}
	return all
}

func (e *Enforcer) weaker(r *policy.Rule, w *watch) []enforce.Weak {
	var all []enforce.Weak
	for _, weak := range weaknesses {
		if r.Operations()&weak.Operation != 0 {
			all = append(all, weak)
		}
	}
	for o := inKernel(r); o != 0; o &= o - 1 {
		one := o & -o
		if err := e.kernel.failure(one); err != nil {
			all = append(all, enforce.Weak{Operation: one, Strength: enforce.Unseen, Reason: fmt.Sprintf("The kernel does not let it be seen: %v.", err)})
		}
	}
	if r.Operations()&policy.Accept != 0 && e.kernel.unknown > 0 && len(r.Who)+len(r.Allow) > 0 {
		all = append(all, enforce.Weak{Operation: policy.Accept, Strength: enforce.Unseen,
			Reason: fmt.Sprintf("%d sockets have listened over MPTCP since before the policies were loaded, and whose they are is not known to such rules; start those services again.", e.kernel.unknown)})
	}
	if r.Files == nil {
		return all
	}
	return append(all, e.unwatched(r, w)...)
}

// unwatched tells of files that could not be watched.
func (e *Enforcer) unwatched(r *policy.Rule, w *watch) []enforce.Weak {
	var all []enforce.Weak
	if w.beyond {
		all = append(all, enforce.Weak{Operation: r.Files.Operations, Strength: enforce.Unseen,
			Reason: fmt.Sprintf("There are more than %d directories to watch, and not all are; fewer or smaller trees are.", mostDirectories)})
	}
	e.files.mu.Lock()
	defer e.files.mu.Unlock()
	told := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(e.files.failures)) {
		reason := e.files.failures[name].Error()
		if told[reason] || !slices.ContainsFunc(r.Files.Paths, func(p policy.Path) bool { return watchedFor(p, name) }) {
			continue
		}
		told[reason] = true
		all = append(all, enforce.Weak{Operation: r.Files.Operations, Strength: enforce.Unseen, Reason: fmt.Sprintf("%s cannot be watched: %s.", name, reason)})
	}
	return all
}

// watchedFor reports whether a file or directory is watched because of a path: it is one of those that the path names, or their
// names, or where it leads, would change with it.
func watchedFor(p policy.Path, name string) bool {
	return p.Matches(name) || name == p.Base || strings.HasPrefix(p.Base, strings.TrimSuffix(name, "/")+"/")
}

// missing tells what the kernel does not have.
func missing(e *Enforcer) []string {
	all := []string{
		"The kernel has no BPF LSM: rules about addresses and about opening and running files are kept, who acts on processes and the kernel is killed, other changes of files are reported. Add bpf to the lsm= kernel parameter for all to be refused.",
		"Without BPF LSM nothing stays in force when the agent ends, whatever on_agent_loss says.",
		"System calls of 32-bit programs on processes and on the kernel, except signals, are not seen without BPF LSM.",
	}
	if e.kernel.private != nil {
		all = append(all, "Cgroups of version 2 are not mounted, so systemd keeps its units in those of version 1: in rules about processes, the network and the kernel no process counts as one of a unit or container. Boot with systemd.unified_cgroup_hierarchy=1.")
	}
	return all
}
