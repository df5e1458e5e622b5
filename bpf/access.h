/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef VEDETTE_ACCESS_H
#define VEDETTE_ACCESS_H
/*
 * A process that controls, reads or changes another one.
 *
 * The better tiers hook the kernel's decision whether a process may attach to another. It is asked
 * for harmless reads of /proc too, with another mode, which are dropped; what was called is read from
 * the registers the caller entered the kernel with. The tracepoint tier sees the calls themselves.
 * What is written into a process that is traced already no hook decides about, so process.inject is
 * seen as calls in every tier. Opens of /proc/PID/mem are found by the hook of all opens: see file.h.
 */
#include "file.h"

struct pending_access {
	struct access_target target;
	u32 kind;
	u32 call;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct pending_access);
} pending_accesses SEC(".maps");

/* The hook tiers. */

static __always_inline u32 ptrace_access(u64 request)
{
	if (request == PTRACE_ATTACH)
		return ACCESS_PTRACE_ATTACH;
	return request == PTRACE_SEIZE ? ACCESS_PTRACE_SEIZE : 0;
}

/* Which call the current task is in; 0 for one that no access is told of, or not here. */
static __always_inline u32 current_call(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pt_regs *regs = entry_registers();
	u64 number;

	number = BPF_CORE_READ(regs, orig_ax);
	/* 32-bit calls have numbers of their own, and their arguments in other registers. */
	if (BPF_CORE_READ(task, thread_info.status) & TS_COMPAT) {
		switch (number) {
		case 26:
			return ptrace_access(BPF_CORE_READ(regs, bx));
		case 347:
			return ACCESS_VM_READ;
		case 348:
			return ACCESS_VM_WRITE;
		case 438:
			return ACCESS_PIDFD_GETFD;
		}
		return 0;
	}
	switch (number) {
	case 101:
		return ptrace_access(BPF_CORE_READ(regs, di));
	case 310:
		return ACCESS_VM_READ;
	case 438:
		return ACCESS_PIDFD_GETFD;
	}
	return 0; /* process_vm_writev is told of by the programs of process.inject */
}

SECURITY_HOOK(ptrace_access_check, (struct task_struct * child, u32 mode), (child, mode))
{
	struct access_target target = {};
	u32 call, kind = EVENT_PROCESS_ACCESS;

	if (!(mode & PTRACE_MODE_ATTACH) || is_agent())
		return 0;
	call = current_call();
	if (!call || !fill_target(&target, child))
		return 0;
	if (call == ACCESS_VM_WRITE)
		kind = EVENT_PROCESS_INJECT;
	return wanted(kind) ? submit_access(kind, &target, call, 0, FILE_ATTEMPT) : 0;
}

/* The tracepoint tier. */

static __always_inline int access_begins(u32 kind, u32 call, struct task_struct *task)
{
	u64 id = bpf_get_current_pid_tgid();
	struct pending_access pending = {.kind = kind, .call = call};

	if (is_agent() || !fill_target(&pending.target, task) ||
	    told_lately(pending.target.tgid, call))
		return 0;
	if (bpf_map_update_elem(&pending_accesses, &id, &pending, BPF_ANY))
		count_loss(kind, LOSS_PENDING_FULL);
	return 0;
}

static __always_inline int access_ends(struct sys_exit_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	struct pending_access *pending = bpf_map_lookup_elem(&pending_accesses, &id);
	struct pending_access access;

	if (!pending)
		return 0;
	access = *pending;
	bpf_map_delete_elem(&pending_accesses, &id);
	if (ctx->ret < 0)
		return 0;
	return submit_access(access.kind, &access.target, access.call, 0, 0);
}

SEC("tracepoint/syscalls/sys_enter_ptrace")
int sys_enter_ptrace(struct sys_enter_args *ctx)
{
	u32 call = ptrace_access(ctx->args[0]);

	return call ? access_begins(EVENT_PROCESS_ACCESS, call, task_by_number(ctx->args[1])) : 0;
}

SEC("tracepoint/syscalls/sys_enter_process_vm_readv")
int sys_enter_process_vm_readv(struct sys_enter_args *ctx)
{
	return access_begins(EVENT_PROCESS_ACCESS, ACCESS_VM_READ, task_by_number(ctx->args[0]));
}

SEC("tracepoint/syscalls/sys_enter_pidfd_getfd")
int sys_enter_pidfd_getfd(struct sys_enter_args *ctx)
{
	return access_begins(EVENT_PROCESS_ACCESS, ACCESS_PIDFD_GETFD, task_by_pidfd(ctx->args[0]));
}

SYS_EXIT(ptrace, access_ends)
SYS_EXIT(process_vm_readv, access_ends)
SYS_EXIT(pidfd_getfd, access_ends)

/* process.inject beside it: programs of its own, so that either kind can be watched alone. */

static __always_inline u32 ptrace_inject(u64 request)
{
	switch (request) {
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return ACCESS_PTRACE_POKE;
	case PTRACE_SETREGS:
	case PTRACE_SETREGSET:
		return ACCESS_PTRACE_SETREGS;
	}
	return 0;
}

static __always_inline int ptrace_injects(struct sys_enter_args *ctx)
{
	u32 call = ptrace_inject(ctx->args[0]);

	return call ? access_begins(EVENT_PROCESS_INJECT, call, task_by_number(ctx->args[1])) : 0;
}

static __always_inline int vm_write_injects(struct sys_enter_args *ctx)
{
	return access_begins(EVENT_PROCESS_INJECT, ACCESS_VM_WRITE, task_by_number(ctx->args[0]));
}

CALL_ENTER(inject_, ptrace, ptrace_injects)
CALL_ENTER(inject_, process_vm_writev, vm_write_injects)
CALL_EXIT(inject_, ptrace, access_ends)
CALL_EXIT(inject_, process_vm_writev, access_ends)

#endif
