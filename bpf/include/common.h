/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Ring buffers, scratch space, loss counters and the record head: what every program uses. */
#ifndef VEDETTE_COMMON_H
#define VEDETTE_COMMON_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>
#include "abi.h"
#include "block.h"

/* The agent itself: its file and network activity is not reported, or every alert would cause events. */
const volatile u32 agent_tgid = 0;

/* A bit for each event kind: what nobody asked for is dropped before it is looked at closely. */
const volatile u64 wanted_kinds = ~0ULL;

/* Process lifecycle has its own ring, so that a flood of file events cannot evict it. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} process_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} activity_ring SEC(".maps");

/* By kind and cause. One element, so that user space reads all with one call. */
struct loss_counters {
	u64 lost[EVENT_KINDS * LOSS_CAUSES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct loss_counters);
} losses SEC(".maps");

#define PATH_CAP 4096
#define NAME_CAP 256
#define DATA_CAP 16384

/*
 * A program that is preempted by another one must not share its scratch space, so each program
 * that may run beside another has a slot. One program never runs twice at once on a processor: the
 * kernel skips the second.
 */
enum scratch_slot {
	SLOT_EXEC,
	SLOT_OPEN,
	SLOT_UNLINK,
	SLOT_RMDIR,
	SLOT_RENAME,
	SLOT_MKDIR,
	SLOT_MKNOD,
	SLOT_SYMLINK,
	SLOT_LINK,
	SLOT_MODULE,
	SLOT_IMAGE,
	SLOT_CHMOD, /* the last three have scratch space of their own */
	SLOT_CHOWN,
	SLOT_ATTRIBUTES,
	SLOTS,
};

/* Any offset below DATA_CAP plus any length below PATH_CAP is inside: the verifier asks for it. */
struct exec_scratch {
	struct exec_event event;
	u8 data[DATA_CAP + PATH_CAP];
};

struct file_scratch {
	struct file_event event;
	u8 data[DATA_CAP + PATH_CAP];
};

/* A path is written from the end of its buffer to the front; the rest says how far the walk is. */
struct path_buffer {
	u8 bytes[PATH_CAP + NAME_CAP];
	u64 dentry;
	u64 mount; /* 0: none is known */
	u64 mnt_root;
	u32 at;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exec_scratch);
} exec_scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOT_CHMOD);
	__type(key, u32);
	__type(value, struct file_scratch);
} file_scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, u32);
	__type(value, struct path_buffer);
} path_buffers SEC(".maps");

static __always_inline void count_loss(u32 kind, u32 cause)
{
	u32 zero = 0;
	struct loss_counters *counters = bpf_map_lookup_elem(&losses, &zero);
	u64 slot = kind * LOSS_CAUSES + cause;

	/* The verifier has to see the limit of the slot itself, not that of what it comes from. */
	barrier_var(slot);
	if (counters && slot < EVENT_KINDS * LOSS_CAUSES)
		__sync_fetch_and_add(&counters->lost[slot], 1);
}

/* The v2 cgroup, or on hosts that keep containers in v1 hierarchies the one that counts processes. */
static __always_inline u64 cgroup_key(struct task_struct *task)
{
	struct css_set *css = FIELD(task, cgroups);
	struct cgroup *unified = FIELD(css, dfl_cgrp);
	struct kernfs_node *node = FIELD(unified, kn);
	u64 id = FIELD(node, id);
	struct cgroup_subsys_state *state = NULL;
	u32 index;

	if (id != 1 || !bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return id;
	index = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
	bpf_probe_read_kernel(&state, sizeof(state),
			      (void *)css + bpf_core_field_offset(struct css_set, subsys) +
				      index * sizeof(void *));
	if (!state)
		return id;
	return BPF_CORE_READ(state, cgroup, kn, id) | 1ULL << 63;
}

static __always_inline void fill_head(struct event_head *head, u16 kind, struct task_struct *task)
{
	struct task_struct *leader = FIELD(task, group_leader);
	struct cred *cred = (void *)BPF_CORE_READ(task, cred);
	u64 ids[CRED_WORDS];

	READ_BLOCK(ids, cred);
	head->kind = kind;
	head->reserved = 0;
	head->time = bpf_ktime_get_boot_ns();
	head->start_time = FIELD(leader, start_boottime);
	head->tgid = FIELD(task, tgid);
	head->tid = FIELD(task, pid);
	head->cgroup = cgroup_key(task);
	head->uid = BLOCK_FIELD(ids, cred, uid.val);
	head->euid = BLOCK_FIELD(ids, cred, euid.val);
	head->gid = BLOCK_FIELD(ids, cred, gid.val);
	head->egid = BLOCK_FIELD(ids, cred, egid.val);
}

static __always_inline void fill_parent(struct event_parent *parent, struct task_struct *task)
{
	struct task_struct *real = BPF_CORE_READ(task, real_parent);

	parent->tgid = BPF_CORE_READ(real, tgid);
	parent->start_time = BPF_CORE_READ(real, group_leader, start_boottime);
	parent->reserved = 0;
}

/* A program that runs when a system call has ended. */
#define SYS_EXIT(call, handler)                                                                    \
	SEC("tracepoint/syscalls/sys_exit_" #call)                                                 \
	int sys_exit_##call(struct sys_exit_args *ctx)                                             \
	{                                                                                          \
		return handler(ctx);                                                               \
	}

/*
 * What the current task entered the kernel with: at its stack's end, below the padding of kernels that
 * know FRED. The argument of a call's function is no help: some kernels do not say what it points to.
 */
static __always_inline struct pt_regs *entry_registers(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return FIELD(task, stack) + THREAD_SIZE -
	       (bpf_core_type_exists(struct fred_info) ? 16 : 0) -
	       bpf_core_type_size(struct pt_regs);
}

static __always_inline void read_args(struct sys_enter_args *args)
{
	struct pt_regs *regs = entry_registers();

	args->args[0] = FIELD(regs, di);
	args->args[1] = FIELD(regs, si);
	args->args[2] = FIELD(regs, dx);
	args->args[3] = FIELD(regs, r10);
}

/*
 * The same for calls that no security hook stands for, in each tier. A call has a function of its own
 * in the kernel: to hook it costs nobody else anything, while the tracepoint of a single call sends
 * every call of every process the slow way in and out.
 */
#define CALL_EXIT(prefix, call, handler)                                                           \
	SEC("tracepoint/syscalls/sys_exit_" #call)                                                 \
	int prefix##sys_exit_##call(struct sys_exit_args *ctx)                                     \
	{                                                                                          \
		return handler(ctx);                                                               \
	}                                                                                          \
	SEC("fexit/__x64_sys_" #call)                                                              \
	int BPF_PROG(fentry_##prefix##sys_exit_##call, struct pt_regs *regs, long ret)             \
	{                                                                                          \
		struct sys_exit_args args = {.ret = ret};                                          \
                                                                                                   \
		return handler(&args);                                                             \
	}                                                                                          \
	SEC("kretprobe/__x64_sys_" #call)                                                          \
	int BPF_KRETPROBE(kprobe_##prefix##sys_exit_##call, long ret)                              \
	{                                                                                          \
		struct sys_exit_args args = {.ret = ret};                                          \
                                                                                                   \
		return handler(&args);                                                             \
	}

/* And one that runs when the call begins. It gets the first four arguments. */
#define CALL_ENTER(prefix, call, handler)                                                          \
	SEC("tracepoint/syscalls/sys_enter_" #call)                                                \
	int prefix##sys_enter_##call(struct sys_enter_args *ctx)                                   \
	{                                                                                          \
		return handler(ctx);                                                               \
	}                                                                                          \
	SEC("fentry/__x64_sys_" #call)                                                             \
	int BPF_PROG(fentry_##prefix##sys_enter_##call)                                            \
	{                                                                                          \
		struct sys_enter_args args = {};                                                   \
                                                                                                   \
		read_args(&args);                                                                  \
		return handler(&args);                                                             \
	}                                                                                          \
	SEC("kprobe/__x64_sys_" #call)                                                             \
	int BPF_KPROBE(kprobe_##prefix##sys_enter_##call)                                          \
	{                                                                                          \
		struct sys_enter_args args = {};                                                   \
                                                                                                   \
		read_args(&args);                                                                  \
		return handler(&args);                                                             \
	}

static __always_inline bool wanted(u32 kind)
{
	return wanted_kinds & 1ULL << kind;
}

static __always_inline bool is_agent(void)
{
	return (u32)(bpf_get_current_pid_tgid() >> 32) == agent_tgid;
}

/* User space polls: waking it for every record would cost more than the record. */
static __always_inline void submit(void *ring, struct event_head *record, u32 size)
{
	record->size = size;
	if (bpf_ringbuf_output(ring, record, size, BPF_RB_NO_WAKEUP))
		count_loss(record->kind, LOSS_RING_FULL);
}

#endif
