// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"slices"

	"github.com/vedette-sec/vedette/bpf"
)

// Kind is an event kind of the kernel ABI.
type Kind = bpf.SensorEventKind

// The kinds the kernel reports.
const (
	KindFork    = bpf.SensorEventKindEVENT_PROCESS_FORK
	KindExec    = bpf.SensorEventKindEVENT_PROCESS_EXEC
	KindExit    = bpf.SensorEventKindEVENT_PROCESS_EXIT
	KindOpen    = bpf.SensorEventKindEVENT_FILE_OPEN
	KindCreate  = bpf.SensorEventKindEVENT_FILE_CREATE
	KindDelete  = bpf.SensorEventKindEVENT_FILE_DELETE
	KindRename  = bpf.SensorEventKindEVENT_FILE_RENAME
	KindConnect = bpf.SensorEventKindEVENT_NET_CONNECT
	KindAccept  = bpf.SensorEventKindEVENT_NET_ACCEPT
	KindBind    = bpf.SensorEventKindEVENT_NET_BIND
	KindListen  = bpf.SensorEventKindEVENT_NET_LISTEN
	KindDNS     = bpf.SensorEventKindEVENT_DNS_QUERY

	KindModuleLoad   = bpf.SensorEventKindEVENT_MODULE_LOAD
	KindModuleUnload = bpf.SensorEventKindEVENT_MODULE_UNLOAD
	KindFileAccess   = bpf.SensorEventKindEVENT_FILE_ACCESS
	KindAccess       = bpf.SensorEventKindEVENT_PROCESS_ACCESS
	KindSetID        = bpf.SensorEventKindEVENT_PROCESS_SETID
	KindAttributes   = bpf.SensorEventKindEVENT_FILE_ATTRIBUTES
	KindImageLoad    = bpf.SensorEventKindEVENT_IMAGE_LOAD
	KindInject       = bpf.SensorEventKindEVENT_PROCESS_INJECT

	// KindStdio is no event of its own: the process table learns from it where streams lead.
	KindStdio = bpf.SensorEventKindEVENT_STDIO

	kindCount = bpf.SensorEventKindEVENT_KINDS
)

// Tier is a way to hook the kernel. A lower value is better.
type Tier int

// The tiers, best first.
const (
	LSM Tier = iota
	Fentry
	Kprobe
	Cgroup
	Tracepoint
	tierCount
)

var tierNames = [tierCount]string{"lsm", "fentry", "kprobe", "cgroup", "tracepoint"}

func (t Tier) String() string { return tierNames[t] }

// ParseTier gives the tier of a name; ok is false for a name that is none.
func ParseTier(name string) (tier Tier, ok bool) {
	for i, n := range tierNames {
		if n == name {
			return Tier(i), true
		}
	}
	return 0, false
}

// unit is a set of programs that only make sense together, in each tier that has them.
type unit struct {
	name  string
	kinds []Kind
	// also are kinds that need the unit too, and that have a unit of their own by which they are judged.
	also []Kind
	// about is what the kernel may not have: then there is nothing to hook and nothing to see.
	about feature
	// hooks are security hooks: lsm_HOOK, fentry_HOOK and kprobe_HOOK.
	hooks []string
	// functions are functions of the kernel that are no hooks: fentry_FUNCTION and kprobe_FUNCTION.
	functions []string
	// cgroup are programs for the packets of all processes.
	cgroup []string
	// raw are BTF raw tracepoint programs.
	raw []string
	// enter and exit are system calls of which the beginning and the end are hooked. One that a kernel
	// does not have is left out.
	enter, exit []string
	// prefix begins the names of those programs where another unit has some for the same calls.
	prefix string
	// asFunctions tells that the calls are hooked as functions of the kernel where that works.
	asFunctions bool
}

// feature is a part that kernels may be built without. The zero value is part of every kernel.
type feature struct {
	typeName string // a type that only kernels with it have
	missing  string // what a kernel without it is said to be
}

var modules = feature{"btf_trace_module_load", "this kernel has no loadable modules"}

func units() []unit {
	names := func(calls ...string) unit { return unit{enter: calls, exit: calls} }

	openUnit := unit{name: "open", kinds: []Kind{KindOpen, KindCreate, KindFileAccess}, also: []Kind{KindAccess, KindInject}, hooks: []string{"file_open"},
		exit: []string{"open", "creat", "openat", "openat2"}}

	makeUnit := names("mkdir", "mkdirat", "mknod", "mknodat", "link", "linkat", "symlink", "symlinkat")
	makeUnit.name, makeUnit.kinds = "make", []Kind{KindCreate}
	makeUnit.hooks = []string{"path_mkdir", "path_mknod", "path_symlink", "path_link",
		"inode_mkdir", "inode_mknod", "inode_symlink", "inode_link"}

	deleteUnit := names("unlink", "unlinkat", "rmdir")
	deleteUnit.name, deleteUnit.kinds = "delete", []Kind{KindDelete}
	deleteUnit.hooks = []string{"path_unlink", "path_rmdir", "inode_unlink", "inode_rmdir"}

	renameUnit := names("rename", "renameat", "renameat2")
	renameUnit.name, renameUnit.kinds = "rename", []Kind{KindRename}
	renameUnit.hooks = []string{"path_rename", "inode_rename"}

	accessUnit := names("ptrace", "process_vm_readv", "pidfd_getfd")
	accessUnit.name, accessUnit.kinds, accessUnit.hooks = "access", []Kind{KindAccess}, []string{"ptrace_access_check"}

	injectUnit := names("ptrace", "process_vm_writev")
	injectUnit.name, injectUnit.kinds, injectUnit.prefix = "inject", []Kind{KindInject}, "inject_"
	injectUnit.asFunctions = true

	setidUnit := names("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid")
	setidUnit.name, setidUnit.kinds = "setid", []Kind{KindSetID}
	setidUnit.hooks = []string{"task_fix_setuid", "task_fix_setgid"}

	attributesUnit := names("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat")
	attributesUnit.name, attributesUnit.kinds = "attributes", []Kind{KindAttributes}
	attributesUnit.hooks = []string{"path_chmod", "path_chown"}

	xattrUnit := names("setxattr", "lsetxattr", "fsetxattr", "setxattrat")
	xattrUnit.name, xattrUnit.also, xattrUnit.asFunctions = "extended attributes", []Kind{KindAttributes}, true

	return []unit{
		{name: "fork", kinds: []Kind{KindFork}, raw: []string{"process_fork"}},
		{name: "exec", kinds: []Kind{KindExec}, raw: []string{"process_exec"}},
		{name: "exit", kinds: []Kind{KindExit}, raw: []string{"process_exit"}},
		{name: "stdio", kinds: []Kind{KindStdio}, exit: []string{"dup", "dup2", "dup3"}, asFunctions: true},
		openUnit, makeUnit, deleteUnit, renameUnit,
		{name: "connect", kinds: []Kind{KindConnect}, hooks: []string{"socket_connect"},
			enter: []string{"connect"}, exit: []string{"connect"}},
		{name: "accept", kinds: []Kind{KindAccept}, hooks: []string{"sock_graft"},
			exit: []string{"accept", "accept4"}},
		{name: "bind", kinds: []Kind{KindBind}, hooks: []string{"socket_bind"},
			enter: []string{"bind"}, exit: []string{"bind"}},
		{name: "listen", kinds: []Kind{KindListen}, hooks: []string{"socket_listen"},
			enter: []string{"listen"}, exit: []string{"listen"}},
		{name: "dns", kinds: []Kind{KindDNS}, functions: []string{"udp_sendmsg", "udpv6_sendmsg"},
			cgroup: []string{"cgroup_packet_leaves"}},
		{name: "module load", kinds: []Kind{KindModuleLoad}, about: modules, raw: []string{"module_load"},
			enter: []string{"init_module", "finit_module"}, asFunctions: true},
		{name: "module unload", kinds: []Kind{KindModuleUnload}, about: modules, raw: []string{"module_free"}},
		accessUnit, injectUnit, setidUnit, attributesUnit, xattrUnit,
		{name: "image", kinds: []Kind{KindImageLoad}, hooks: []string{"mmap_file"}, enter: []string{"mmap"}},
	}
}

// serves tells whether any of the kinds needs the unit.
func (u unit) serves(kinds []Kind) bool {
	return slices.ContainsFunc(kinds, func(k Kind) bool { return slices.Contains(u.kinds, k) || slices.Contains(u.also, k) })
}

// forced is the tier that is asked for. A unit by which no kind is judged follows the kind that needs
// it as far as it has programs there.
func (u unit) forced(by map[Kind]Tier) (tier Tier, ok bool) {
	if len(u.kinds) > 0 {
		tier, ok = by[u.kinds[0]]
		return tier, ok
	}
	tier, ok = by[u.also[0]]
	return tier, ok && len(u.programs(tier)) > 0
}

// program is one program of a unit in a tier and where it attaches.
type program struct {
	name     string
	target   string // kernel function or system call tracepoint
	optional bool
	returns  bool // it runs when the kernel function returns
}

// programs lists what the unit needs in a tier; nothing where the tier does not serve it.
func (u unit) programs(tier Tier) []program {
	var out []program
	switch tier {
	case LSM, Fentry, Kprobe:
		for _, hook := range u.hooks {
			out = append(out, program{name: tier.String() + "_" + hook, target: "security_" + hook})
		}
		if tier == LSM {
			break
		}
		for _, function := range u.functions {
			out = append(out, program{name: tier.String() + "_" + function, target: function})
		}
		if u.asFunctions {
			out = append(out, u.rawPrograms()...)
			out = append(out, u.callPrograms(tier.String()+"_"+u.prefix, "__x64_sys_", "__x64_sys_")...)
		}
	case Cgroup:
		for _, name := range u.cgroup {
			out = append(out, program{name: name})
		}
	case Tracepoint:
		out = append(u.rawPrograms(), u.callPrograms(u.prefix, "sys_exit_", "sys_enter_")...)
	}
	return out
}

func (u unit) rawPrograms() []program {
	var out []program
	for _, name := range u.raw {
		out = append(out, program{name: name})
	}
	return out
}

// callPrograms are those of the system calls, whose targets begin as given.
func (u unit) callPrograms(prefix, exit, enter string) []program {
	var out []program
	// The exit first: a call that has begun when it is attached is only not reported.
	for _, call := range u.exit {
		out = append(out, program{name: prefix + "sys_exit_" + call, target: exit + call, optional: true, returns: true})
	}
	for _, call := range u.enter {
		out = append(out, program{name: prefix + "sys_enter_" + call, target: enter + call, optional: true})
	}
	return out
}
