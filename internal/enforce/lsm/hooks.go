// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf/btf"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/pkg/policy"
)

// guard is a program for a security hook.
type guard struct {
	program string
	hook    string
	// parameters of the hook, where a program is for kernels that have it with that many; 0 for any.
	parameters int
	// lost is what is not held where the kernel lacks the hook; empty where nothing is.
	lost string
	// operations are those that are not held then.
	operations policy.Operation
}

// everyOperation hangs on the programs that follow lineages.
const everyOperation = policy.FileOperations | policy.ProcessOperations | policy.Run | policy.NetworkOperations | policy.KernelOperations

// guards are all programs for security hooks. Those that follow lineages come first.
var guards = []guard{
	{bpf.EnforceProgBeginExec, "bprm_creds_for_exec", 0, "what programs a process descends from", everyOperation},
	{bpf.EnforceProgEndExec, "bprm_committed_creds", 0, "what programs a process descends from", everyOperation},
	{bpf.EnforceProgForgetInode, "inode_free_security", 0, "that a file's number is another file's later", everyOperation},
	{bpf.EnforceProgGuardFileOpen, "file_open", 0, "opening files", policy.Write | policy.Read},
	{bpf.EnforceProgGuardFileReceive, "file_receive", 0, "taking over open files from other processes", policy.Write | policy.Read},
	{bpf.EnforceProgGuardFilePermission, "file_permission", 0, "using files that are open already", policy.Write | policy.Read},
	{bpf.EnforceProgGuardFileIoctl, "file_ioctl", 0, "flags of files", policy.Attributes},
	{bpf.EnforceProgGuardFileIoctlCompat, "file_ioctl_compat", 0, "", 0}, // before 6.8 the other one is called
	{bpf.EnforceProgGuardInodeCreate, "inode_create", 0, "making files", policy.Create},
	{bpf.EnforceProgGuardInodeMkdir, "inode_mkdir", 0, "making directories", policy.Create},
	{bpf.EnforceProgGuardInodeMknod, "inode_mknod", 0, "making devices, pipes and sockets", policy.Create},
	{bpf.EnforceProgGuardInodeSymlink, "inode_symlink", 0, "making symbolic links", policy.Create},
	{bpf.EnforceProgGuardInodeLink, "inode_link", 0, "making hard links", policy.Link | policy.Create},
	{bpf.EnforceProgGuardInodeUnlink, "inode_unlink", 0, "removing files", policy.Delete},
	{bpf.EnforceProgGuardInodeRmdir, "inode_rmdir", 0, "removing directories", policy.Delete},
	{bpf.EnforceProgGuardInodeRename, "inode_rename", 0, "renaming", policy.Rename | policy.Delete | policy.Create},
	{bpf.EnforceProgGuardInodeSetattr, "inode_setattr", 2, "truncating, and changing mode, owner and times", policy.Write | policy.Attributes},
	{bpf.EnforceProgGuardInodeSetattrMapped, "inode_setattr", 3, "truncating, and changing mode, owner and times", policy.Write | policy.Attributes},
	{bpf.EnforceProgGuardInodeSetxattr, "inode_setxattr", 5, "setting extended attributes", policy.Attributes},
	{bpf.EnforceProgGuardInodeSetxattrMapped, "inode_setxattr", 6, "setting extended attributes", policy.Attributes},
	{bpf.EnforceProgGuardInodeRemovexattr, "inode_removexattr", 2, "removing extended attributes", policy.Attributes},
	{bpf.EnforceProgGuardInodeRemovexattrMapped, "inode_removexattr", 3, "removing extended attributes", policy.Attributes},
	{bpf.EnforceProgGuardInodeSetAcl, "inode_set_acl", 0, "", 0}, // before 6.2 access lists are extended attributes
	{bpf.EnforceProgGuardInodeRemoveAcl, "inode_remove_acl", 0, "", 0},
	{bpf.EnforceProgGuardInodeFileSetattr, "inode_file_setattr", 0, "", 0}, // before 6.17 flags are changed by ioctl alone
	{bpf.EnforceProgGuardSbMount, "sb_mount", 0, "mounting", policy.Mount | policy.KernelMount},
	{bpf.EnforceProgGuardSbUmount, "sb_umount", 0, "unmounting", policy.Mount | policy.KernelMount},
	{bpf.EnforceProgGuardSbRemount, "sb_remount", 0, "mounting with other options", policy.Mount},
	{bpf.EnforceProgGuardSbPivotroot, "sb_pivotroot", 0, "changing the root directory's mount", policy.Mount | policy.KernelMount},
	{bpf.EnforceProgGuardMoveMount, "move_mount", 0, "moving mounts", policy.Mount | policy.KernelMount},
	{bpf.EnforceProgGuardBprmCheck, "bprm_check_security", 0, "running programs", policy.Execute | policy.Run},
	{bpf.EnforceProgGuardMmapFile, "mmap_file", 0, "mapping files as code, and writable", policy.Write | policy.Execute | policy.Run},
	{bpf.EnforceProgGuardFileMprotect, "file_mprotect", 0, "making mapped files code, or writable", policy.Write | policy.Execute | policy.Run},
	{bpf.EnforceProgGuardTaskKill, "task_kill", 0, "signals", policy.Signal},
	{bpf.EnforceProgGuardTaskSetnice, "task_setnice", 0, "nice values", policy.Priority},
	{bpf.EnforceProgGuardTaskSetioprio, "task_setioprio", 0, "priorities of input and output", policy.Priority},
	{bpf.EnforceProgGuardTaskSetscheduler, "task_setscheduler", 0, "schedulers and processors", policy.Priority},
	{bpf.EnforceProgGuardTaskSetrlimit, "task_setrlimit", 0, "limits", policy.Priority},
	{bpf.EnforceProgGuardPtraceAccessCheck, "ptrace_access_check", 0, "tracing, and the memory of processes", policy.Ptrace | policy.Memory | policy.KernelPtrace},
	{bpf.EnforceProgGuardPtraceTraceme, "ptrace_traceme", 0, "letting oneself be traced", policy.Ptrace | policy.KernelPtrace},
	{bpf.EnforceProgGuardBpf, "bpf", 0, "the bpf system call", policy.BPF},
	{bpf.EnforceProgGuardBpfMap, "bpf_map", 0, "the agent's own BPF maps", policy.AgentBPF},
	{bpf.EnforceProgGuardBpfProg, "bpf_prog", 0, "the agent's own BPF programs", policy.AgentBPF},
	{bpf.EnforceProgGuardCapable, "capable", 0, "unloading modules, and the clock", policy.Modules | policy.Time},
	{bpf.EnforceProgGuardKernelReadFile, "kernel_read_file", 0, "modules and kernels from files", policy.Modules | policy.Kexec},
	{bpf.EnforceProgGuardKernelLoadData, "kernel_load_data", 0, "modules and kernels from memory", policy.Modules | policy.Kexec},
	{bpf.EnforceProgGuardLockedDown, "locked_down", 0, "ports", policy.RawDevices},
	{bpf.EnforceProgGuardSocketConnect, "socket_connect", 0, "connecting", policy.Connect},
	{bpf.EnforceProgGuardSocketBind, "socket_bind", 0, "binding", policy.Bind},
	{bpf.EnforceProgGuardSocketSendmsg, "socket_sendmsg", 0, "datagrams with an address of their own", policy.Connect},
	{bpf.EnforceProgGuardSockGraft, "sock_graft", 0, "accepting connections", policy.Accept},
	{bpf.EnforceProgGuardSocketRecvmsg, "socket_recvmsg", 0, "receiving by connections that must not have been accepted", policy.Accept},
	{bpf.EnforceProgGuardSocketGetsockopt, "socket_getsockopt", 0, "mapping what arrives by such connections", policy.Accept},
}

// followers are programs for tracepoints, without which no lineage is right, and no container known that starts later.
var followers = []string{bpf.EnforceProgFollowFork, bpf.EnforceProgFollowExit, bpf.EnforceProgFollowCgroup}

// present sorts the guards by what the kernel has, and gives those that it lacks and misses.
func present(types *btf.Spec) (there, lacking []guard, err error) {
	parameters := map[string]int{}
	for _, g := range guards {
		n, ok := parameters[g.hook]
		if !ok {
			if n, err = parametersOf(types, g.hook); err != nil {
				return nil, nil, err
			}
			parameters[g.hook] = n
		}
		switch {
		case n >= 0 && (g.parameters == 0 || g.parameters == n):
			there = append(there, g)
		case n < 0 && g.lost != "" && !slices.ContainsFunc(lacking, func(o guard) bool { return o.hook == g.hook }):
			lacking = append(lacking, g)
		}
	}
	return there, lacking, nil
}

// without says what it means that the kernel lacks the hook.
func (g guard) without() string {
	return fmt.Sprintf("the kernel has no hook %s: %s is not held", g.hook, g.lost)
}

// named are the guards of these hooks.
func named(hooks []string) []guard {
	return slices.DeleteFunc(slices.Clone(guards), func(g guard) bool { return !slices.Contains(hooks, g.hook) })
}

// parametersOf counts the parameters of a security hook; -1 where the kernel does not have it.
func parametersOf(types *btf.Spec, hook string) (int, error) {
	var f *btf.Func
	err := types.TypeByName("bpf_lsm_"+hook, &f)
	if errors.Is(err, btf.ErrNotFound) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for the hook %s: %w", hook, err)
	}
	proto, ok := f.Type.(*btf.FuncProto)
	if !ok {
		return 0, fmt.Errorf("look for the hook %s: found %v, expected a function", hook, f.Type)
	}
	return len(proto.Params), nil
}

// hookNames are the hooks by the numbers that verdicts have.
var hookNames = map[uint8]string{
	uint8(bpf.EnforceHookHOOK_FILE_OPEN):           "file_open",
	uint8(bpf.EnforceHookHOOK_FILE_PERMISSION):     "file_permission",
	uint8(bpf.EnforceHookHOOK_FILE_RECEIVE):        "file_receive",
	uint8(bpf.EnforceHookHOOK_MMAP_FILE):           "mmap_file",
	uint8(bpf.EnforceHookHOOK_FILE_MPROTECT):       "file_mprotect",
	uint8(bpf.EnforceHookHOOK_FILE_IOCTL):          "file_ioctl",
	uint8(bpf.EnforceHookHOOK_INODE_CREATE):        "inode_create",
	uint8(bpf.EnforceHookHOOK_INODE_MKDIR):         "inode_mkdir",
	uint8(bpf.EnforceHookHOOK_INODE_MKNOD):         "inode_mknod",
	uint8(bpf.EnforceHookHOOK_INODE_SYMLINK):       "inode_symlink",
	uint8(bpf.EnforceHookHOOK_INODE_LINK):          "inode_link",
	uint8(bpf.EnforceHookHOOK_INODE_UNLINK):        "inode_unlink",
	uint8(bpf.EnforceHookHOOK_INODE_RMDIR):         "inode_rmdir",
	uint8(bpf.EnforceHookHOOK_INODE_RENAME):        "inode_rename",
	uint8(bpf.EnforceHookHOOK_INODE_SETATTR):       "inode_setattr",
	uint8(bpf.EnforceHookHOOK_INODE_SETXATTR):      "inode_setxattr",
	uint8(bpf.EnforceHookHOOK_INODE_REMOVEXATTR):   "inode_removexattr",
	uint8(bpf.EnforceHookHOOK_INODE_SET_ACL):       "inode_set_acl",
	uint8(bpf.EnforceHookHOOK_INODE_REMOVE_ACL):    "inode_remove_acl",
	uint8(bpf.EnforceHookHOOK_SB_MOUNT):            "sb_mount",
	uint8(bpf.EnforceHookHOOK_SB_UMOUNT):           "sb_umount",
	uint8(bpf.EnforceHookHOOK_SB_REMOUNT):          "sb_remount",
	uint8(bpf.EnforceHookHOOK_SB_PIVOTROOT):        "sb_pivotroot",
	uint8(bpf.EnforceHookHOOK_MOVE_MOUNT):          "move_mount",
	uint8(bpf.EnforceHookHOOK_BPRM_CHECK):          "bprm_check_security",
	uint8(bpf.EnforceHookHOOK_TASK_KILL):           "task_kill",
	uint8(bpf.EnforceHookHOOK_PTRACE_ACCESS_CHECK): "ptrace_access_check",
	uint8(bpf.EnforceHookHOOK_PTRACE_TRACEME):      "ptrace_traceme",
	uint8(bpf.EnforceHookHOOK_TASK_SETNICE):        "task_setnice",
	uint8(bpf.EnforceHookHOOK_TASK_SETIOPRIO):      "task_setioprio",
	uint8(bpf.EnforceHookHOOK_TASK_SETSCHEDULER):   "task_setscheduler",
	uint8(bpf.EnforceHookHOOK_TASK_SETRLIMIT):      "task_setrlimit",
	uint8(bpf.EnforceHookHOOK_BPF):                 "bpf",
	uint8(bpf.EnforceHookHOOK_CAPABLE):             "capable",
	uint8(bpf.EnforceHookHOOK_KERNEL_READ_FILE):    "kernel_read_file",
	uint8(bpf.EnforceHookHOOK_KERNEL_LOAD_DATA):    "kernel_load_data",
	uint8(bpf.EnforceHookHOOK_LOCKED_DOWN):         "locked_down",
	uint8(bpf.EnforceHookHOOK_SOCKET_CONNECT):      "socket_connect",
	uint8(bpf.EnforceHookHOOK_SOCKET_BIND):         "socket_bind",
	uint8(bpf.EnforceHookHOOK_SOCKET_SENDMSG):      "socket_sendmsg",
	uint8(bpf.EnforceHookHOOK_SOCK_GRAFT):          "sock_graft",
	uint8(bpf.EnforceHookHOOK_INODE_FILE_SETATTR):  "inode_file_setattr",
	uint8(bpf.EnforceHookHOOK_BPF_MAP):             "bpf_map",
	uint8(bpf.EnforceHookHOOK_BPF_PROG):            "bpf_prog",
}
