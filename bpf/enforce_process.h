/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Acts on other processes. */
#ifndef VEDETTE_ENFORCE_PROCESS_H
#define VEDETTE_ENFORCE_PROCESS_H

#include "enforce_files.h"

#define PTRACE_MODE_FSCREDS 0x8
#define NR_PROCESS_VM_READV 310
#define NR_PROCESS_VM_WRITEV 311
#define NR_PROCESS_MADVISE 440
#define NR_PTRACE 101

static __always_inline u32 judge_process(u64 who, u64 target, u64 act)
{
	u32 own = FIELD((struct task_struct *)who, tgid);

	if (own == FIELD((struct task_struct *)target, tgid))
		return 0;
	return judge_plain(who, target, act);
}

#define GUARD_PROCESS(hook, operation, number)                                                     \
	SEC("lsm/" #hook)                                                                          \
	int guard_##hook(void *ctx)                                                                \
	{                                                                                          \
		if (!is_judged(current_generation(), operation, NO_OPERATION) || is_kernel())      \
			return 0;                                                                  \
		return refuse(judge_process(bpf_get_current_task(), argument(ctx, 0),              \
					    ACT(operation, number)));                              \
	}

GUARD_PROCESS(task_kill, OP_SIGNAL, HOOK_TASK_KILL)
GUARD_PROCESS(task_setnice, OP_PRIORITY, HOOK_TASK_SETNICE)
GUARD_PROCESS(task_setioprio, OP_PRIORITY, HOOK_TASK_SETIOPRIO)
GUARD_PROCESS(task_setscheduler, OP_PRIORITY, HOOK_TASK_SETSCHEDULER)
GUARD_PROCESS(task_setrlimit, OP_PRIORITY, HOOK_TASK_SETRLIMIT)

/* The number of the call that the current task is in. */
static __always_inline long current_call(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pt_regs *regs = BPF_CORE_READ(task, stack) + THREAD_SIZE -
			       (bpf_core_type_exists(struct fred_info) ? 16 : 0) -
			       bpf_core_type_size(struct pt_regs);

	return BPF_CORE_READ(regs, orig_ax);
}

/*
 * The hook does not tell what is wanted, the call does; memory is also reached by a file, with the
 * credentials of file systems. What only looks, as ps does, is not meant.
 */
static __always_inline u32 wanted_of(u32 mode)
{
	long call = current_call();

	if (call == NR_PROCESS_MADVISE)
		return OP_MEMORY;
	if (!(mode & PTRACE_MODE_ATTACH))
		return NO_OPERATION;
	if (call == NR_PROCESS_VM_READV || call == NR_PROCESS_VM_WRITEV ||
	    mode & PTRACE_MODE_FSCREDS)
		return OP_MEMORY;
	return OP_PTRACE;
}

SEC("lsm/ptrace_access_check")
int guard_ptrace_access_check(void *ctx)
{
	u64 target = argument(ctx, 0), who = bpf_get_current_task();
	u64 act = IN_HOOK(HOOK_PTRACE_ACCESS_CHECK) | IN_GENERATION(current_generation());
	u32 wanted = wanted_of(argument(ctx, 1)), judged;

	if (wanted == NO_OPERATION || is_kernel())
		return 0;
	if (BPF_CORE_READ((struct task_struct *)target, tgid) ==
	    BPF_CORE_READ((struct task_struct *)who, tgid))
		return 0;
	judged = judge_plain(who, target, ACT(wanted, 0) | act);
	judged |= judge_plain(who, 0, ACT(OP_KERNEL_PTRACE, 0) | act);
	return refuse(judged);
}

/* The parent gets the current process into its hands. */
SEC("lsm/ptrace_traceme")
int guard_ptrace_traceme(void *ctx)
{
	u64 parent = argument(ctx, 0), own = bpf_get_current_task();
	u64 act = IN_HOOK(HOOK_PTRACE_TRACEME) | IN_GENERATION(current_generation());
	u32 judged = judge_process(parent, own, ACT(OP_PTRACE, 0) | act);

	judged |= judge_plain(parent, 0, ACT(OP_KERNEL_PTRACE, 0) | act);
	return refuse(judged);
}

#endif
