// SPDX-License-Identifier: Apache-2.0

package policy

import "strings"

// Operation is a set of operations. The numbers are no interface to other programs: they may change.
type Operation uint32

// Operations on files.
const (
	Write      Operation = 1 << iota // open for writing, truncate, map writable and shared, allocate, punch holes
	Create                           // make a name: a file, directory, symbolic link, device or hard link
	Delete                           // remove a name
	Rename                           // move a name away, to a place, or over another; exchange two
	Link                             // make another name for the object
	Attributes                       // mode, owner, times, extended attributes, ACLs and flags
	Mount                            // mount over it, or unmount what is there
	Read                             // open for reading; list a directory
	Execute                          // run, or map as code
)

// Operations on processes.
const (
	Signal   Operation = 1 << (9 + iota) // send any signal, also one that only asks whether the process exists
	Ptrace                               // trace, inspect by ptrace, take file descriptors
	Memory                               // read or write its memory
	Priority                             // nice value, scheduler, I/O priority, limits
)

// Run is the operation of rules about exec: run a file or map it as code.
const Run Operation = 1 << 13

// Operations on the network.
const (
	Connect Operation = 1 << (14 + iota) // the address is the peer's; sending a datagram to an address counts too
	Bind                                 // the address is the own one
	Accept                               // the address is the peer's
)

// Operations on the kernel.
const (
	Modules      Operation = 1 << (17 + iota) // load and unload modules
	BPF                                       // the bpf system call
	Kexec                                     // load another kernel
	KernelMount                               // mount, unmount, move mounts, change the root
	KernelPtrace                              // trace any process
	RawDevices                                // open memory, ports and block devices
	Time                                      // set the clock
	AgentBPF                                  // get hold of the agent's own BPF maps and programs
)

// The operations that each part of a rule can name.
const (
	FileOperations    = Write | Create | Delete | Rename | Link | Attributes | Mount | Read | Execute
	ProcessOperations = Signal | Ptrace | Memory | Priority
	NetworkOperations = Connect | Bind | Accept
	KernelOperations  = Modules | BPF | Kexec | KernelMount | KernelPtrace | RawDevices | Time | AgentBPF

	Tamper = Write | Create | Delete | Rename | Link | Attributes | Mount // preset "tamper": whatever changes
	Secret = Tamper | Read                                                // preset "secret"
)

// names are the operations by the part of a rule that can name them.
var names = map[Operation][]struct {
	name string
	bit  Operation
}{
	FileOperations: {{"write", Write}, {"create", Create}, {"delete", Delete}, {"rename", Rename}, {"link", Link},
		{"attributes", Attributes}, {"mount", Mount}, {"read", Read}, {"execute", Execute}},
	ProcessOperations: {{"signal", Signal}, {"ptrace", Ptrace}, {"memory", Memory}, {"priority", Priority}},
	Run:               {{"run", Run}},
	NetworkOperations: {{"connect", Connect}, {"bind", Bind}, {"accept", Accept}},
	KernelOperations: {{"modules", Modules}, {"bpf", BPF}, {"kexec", Kexec}, {"mount", KernelMount},
		{"ptrace", KernelPtrace}, {"raw_devices", RawDevices}, {"time", Time}, {"agent_bpf", AgentBPF}},
}

// kinds are the keys of names in the order of their bits.
var kinds = []Operation{FileOperations, ProcessOperations, Run, NetworkOperations, KernelOperations}

// ParseOperation finds an operation by its name among those of a kind, such as FileOperations; it gives 0 for an unknown one.
func ParseOperation(name string, kind Operation) Operation {
	for _, o := range names[kind] {
		if o.name == name {
			return o.bit
		}
	}
	return 0
}

// OperationNames are the names of the operations of a kind, such as FileOperations.
func OperationNames(kind Operation) []string {
	var all []string
	for _, o := range names[kind] {
		all = append(all, o.name)
	}
	return all
}

// String gives the names of all operations in the set, such as "write, create".
func (o Operation) String() string {
	var all []string
	for _, kind := range kinds {
		for _, known := range names[kind] {
			if o&known.bit != 0 {
				all = append(all, known.name)
			}
		}
	}
	return strings.Join(all, ", ")
}
