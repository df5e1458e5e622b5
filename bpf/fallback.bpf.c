// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
//go:build ignore

/*
 * Enforcement where the kernel has no BPF LSM: addresses are refused by cgroup hooks, and whoever acts
 * on a protected process or on the kernel, or runs what exists in memory only, is killed at the
 * earliest hook there is. Files are judged in user space, by what is kept here of every process.
 */
#include "fallback_network.h"

/* What the object's type information would not have otherwise: a map only points to its type. */
const struct tables *layout_of_tables __attribute__((unused));
const struct {
	struct verdict verdict;
	enum subject_flags subject_flags;
	enum origin origin;
	enum operation operation;
	enum hook hook;
	enum task_flags task_flags;
	enum program_flags program_flags;
} abi __attribute__((unused));

/* What processes are. */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(task_forked, struct task_struct *parent, struct task_struct *child)
{
	u32 tgid = BPF_CORE_READ(child, tgid), from = BPF_CORE_READ(parent, tgid);
	struct task_state *known = bpf_map_lookup_elem(&tasks, &from);
	struct losses *all = losses();
	struct task_state state = {};

	if ((u32)BPF_CORE_READ(child, pid) != tgid)
		return 0;
	if (known)
		state = *known;
	state.start_time = BPF_CORE_READ(child, start_boottime);
	if (bpf_map_update_elem(&tasks, &tgid, &state, BPF_ANY) && all)
		__sync_fetch_and_add(&all->tasks, 1);
	return 0;
}

static __always_inline u8 origin_of(struct super_block *sb)
{
	switch (BPF_CORE_READ(sb, s_magic)) {
	case TMPFS_MAGIC:
		return BPF_CORE_READ(sb, s_flags) & SB_NOUSER ? ORIGIN_MEMFD : ORIGIN_TMPFS;
	case NFS_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
	case AFS_FS_MAGIC:
		return ORIGIN_NETWORK;
	}
	return ORIGIN_OTHER;
}

/* Only the kernel's own instance is judged here: user space is asked before any other file is run. */
static __always_inline void judge_exec(struct inode *inode)
{
	struct verdict v = {.operation = OPERATION_RUN, .hook = HOOK_EXEC};
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct tables *t = tables_in_force();
	struct actor actor;
	u64 about;

	if (!t || !t->by_operation[OPERATION_RUN] || origin_of(sb) != ORIGIN_MEMFD)
		return;
	about = t->by_operation[OPERATION_RUN] & (t->by_origin[ORIGIN_MEMFD] | t->only);
	v.inode = BPF_CORE_READ(inode, i_ino);
	v.device = BPF_CORE_READ(sb, s_dev);
	find_actor(&actor);
	if (tell(t, &v, forbidding(t, about, t->only & t->by_origin[ORIGIN_MEMFD], &actor)))
		bpf_send_signal(SIGKILL);
}

static __always_inline void set_program(u64 *words, u32 number)
{
	words[(number >> 6) & (PROGRAM_WORDS - 1)] |= 1ULL << (number & 63);
}

/* One program more leads to what the process does. A number of 0 is one that no policy names. */
static __always_inline void add_program(struct task_state *state, u32 number, bool trusted)
{
	if (!trusted)
		__builtin_memset(state->trusted, 0, sizeof(state->trusted));
	state->flags = trusted ? state->flags | TASK_TRUSTED : state->flags & ~TASK_TRUSTED;
	if (!number)
		return;
	set_program(state->chain, number - 1);
	if (trusted)
		set_program(state->trusted, number - 1);
}

/* Root's, and nobody else may write it. */
static __always_inline bool is_trusted(struct inode *inode)
{
	return BPF_CORE_READ(inode, i_uid.val) == 0 && !(BPF_CORE_READ(inode, i_mode) & 022);
}

/* What is known of a program; 0 of one that nobody has named. */
static __always_inline u32 flags_of_program(struct inode *inode)
{
	struct program_key key = {.inode = BPF_CORE_READ(inode, i_ino),
				  .device = BPF_CORE_READ(inode, i_sb, s_dev)};
	struct program_value *known = bpf_map_lookup_elem(&programs, &key);

	if (!known ||
	    (known->generation && known->generation != BPF_CORE_READ(inode, i_generation)))
		return 0;
	return known->flags;
}

static __always_inline void run_program(struct task_state *state, struct inode *inode)
{
	u32 tid = bpf_get_current_pid_tgid();
	u32 *script = bpf_map_lookup_elem(&scripts, &tid);
	u32 flags = flags_of_program(inode);
	u32 number = flags & PROGRAM_NUMBER;

	if (!(flags & PROGRAM_OF_INIT))
		state->flags &= ~TASK_INIT;
	if (script)
		add_program(state, *script & PROGRAM_NUMBER, !(*script & PROGRAM_UNTRUSTED));
	bpf_map_delete_elem(&scripts, &tid);
	__builtin_memset(state->own, 0, sizeof(state->own));
	if (number)
		set_program(state->own, number - 1);
	add_program(state, number, is_trusted(inode));
}

static __always_inline struct task_state *known_or_new(u32 tgid)
{
	struct task_state *known = bpf_map_lookup_elem(&tasks, &tgid);
	struct task_state state = {};

	if (known)
		return known;
	bpf_map_update_elem(&tasks, &tgid, &state, BPF_NOEXIST);
	return bpf_map_lookup_elem(&tasks, &tgid);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(task_ran, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	u64 start_time = BPF_CORE_READ(task, group_leader, start_boottime);
	struct inode *inode = BPF_CORE_READ(bprm, file, f_inode);
	struct task_state *state = known_or_new(BPF_CORE_READ(task, tgid));

	judge_exec(inode);
	if (!state)
		return 0;
	state->start_time = start_time;
	run_program(state, inode);
	return 0;
}

/* A script that could not be run leads to nothing. */
static __always_inline int script_failed(struct sys_exit_args *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (ctx->ret < 0)
		bpf_map_delete_elem(&scripts, &tid);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_execve")
int script_exit_execve(struct sys_exit_args *ctx)
{
	return script_failed(ctx);
}

SEC("tracepoint/syscalls/sys_exit_execveat")
int script_exit_execveat(struct sys_exit_args *ctx)
{
	return script_failed(ctx);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(task_ended, struct task_struct *task)
{
	u32 tgid = BPF_CORE_READ(task, tgid);
	struct task_state *known;
	struct task_state state;

	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	known = bpf_map_lookup_elem(&tasks, &tgid);
	if (!known)
		return 0;
	state = *known;
	state.cgroup = bpf_get_current_cgroup_id();
	state.euid = effective_uid();
	bpf_get_current_comm(state.comm, sizeof(state.comm));
	bpf_map_update_elem(&ended, &tgid, &state, BPF_ANY);
	bpf_map_delete_elem(&tasks, &tgid);
	return 0;
}

#define SUFFIX 6

/* The length counts the zero at the end. */
static __always_inline bool ends_with(const struct unit_name *name, long length, const u8 *suffix)
{
	u8 differ = 0;

	if (length < SUFFIX + 1 || length > UNIT_NAME)
		return false;
	for (int i = 0; i < SUFFIX; i++)
		differ |= name->text[(length - SUFFIX - 1 + i) & (UNIT_NAME - 1)] ^ suffix[i];
	return !differ;
}

/* Engines end a container's cgroup with its id, before .scope where systemd makes it. */
static __always_inline u64 container_of_name(const struct unit_name *name, long length)
{
	const u8 scope[SUFFIX] = {'.', 's', 'c', 'o', 'p', 'e'};
	struct container_id id;
	u64 *known;
	long begin = length - 1 - ID_LENGTH;

	if (ends_with(name, length, scope))
		begin -= SUFFIX;
	if (begin < 0 || begin >= UNIT_NAME - ID_DIGITS)
		return 0;
	for (int i = 0; i < ID_DIGITS; i++)
		id.digits[i] = name->text[(begin + i) & (UNIT_NAME - 1)];
	known = bpf_map_lookup_elem(&containers, &id);
	return known ? *known : 0;
}

/* Cgroups are named by whoever makes them, but what is below a unit of systemd is no unit of it. */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *cgroup)
{
	const u8 slice[SUFFIX] = {'.', 's', 'l', 'i', 'c', 'e'};
	u64 id = BPF_CORE_READ(cgroup, kn, id);
	u64 parent = BPF_CORE_READ(cgroup, self.parent, cgroup, kn, id);
	struct cgroup_place *above, place = {};
	struct unit_name name = {};
	u64 *unit;
	long length;

	if (BPF_CORE_READ(cgroup, root, hierarchy_id))
		return 0;
	above = bpf_map_lookup_elem(&cgroups, &parent);
	if (above)
		place = *above;
	length = bpf_probe_read_kernel_str(name.text, sizeof(name.text),
					   BPF_CORE_READ(cgroup, kn, name));
	place.containers |= container_of_name(&name, length);
	if (place.open) {
		unit = bpf_map_lookup_elem(&units, &name);
		if (unit)
			place.units |= *unit;
		place.open = ends_with(&name, length, slice);
	}
	bpf_map_update_elem(&cgroups, &id, &place, BPF_ANY);
	return 0;
}

/* Acts on other processes. */

static __always_inline u64 rules_protecting(struct tables *t, u32 tgid, struct task_struct *task)
{
	struct task_state *state = bpf_map_lookup_elem(&tasks, &tgid);
	u64 cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	struct cgroup_place *place = bpf_map_lookup_elem(&cgroups, &cgroup);
	u64 own[PROGRAM_WORDS] = {}, units = 0, rules = 0, found;

	if (state)
		__builtin_memcpy(own, state->own, sizeof(own));
	if (place)
		units = place->units;
	for (u32 i = 0; i < RULES; i++) {
		const struct target_rule *r = &t->targets[i];

		found = units & r->units;
		for (int j = 0; j < PROGRAM_WORDS; j++)
			found |= own[j] & r->programs[j];
		rules |= any(found) << i;
	}
	return rules;
}

static __always_inline bool spared(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return tgid <= 1 || tgid == agent_tgid;
}

/* What is done to a process may be forbidden by rules about it and by rules about the kernel. */
static __always_inline int judge_act(u8 operation, u8 hook, struct task_struct *task, u8 at_large)
{
	struct verdict v = {.operation = operation, .hook = hook};
	struct tables *t = tables_in_force();
	u32 tgid = BPF_CORE_READ(task, tgid);
	struct actor actor;
	u64 about;

	if (!t || !task || spared() || tgid == bpf_get_current_pid_tgid() >> 32)
		return 0;
	about = t->by_operation[operation];
	if (about)
		about &= rules_protecting(t, tgid, task);
	if (at_large)
		about |= t->by_operation[at_large];
	if (!about)
		return 0;
	v.target = tgid;
	find_actor(&actor);
	if (tell(t, &v, forbidding(t, about, 0, &actor)))
		bpf_send_signal(SIGKILL);
	return 0;
}

#define SI_FROMUSER(info)                                                                          \
	((unsigned long)(info) == 0 ||                                                             \
	 ((unsigned long)(info) > 1 && (int)BPF_CORE_READ(info, si_code) <= 0))

/* The target is the one the kernel has found, whichever call named it. The kernel's own signals are not acts. */
SEC("tp_btf/signal_generate")
int BPF_PROG(signal_sent, int signal, struct kernel_siginfo *info, struct task_struct *task)
{
	return SI_FROMUSER(info) ? judge_act(OPERATION_SIGNAL, HOOK_SIGNAL, task, 0) : 0;
}

SEC("tracepoint/syscalls/sys_enter_ptrace")
int act_ptrace(struct sys_enter_args *ctx)
{
	if (ctx->args[0] != PTRACE_ATTACH && ctx->args[0] != PTRACE_SEIZE)
		return 0;
	return judge_act(OPERATION_PTRACE, HOOK_CALL, task_by_number(ctx->args[1]),
			 OPERATION_KERNEL_PTRACE);
}

SEC("tracepoint/syscalls/sys_enter_pidfd_getfd")
int act_pidfd_getfd(struct sys_enter_args *ctx)
{
	return judge_act(OPERATION_PTRACE, HOOK_CALL, task_by_pidfd(ctx->args[0]),
			 OPERATION_KERNEL_PTRACE);
}

#define ACT_ON_NUMBER(call, operation, argument, at_large)                                         \
	SEC("tracepoint/syscalls/sys_enter_" #call)                                                \
	int act_##call(struct sys_enter_args *ctx)                                                 \
	{                                                                                          \
		return judge_act(operation, HOOK_CALL, task_by_number(ctx->args[argument]),        \
				 at_large);                                                        \
	}

ACT_ON_NUMBER(process_vm_readv, OPERATION_MEMORY, 0, OPERATION_KERNEL_PTRACE)
ACT_ON_NUMBER(process_vm_writev, OPERATION_MEMORY, 0, OPERATION_KERNEL_PTRACE)
ACT_ON_NUMBER(sched_setscheduler, OPERATION_PRIORITY, 0, 0)
ACT_ON_NUMBER(sched_setparam, OPERATION_PRIORITY, 0, 0)
ACT_ON_NUMBER(sched_setattr, OPERATION_PRIORITY, 0, 0)
ACT_ON_NUMBER(sched_setaffinity, OPERATION_PRIORITY, 0, 0)

/* These two name a process only where their first argument says so. */
#define PRIO_PROCESS 0
#define IOPRIO_WHO_PROCESS 1

SEC("tracepoint/syscalls/sys_enter_setpriority")
int act_setpriority(struct sys_enter_args *ctx)
{
	if (ctx->args[0] != PRIO_PROCESS)
		return 0;
	return judge_act(OPERATION_PRIORITY, HOOK_CALL, task_by_number(ctx->args[1]), 0);
}

SEC("tracepoint/syscalls/sys_enter_ioprio_set")
int act_ioprio_set(struct sys_enter_args *ctx)
{
	if (ctx->args[0] != IOPRIO_WHO_PROCESS)
		return 0;
	return judge_act(OPERATION_PRIORITY, HOOK_CALL, task_by_number(ctx->args[1]), 0);
}

SEC("tracepoint/syscalls/sys_enter_prlimit64")
int act_prlimit64(struct sys_enter_args *ctx)
{
	if (!ctx->args[2])
		return 0; /* limits are asked for, not set */
	return judge_act(OPERATION_PRIORITY, HOOK_CALL, task_by_number(ctx->args[0]), 0);
}

/* Acts on the kernel. */

static __always_inline int judge_kernel(u8 operation)
{
	struct verdict v = {.operation = operation, .hook = HOOK_CALL};
	struct tables *t = tables_in_force();
	struct actor actor;
	u64 about;

	if (!t || spared())
		return 0;
	about = t->by_operation[operation];
	if (!about)
		return 0;
	find_actor(&actor);
	if (operation == OPERATION_KERNEL_MOUNT && actor.flags & TASK_INIT)
		return 0;
	if (tell(t, &v, forbidding(t, about, 0, &actor)))
		bpf_send_signal(SIGKILL);
	return 0;
}

#define ACT_ON_KERNEL(call, operation)                                                             \
	SEC("tracepoint/syscalls/sys_enter_" #call)                                                \
	int act_##call(struct sys_enter_args *ctx)                                                 \
	{                                                                                          \
		return judge_kernel(operation);                                                    \
	}

ACT_ON_KERNEL(init_module, OPERATION_MODULES)
ACT_ON_KERNEL(finit_module, OPERATION_MODULES)
ACT_ON_KERNEL(delete_module, OPERATION_MODULES)
ACT_ON_KERNEL(bpf, OPERATION_BPF)
ACT_ON_KERNEL(kexec_load, OPERATION_KEXEC)
ACT_ON_KERNEL(kexec_file_load, OPERATION_KEXEC)
ACT_ON_KERNEL(mount, OPERATION_KERNEL_MOUNT)
ACT_ON_KERNEL(umount, OPERATION_KERNEL_MOUNT)
ACT_ON_KERNEL(move_mount, OPERATION_KERNEL_MOUNT)
ACT_ON_KERNEL(pivot_root, OPERATION_KERNEL_MOUNT)
ACT_ON_KERNEL(settimeofday, OPERATION_TIME)
ACT_ON_KERNEL(clock_settime, OPERATION_TIME)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
